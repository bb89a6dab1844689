// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package recipe_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/hack/release/recipe"
)

const dockerfile = `ARG BUILDER=golang:1
ARG BASE=scratch
FROM ${BUILDER} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY internal/ internal/
ARG TARGETARCH
ARG VERSION=unknown
RUN CGO_ENABLED=0 GOARCH=${TARGETARCH} \
    go build -trimpath \
    -ldflags "-s -X main.version=${VERSION}" -o /program .
FROM ${BASE}
ARG VERSION=unknown
LABEL title="a program" version="${VERSION}"
COPY --from=build /program /bin/program
COPY LICENSE /licenses/LICENSE
USER 65532:65532
ENTRYPOINT ["/bin/program"]
`

func TestRead(t *testing.T) {
	got, err := recipe.Read(strings.NewReader(dockerfile), recipe.Args{"TARGETARCH": "arm64", "VERSION": "v1 rc"})
	if err != nil {
		t.Fatal(err)
	}
	want := &recipe.Recipe{
		Compile: recipe.Compile{
			Env:    []string{"CGO_ENABLED=0", "GOARCH=arm64"},
			Args:   []string{"build", "-trimpath", "-ldflags", "-s -X main.version=v1 rc", "."},
			Output: "/program",
		},
		Context: []string{"go.mod", "go.sum", "internal/"},
		Files: []recipe.File{
			{Built: true, Source: "/program", Target: "/bin/program"},
			{Source: "LICENSE", Target: "/licenses/LICENSE"},
		},
		Labels:     map[string]string{"title": "a program", "version": "v1 rc"},
		User:       "65532:65532",
		Entrypoint: []string{"/bin/program"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("recipe (-want +got):\n%s", diff)
	}
}

func TestReadDefaults(t *testing.T) {
	got, err := recipe.Read(strings.NewReader(dockerfile), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Labels["version"] != "unknown" {
		t.Errorf("version %q, want the default", got.Labels["version"])
	}
}

// What would make another image than a builder's is refused.
func TestReadRefuses(t *testing.T) {
	tests := map[string]struct{ old, new, want string }{
		"another base":             {"ARG BASE=scratch", "ARG BASE=alpine", "based on alpine"},
		"an unknown instruction":   {"USER 65532:65532", "USER 65532:65532\nVOLUME /data", "VOLUME is not understood"},
		"one that compiles":        {"WORKDIR /src", "ENV GOFLAGS=-mod=mod", "ENV is not understood"},
		"a shell's entrypoint":     {`["/bin/program"]`, "/bin/program", "no shell"},
		"no user":                  {"USER 65532:65532\n", "", "USER and an ENTRYPOINT"},
		"another program":          {"--from=build /program", "--from=build /other", "not compiled"},
		"another stage":            {"--from=build /program", "--from=golang:1 /program", "not compiled"},
		"another owner":            {"COPY LICENSE", "COPY --chown=1 LICENSE", "copied as it is"},
		"two files in a layer":     {"COPY LICENSE", "COPY NOTICE LICENSE", "copied as it is"},
		"another command":          {"RUN go mod download", "RUN apk add git", "does not run go"},
		"another command of go":    {"RUN go mod download", "RUN go generate", "go generate is not understood"},
		"an assignment alone":      {"RUN go mod download", "RUN A=1", "does not run go"},
		"go alone":                 {"RUN go mod download", "RUN go", "does not run go"},
		"nothing compiled":         {"go build -trimpath", "go mod download #", "is not understood"},
		"no output":                {"-o /program .", ".", "without -o"},
		"an output without a name": {"-o /program .", ". -o", "without -o"},
		"two programs":             {"RUN go mod download", "RUN go build -o /a .", "two programs"},
		"a third stage":            {"FROM ${BASE}", "FROM scratch\nFROM ${BASE}", "3 stages"},
		"no instruction at all":    {dockerfile, "", "no instructions"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(dockerfile, test.old) {
				t.Fatalf("the Dockerfile has no %q", test.old)
			}
			_, err := recipe.Read(strings.NewReader(strings.Replace(dockerfile, test.old, test.new, 1)), nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}
