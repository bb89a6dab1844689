// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/assay-project/assay/internal/testenv/controlplane/assets"
)

// stopGrace is how long an interrupted go command may take to stop by itself.
const stopGrace = 10 * time.Second

// program is one thing to build.
type program struct {
	name    string // file name in the assets directory
	pkg     string // import path of its main package
	ldflags string
	// modules is the directory of the module that pins the program, below the repository. Empty is
	// that of the control plane.
	modules string
}

// strip leaves out symbol tables, which would double the size of the files.
const strip = "-s -w"

// programs lists the contents of a complete assets directory.
func programs(version string) []program {
	stamp := stampVersion(version)
	return []program{
		{name: assets.Etcd, pkg: "go.etcd.io/etcd/server/v3", ldflags: strip},
		{name: assets.APIServer, pkg: "k8s.io/kubernetes/cmd/kube-apiserver", ldflags: stamp},
		{name: assets.Kubectl, pkg: "k8s.io/kubernetes/cmd/kubectl", ldflags: stamp},
	}
}

func controllerManager(version string) program {
	return program{name: assets.ControllerManager, pkg: "k8s.io/kubernetes/cmd/kube-controller-manager", ldflags: stampVersion(version)}
}

// registry is distribution's, with a module of its own: the control plane and the registry do not
// decide on each other's dependencies.
func registry() program {
	return program{name: assets.Registry, pkg: "github.com/distribution/distribution/v3/cmd/registry", ldflags: strip, modules: "hack/registry"}
}

// cosign is the one that make test-cosign tests with.
func cosign() program {
	return program{name: assets.Cosign, pkg: "github.com/sigstore/cosign/v3/cmd/cosign", ldflags: strip, modules: "test/cosign"}
}

// stampVersion returns the ldflags of a Kubernetes program. A bare build calls itself
// v0.0.0-master, so it gets the version that the release process would stamp.
func stampVersion(version string) string {
	stamp := strip
	parts := strings.Split(version, ".")
	for _, kv := range []string{"gitVersion=v" + version, "gitMajor=" + parts[0], "gitMinor=" + parts[1], "gitTreeState=clean"} {
		stamp += " -X k8s.io/component-base/version." + kv
	}
	return stamp
}

// build compiles programs from their modules and moves them to target.
func (in *installer) build(ctx context.Context, target string, list []program) error {
	// The same file system as target's, so that a rename can move the result.
	work, err := os.MkdirTemp(filepath.Dir(target), ".assay-build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()

	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.name
	}
	in.log.printf("Building %s from source. This happens once; it takes", strings.Join(names, ", "))
	in.log.printf("%s on two cores, less with a warm Go build cache.", duration(list))
	for _, p := range list {
		modules, err := in.modulesOf(ctx, p, work)
		if err != nil {
			return err
		}
		if err := in.compile(ctx, modules, p, filepath.Join(work, p.name)); err != nil {
			return err
		}
	}
	if err := in.verify(ctx, work, names); err != nil {
		return fmt.Errorf("the programs built do not run: %w", err)
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	for _, p := range list {
		if err := os.Rename(filepath.Join(work, p.name), filepath.Join(target, p.name)); err != nil {
			return err
		}
	}
	in.log.printf("Installed in %s", target)
	return nil
}

// duration is how long it takes to build programs with a cold build cache.
func duration(list []program) string {
	for _, p := range list {
		if p.modules == "" {
			return "5 to 15 minutes"
		}
	}
	return "1 to 5 minutes"
}

// compile builds one program into the file out, and shows how far it is.
func (in *installer) compile(ctx context.Context, modules string, p program, out string) error {
	meter := &buildMeter{name: p.name}
	done := in.log.watch(meter.status)
	err := in.listPackages(ctx, modules, p, meter)
	if err == nil {
		err = in.runMetered(meter, in.goCommand(ctx, modules, "build", "-mod=readonly", "-buildvcs=false",
			"-v", "-ldflags", p.ldflags, "-o", out, p.pkg))
	}
	meter.finish(err)
	done()
	return err
}

// listPackages tells the meter which packages p consists of. It is also what
// downloads them.
func (in *installer) listPackages(ctx context.Context, modules string, p program, meter *buildMeter) error {
	list := in.goCommand(ctx, modules, "list", "-mod=readonly", "-deps", "-f", "{{.ImportPath}}", p.pkg)
	var stdout strings.Builder
	list.Stdout = &stdout
	if err := in.runMetered(meter, list); err != nil {
		return err
	}
	meter.setPackages(strings.Fields(stdout.String()))
	return nil
}

// runMetered runs a go command with its standard error feeding the meter. An error
// carries the command's own words and what to do.
func (in *installer) runMetered(meter *buildMeter, cmd *exec.Cmd) error {
	cmd.Stderr = meter
	err := cmd.Run()
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: go %s: %w\n%s\nThis needs the Go toolchain, a Go module proxy (go env GOPROXY), about 4 GB of memory and 6 GB of disk.\n"+
		"Alternatively set %s to a directory that holds etcd, kube-apiserver and kubectl", meter.name, cmd.Args[1], err, meter.complaints(), assets.EnvDir)
}

// goEnvironment is this process's environment without what would make go build
// something else: cgo, a workspace, a foreign platform, or a -mod flag that does not
// suit the pinned modules. Other GOFLAGS stay, so that the build cache is shared.
func goEnvironment() []string {
	var env, flags []string
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		switch name {
		case "CGO_ENABLED", "GOWORK", "GOOS", "GOARCH":
		case "GOFLAGS":
			for flag := range strings.FieldsSeq(value) {
				if flagName, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), "="); flagName != "mod" && flagName != "modfile" {
					flags = append(flags, flag)
				}
			}
		default:
			env = append(env, kv)
		}
	}
	// An explicit GOFLAGS also hides one set with `go env -w`.
	return append(env, "CGO_ENABLED=0", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH,
		"GOFLAGS="+strings.Join(flags, " "))
}

// stopGently makes the end of a command's context an interrupt, upon which go
// removes its temporary files, and kills it after a grace period.
func stopGently(cmd *exec.Cmd) {
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = stopGrace
}
