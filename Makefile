# Assay. `make` lists the targets. Go, make and git are all that is needed.
# Written for GNU make 3.81 and later.

SHELL := /bin/sh
.DEFAULT_GOAL := help

GO ?= go

# Kubernetes version of the control plane for the demo and the tests. Empty is the one
# that internal/testenv/controlplane/assets names.
K8S_VERSION ?=

# How long each fuzz target runs, and how long it may look for a shorter form of an input
# that reaches new code: a minute if not told otherwise, which is all of the time.
# A number of inputs and not a duration: at its end go test may report the deadline as a failure of
# a target whose inputs are slow.
FUZZTIME ?= 10000x
FUZZMINIMIZETIME ?= 1s

# The least coverage, in per cent, of every package that a verdict depends on.
COVER_MIN ?= 95

# Where govulncheck reads the Go vulnerability database, if not where it does by default;
# a mirror may be a file:// URL.
VULNDB ?=

# What `assay --version` prints.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# The kubectl of the targets that change a cluster, which is the one of the current kubeconfig.
KUBECTL ?= kubectl

# The operator's image, as nodes pull it. Empty is the one that config/manager names.
IMG ?=

# What `make deploy` applies and `make undeploy` deletes.
KUSTOMIZATION ?= config/default

# Whether `make uninstall` and `make undeploy` succeed when there is nothing to delete.
ignore-not-found ?= false

# Namespace of the keys and the allowlist for `make run`, and further flags of the manager.
OPERATOR_NAMESPACE ?= assay-system
ARGS ?=

# Not empty: the demo ends by itself once it has shown the verdicts.
DEMO_EXIT ?=
export DEMO_EXIT

# Not empty: the demo builds cosign and signs with it, which takes minutes the first time. Otherwise it
# signs in the form of cosign by itself.
COSIGN ?=
export COSIGN

# One set of compile flags for all that is built here, the control plane included, so
# that the build cache is filled once.
export CGO_ENABLED := 0

INSTALL_CONTROLPLANE := $(GO) run ./hack/install-controlplane $(if $(K8S_VERSION),-version $(K8S_VERSION))
# The demo and the tests also run Kubernetes' controllers, and a registry.
INSTALL_TEST_CONTROLPLANE := $(INSTALL_CONTROLPLANE) -controller-manager -registry
WITH_TEST_CONTROLPLANE = KUBEBUILDER_ASSETS="$$($(INSTALL_TEST_CONTROLPLANE))" && export KUBEBUILDER_ASSETS &&
WITH_DEMO = KUBEBUILDER_ASSETS="$$($(INSTALL_TEST_CONTROLPLANE) $(if $(COSIGN),-cosign))" && export KUBEBUILDER_ASSETS &&
# Prefix of a command that needs etcd and kube-apiserver.
WITH_CONTROLPLANE = KUBEBUILDER_ASSETS="$$($(INSTALL_CONTROLPLANE))" && export KUBEBUILDER_ASSETS &&

BUILD_INSTALLER = $(GO) run -C test ./build-installer $(if $(IMG),-image '$(IMG)') $(abspath $(KUSTOMIZATION))

# Tools are pinned in modules of their own.
TOOL := $(GO) tool -modfile=hack/tools/go.mod
GOLANGCI_LINT := $(GO) tool -modfile=hack/tools/lint/go.mod golangci-lint
# Lints the module in the working directory.
LINT_MODULE = $(GO) tool -modfile="$(CURDIR)/hack/tools/lint/go.mod" golangci-lint run --config "$(CURDIR)/.golangci.yml"

PURE := $(patsubst %,./%/...,$(wildcard internal/verify internal/signature internal/openpgp internal/simplesigning \
	internal/imageref internal/manifest internal/strictjson internal/safetext internal/allowlist \
	internal/pubkey internal/rfc3161 internal/tlog internal/sigstore))

##@ General

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 } /^##@ / { printf "\n%s\n", substr($$0, 5) }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: ## Start a cluster without nodes, a registry and the operator, and show what is admitted (DEMO_EXIT=1 ends by itself, COSIGN=1 signs with cosign).
	@$(WITH_DEMO) echo "Building the demo, which takes some minutes the first time ..." && $(GO) build -C test -o ../bin/demo ./demo && exec bin/demo

##@ Development

.PHONY: generate
generate: ## Write deep-copy functions, CRDs, the operator's role and docs/reference.
	$(TOOL) controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/...
	$(TOOL) controller-gen crd:generateEmbeddedObjectMeta=true paths=./api/... output:crd:artifacts:config=config/crd/bases
	$(TOOL) controller-gen rbac:roleName=manager-role paths=./controllers/... output:rbac:artifacts:config=config/rbac
	@mkdir -p docs/reference
	$(TOOL) crd-ref-docs --log-level=ERROR --source-path=api --config=hack/reference/api/config.yaml \
		--templates-dir=hack/reference/api/templates --renderer=markdown --output-path=docs/reference/api.md
	$(GO) run -C hack/reference . -root ../..

