// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package dependencies checks which modules the product needs.
package dependencies

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// root is the product's module as seen from here.
const root = "../.."

// notLinked are modules of API servers and clients that have been linked into the operator before,
// by way of packages that have an alternative.
var notLinked = []string{
	"cel.dev/expr", "github.com/google/cel-go", "go.opentelemetry.io/otel", "google.golang.org/grpc", "k8s.io/apiserver",
	"k8s.io/cli-runtime", "sigs.k8s.io/kustomize/api", "sigs.k8s.io/kustomize/kyaml",
}

// onlyTested are the modules that only tests in the product's module import. Code that needs others
// belongs into the module of test or one of its own.
var onlyTested = []string{"github.com/google/go-cmp"}

// goCommand runs go in the product's module and returns its output.
func goCommand(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

// linked returns the modules of the packages that are linked into the operator.
func linked(t *testing.T) []string {
	t.Helper()
	modules := strings.Fields(string(goCommand(t, "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".")))
	slices.Sort(modules)
	modules = slices.Compact(modules)
	if !slices.Contains(modules, "sigs.k8s.io/controller-runtime") {
		t.Fatalf("the operator has the modules %v, which lack controller-runtime", modules)
	}
	return modules
}

func TestLinked(t *testing.T) {
	modules := linked(t)
	for _, module := range notLinked {
		if slices.Contains(modules, module) {
			t.Errorf("%s is linked into the operator", module)
		}
	}
}

// TestRequirements: go.mod requires directly what the operator is linked from, and what its unit
// tests need.
func TestRequirements(t *testing.T) {
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(goCommand(t, "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	if len(mod.Require) == 0 {
		t.Fatal("go.mod requires nothing")
	}
	modules := linked(t)
	for _, require := range mod.Require {
		if !require.Indirect && !slices.Contains(modules, require.Path) && !slices.Contains(onlyTested, require.Path) {
			t.Errorf("go.mod requires %s, which the operator does not need", require.Path)
		}
	}
}
