// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// runner is a test run with a fixed exit code.
type runner struct {
	code int
	run  func()
}

func (r runner) Run() int {
	if r.run != nil {
		r.run()
	}
	return r.code
}

func TestRun(t *testing.T) {
	broken := errors.New("broken")
	fails := func(context.Context, *Env) error { return broken }
	failsAtTheEnd := func(_ context.Context, env *Env) error {
		env.Cleanup(func() error { return broken })
		return nil
	}
	tests := map[string]struct {
		code  int
		setup func(context.Context, *Env) error
		want  int
		err   error
	}{
		"passed":                {0, nil, 0, nil},
		"failed":                {1, nil, 1, nil},
		"another exit code":     {2, nil, 2, nil},
		"setup fails":           {0, fails, 1, broken},
		"cleanup fails":         {0, failsAtTheEnd, 1, broken},
		"failed, cleanup fails": {2, failsAtTheEnd, 1, broken},
	}
	for name, test := range tests {
		setup := []func(context.Context, *Env) error{}
		if test.setup != nil {
			setup = append(setup, test.setup)
		}
		if code, err := run(t.Context(), runner{code: test.code}, Options{}, setup); code != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: exit code %d and error %v, want %d and %v", name, code, err, test.want, test.err)
		}
	}
}

// TestCleanup: cleanups run in reverse order after the tests, all of them, and the directory is
// removed last.
func TestCleanup(t *testing.T) {
	var steps []string
	var dir string
	step := func(name string) func() error {
		return func() error {
			if _, err := os.Stat(dir); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			steps = append(steps, name)
			return errors.New(name)
		}
	}
	setup := func(_ context.Context, env *Env) error {
		dir = env.Dir
		env.Cleanup(step("first"))
		env.Cleanup(step("second"))
		return nil
	}
	code, err := run(t.Context(), runner{run: func() { _ = step("tests")() }}, Options{}, []func(context.Context, *Env) error{setup})
	if want := []string{"tests", "second", "first"}; !slices.Equal(steps, want) || code != 1 || err == nil {
		t.Errorf("steps %v, exit code %d, error %v; want %v", steps, code, err, want)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory is left: %v", err)
	}
}

// TestEnvironment starts everything at once.
func TestEnvironment(t *testing.T) {
	var config *rest.Config
	tests := func(ctx context.Context, env *Env) error {
		for _, file := range []string{env.Program, env.AuditLog} {
			if info, err := os.Stat(file); err != nil || info.Size() == 0 {
				t.Errorf("%s: %v", file, err)
			}
		}
		if len(env.Installed) != 1 {
			t.Errorf("%d objects are installed, want 1", len(env.Installed))
		}
		config = env.ControlPlane.Config()
		client, err := NewClient(config)
		if err != nil {
			return err
		}
		return errors.Join(client.List(ctx, &imagev1.ImageList{}), client.Get(ctx, types.NamespacedName{Name: "platform"}, &assayv1alpha1.TrustPolicy{}))
	}
	install := func(ctx context.Context, config *rest.Config) ([]*unstructured.Unstructured, error) {
		policy, err := ReadObject(filepath.Join("..", "..", "config", "samples", "policies", "platform.yaml"))
		if err != nil {
			return nil, err
		}
		objects := []*unstructured.Unstructured{policy}
		return objects, Apply(ctx, config, objects)
	}
	options := Options{CRDs: filepath.Join("..", "..", "config", "crd", "bases"), Install: install, AuditLog: true, Program: true}
	if code, err := run(t.Context(), runner{}, options, []func(context.Context, *Env) error{tests}); code != 0 || err != nil {
		t.Fatalf("exit code %d, error %v", code, err)
	}
	client, err := NewClient(config)
	if err == nil {
		err = client.List(t.Context(), &imagev1.ImageList{})
	}
	if err == nil || apierrors.ReasonForError(err) != "" {
		t.Errorf("the API server still answers: %v", err)
	}
}

func TestNothingInstalled(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	install := func(context.Context, *rest.Config) ([]*unstructured.Unstructured, error) {
		return nil, errors.New("broken")
	}
	for name, options := range map[string]Options{"CRDs": {CRDs: missing}, "objects": {Install: install}} {
		ran := false
		if code, err := run(t.Context(), runner{run: func() { ran = true }}, options, nil); code != 1 || err == nil || ran {
			t.Errorf("%s: exit code %d, error %v, tests ran: %t", name, code, err, ran)
		}
	}
}