.PHONY: fmt
fmt: ## Format all Go code.
	$(GOLANGCI_LINT) fmt

.PHONY: build
build: ## Build bin/assay.
	$(GO) build -ldflags "-s -w -X github.com/assay-project/assay/internal/cli.stampedVersion=$(VERSION)" -o bin/assay .

.PHONY: sigstore-client
sigstore-client: ## Build bin/sigstore-client, by which sigstore-conformance drives Assay's verification of bundles.
	$(GO) build -C test -o ../bin/sigstore-client ./sigstoreclient

.PHONY: clean
clean: ## Remove what was built here. The control plane and Go's caches stay.
	rm -rf bin bench/out dist

##@ Test

.PHONY: setup-envtest
setup-envtest: ## Install etcd, kube-apiserver, kubectl, kube-controller-manager and a registry for the tests, and print where (K8S_VERSION=1.37.2).
	@$(INSTALL_TEST_CONTROLPLANE)

# Tests below test read config and build the program. The cache of test results knows nothing of files outside of their
# modules, so that it is not used. A package takes minutes on two cores, and more on a busy machine.
TEST_MODULE := $(GO) test -C test -count 1 -timeout 30m

.PHONY: test
test: ## Run all tests, those that need an API server included.
	@$(WITH_TEST_CONTROLPLANE) $(GO) test ./... && $(TEST_MODULE) ./...

.PHONY: test-e2e
test-e2e: ## Run the tests of the program as a cluster runs it: configuration, permissions, replicas, faults, admission.
	@$(WITH_TEST_CONTROLPLANE) $(TEST_MODULE) ./...

.PHONY: test-faults-long
test-faults-long: ## Run the tests of faults at full size: 500 and 5,000 images, 20 kills (an hour; ASSAY_FAULTS_SEED=1 repeats a run).
	@$(WITH_CONTROLPLANE) ASSAY_FAULTS_LONG=1 $(TEST_MODULE) -v -timeout 3h ./faults

.PHONY: test-race
test-race: ## Run all tests with the race detector. Needs a C compiler.
	@$(WITH_TEST_CONTROLPLANE) export CGO_ENABLED=1 && $(GO) test -race ./... && $(TEST_MODULE) -race ./...

.PHONY: test-coverage
test-coverage: ## Check that the packages a verdict depends on are covered by their own tests (COVER_MIN=95).
	@$(GO) test -cover $(PURE) | awk -v min=$(COVER_MIN) ' \
		{ print } \
		/^\t.*test\t/ { next } \
		/^(FAIL|---)/ || /coverage: 0\.0%/ || /no test files/ { bad = 1 } \
		match($$0, /coverage: [0-9.]+%/) { n++; if (substr($$0, RSTART + 10, RLENGTH - 11) + 0 < min) { bad = 1; print "  ^ less than " min "%" } } \
		END { exit bad || n == 0 }'

.PHONY: fuzz
fuzz: ## Run every fuzz target on FUZZTIME inputs (10000x).
	@set -e; found=; \
	for file in $$(grep -rlE --include='*_test.go' '^func Fuzz' api controllers internal | sort); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$file); do \
			found=1; echo "== $$file $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime $(FUZZMINIMIZETIME) ./$$(dirname $$file); \
		done; \
	done; \
	test -n "$$found" || { echo "no fuzz targets found" >&2; exit 1; }

.PHONY: test-bench
test-bench: ## Test the benchmarks, which are a module of their own.
	@$(WITH_TEST_CONTROLPLANE) cd bench && $(GO) vet -tags $(BENCH_TAGS) ./... && $(GO) test -tags $(BENCH_TAGS) ./...

.PHONY: test-engines
test-engines: ## Test the samples for other admission engines, in a module of their own.
	@cd test/engines && $(GO) vet ./... && $(GO) test -count 1 ./...

.PHONY: test-kstatus
test-kstatus: ## Test what kstatus makes of Images and TrustPolicies, in a module of its own.
	@$(WITH_CONTROLPLANE) cd test/kstatus && $(GO) vet ./... && $(GO) test -count 1 ./...

.PHONY: test-gitops
test-gitops: ## Test that Images stay in sync by the code of Argo CD and Flux, in a module of its own.
	@$(WITH_CONTROLPLANE) cd test/gitops && $(GO) vet ./... && $(GO) test -count 1 ./...

.PHONY: test-names
test-names: ## Test the canonical names of images against containerd's code, in a module of their own.
	@cd test/names && $(GO) vet ./... && $(GO) test ./...

.PHONY: test-monitoring
test-monitoring: ## Test the alerts and the dashboard with Prometheus's own code, in a module of their own.
	@$(WITH_CONTROLPLANE) cd test/monitoring && $(GO) vet ./... && $(GO) test -count 1 ./...

# What is not signed by skopeo is said in the output, which go test shows for -v alone.
.PHONY: test-registry
test-registry: ## Test import against registries of others, with skopeo and gpg where they are, in a module of its own.
	@$(WITH_CONTROLPLANE) cd test/registry && $(GO) vet ./... && $(GO) test -v -count 1 ./...

.PHONY: test-sigstore
test-sigstore: ## Compare the verification of sigstore bundles with that of sigstore-go, in a module of its own (ASSAY_DIFFERENTIAL_INPUTS=1000000).
	@cd test/sigstore && $(GO) vet ./... && $(GO) test -timeout 0 ./...

.PHONY: test-cosign
test-cosign: ## Verify and admit what cosign 3 and 2 sign, and run the commands of docs/from-cosign.md, in a module of its own.
	@$(WITH_TEST_CONTROLPLANE) cd test/cosign && $(GO) vet ./... && $(GO) test -count 1 -timeout 30m ./...

# One package after the other: they compile the same program, and the second finds it done.
# What is compiled is not known to the cache of test results, so that is not used.
.PHONY: test-image
test-image: ## Test the image, assembled and, where buildah is, built from the Dockerfile; and the SBOM.
	@cd hack/release && $(GO) vet ./... && $(GO) test -v -count 1 -p 1 -timeout 40m ./...

##@ Benchmarks

# Builds containers/image, with which Assay is compared, without C.
BENCH_TAGS := containers_image_openpgp

# Flags of a benchmark, such as -rounds and -block.
BENCH_FLAGS ?=

.PHONY: bench-verify
bench-verify: ## Compare the time of verification with containers/image, sigstore-go and bare crypto; figures of the first go to bench/out/verify.json.
	@cd bench && $(GO) run -tags $(BENCH_TAGS) ./verify $(BENCH_FLAGS)
	@$(MAKE) --no-print-directory bench-sigstore

# How often each is measured, and how long.
SIGSTORE_BENCH_FLAGS ?= -count 5 -benchtime 1s

.PHONY: bench-sigstore
bench-sigstore: ## Compare the time of bundles with sigstore-go and bare crypto, and measure the largest content (SIGSTORE_BENCH_FLAGS=).
	@cd test/sigstore && $(GO) test -run '^$$' -bench . $(SIGSTORE_BENCH_FLAGS) .
	@$(GO) test -run '^$$' -bench 'Authenticate|Largest' $(SIGSTORE_BENCH_FLAGS) ./internal/sigstore

.PHONY: bench-scale
bench-scale: ## Measure the operator with 10,000 images beside a bare client; figures go to bench/out/scale.json (ten minutes).
	@$(WITH_CONTROLPLANE) cd bench && $(GO) run ./scale $(BENCH_FLAGS)

.PHONY: bench-admission
bench-admission: ## Measure what admission costs, for allowlists of up to 50,000 images; figures go to bench/out/admission.json (five minutes).
	@$(WITH_CONTROLPLANE) cd bench && $(GO) run ./admission $(BENCH_FLAGS)

.PHONY: bench-import
bench-import: ## Measure discovery and import of 10,000 images from registries of which one limits requests and one is down; figures go to bench/out/import.json (ten minutes).
	@$(WITH_CONTROLPLANE) cd bench && $(GO) run ./import $(BENCH_FLAGS)

.PHONY: bench-rollout
bench-rollout: ## Measure how long a Deployment takes to get its Pod while Images and signatures come by themselves; figures go to bench/out/rollout.json (ten minutes).
	@$(WITH_TEST_CONTROLPLANE) cd bench && $(GO) run ./rollout $(BENCH_FLAGS)

##@ Deployment

.PHONY: install
install: ## Install the CRDs into the cluster of the current kubeconfig.
	$(KUBECTL) apply --server-side -k config/crd

.PHONY: uninstall
uninstall: ## Delete the CRDs, and with them every Image and TrustPolicy (ignore-not-found=true).
	$(KUBECTL) delete --ignore-not-found=$(ignore-not-found) -k config/crd

.PHONY: run
run: ## Run the operator on this machine against the cluster of the current kubeconfig, after `make install` (ARGS=--zap-devel).
	@$(KUBECTL) get namespace $(OPERATOR_NAMESPACE) >/dev/null 2>&1 || $(KUBECTL) create namespace $(OPERATOR_NAMESPACE)
	$(GO) run . manager --operator-namespace $(OPERATOR_NAMESPACE) $(ARGS)

.PHONY: deploy
deploy: ## Deploy the operator (IMG=registry.example.com/assay:v0.1.0, KUSTOMIZATION=config/default).
	$(BUILD_INSTALLER) | $(KUBECTL) apply --server-side -f -

# Admission goes first: its bindings refuse Pods for want of a list once the namespace is gone.
.PHONY: undeploy
undeploy: ## Delete what `make deploy` deployed, and with the CRDs every Image and TrustPolicy (ignore-not-found=true).
	$(KUBECTL) delete validatingadmissionpolicybindings,validatingadmissionpolicies -l app.kubernetes.io/part-of=assay,app.kubernetes.io/component=admission
	! $(KUBECTL) get mutatingadmissionpolicies >/dev/null 2>&1 || \
		$(KUBECTL) delete mutatingadmissionpolicybindings,mutatingadmissionpolicies -l app.kubernetes.io/part-of=assay,app.kubernetes.io/component=admission
	$(BUILD_INSTALLER) | $(KUBECTL) delete --ignore-not-found=$(ignore-not-found) -f -

.PHONY: build-installer
build-installer: ## Write config/default as one file, dist/install.yaml (IMG=, KUSTOMIZATION=).
	@mkdir -p dist
	@$(BUILD_INSTALLER) > dist/install.yaml.new
	@mv dist/install.yaml.new dist/install.yaml

##@ Release

# What the image is built for, separated by commas.
PLATFORMS ?= linux/$(shell $(GO) env GOARCH)

# The commit that the image's label names.
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)

.PHONY: image
image: ## Assemble the Dockerfile's image without a builder: dist/assay-image.tar, and the programs (PLATFORMS=linux/amd64).
	@$(GO) run -C hack/release ./image -root ../.. -version $(VERSION) -revision $(REVISION) -platforms $(PLATFORMS)

# The programs that `make image` leaves beside the image.
comma := ,
PROGRAMS = $(foreach platform,$(subst $(comma), ,$(PLATFORMS)),../../dist/assay-$(subst /,-,$(platform)))

.PHONY: sbom
sbom: image ## List the modules in the programs as CycloneDX, dist/assay.cdx.json.
	@$(GO) run -C hack/release ./sbom -version $(VERSION) $(PROGRAMS) > dist/assay.cdx.json.new
	@mv dist/assay.cdx.json.new dist/assay.cdx.json

.PHONY: release-notes
release-notes: ## Print what CHANGELOG.md says of VERSION.
	@awk -v heading="## [$(patsubst v%,%,$(VERSION))]" ' \
		/^## / { on = index($$0, heading) == 1; next } \
		on { print; if (NF) found = 1 } \
		END { if (!found) { print "CHANGELOG.md has nothing about " substr(heading, 4) > "/dev/stderr"; exit 1 } }' CHANGELOG.md

##@ Check

# Checksums before and after, and not git diff: this also works with uncommitted work.
GENERATED := find api config/crd/bases config/rbac/role.yaml docs/reference docs/verification.md -type f \
	\( -name 'zz_generated.*' -o -path 'config/*' -o -path 'docs/*' \) -exec cksum {} + | sort -k3

.PHONY: verify-generated
verify-generated: ## Fail if a generated file is not what `make generate` writes, and test what generates.
	@cd hack/reference && $(GO) vet ./... && $(GO) test ./...
	@before="$$($(GENERATED))" && $(MAKE) --no-print-directory generate && after="$$($(GENERATED))" && \
	if test "$$before" != "$$after"; then \
		git --no-pager diff --stat -- api config docs; \
		echo "generated files were out of date and are written anew: commit them" >&2; exit 1; \
	fi

.PHONY: fmt-check
fmt-check: ## Fail if Go code is not formatted.
	$(GOLANGCI_LINT) fmt --diff

.PHONY: lint
lint: ## Run the linters (.golangci.yml) over every module.
	$(GOLANGCI_LINT) run ./...
	cd bench && $(LINT_MODULE) --build-tags $(BENCH_TAGS) ./...
	set -e; for module in hack/reference hack/release test test/cosign test/engines test/gitops test/kstatus test/monitoring test/names test/registry test/sigstore; do \
		(cd $$module && $(LINT_MODULE) ./...); \
	done

.PHONY: lint-workflows
lint-workflows: ## Check the GitHub workflows, and that they run no action but pinned ones.
	$(TOOL) actionlint -shellcheck= -pyflakes=
	@$(GO) run ./hack/check-workflows

.PHONY: check-docs
check-docs: ## Check that the documents agree with the code: paths, flags, reasons, metrics, versions.
	@$(GO) run ./hack/check-docs

.PHONY: vet
vet: ## Run go vet.
	$(GO) vet ./...
	$(GO) vet -C test ./...

.PHONY: govulncheck
govulncheck: ## Look for known vulnerabilities that the code can reach. Needs the Go vulnerability database.
	$(TOOL) govulncheck $(if $(VULNDB),-db $(VULNDB)) ./...
