// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package testenv sets up the environment that the tests of a package share: a control plane,
// Assay's custom resource definitions or other objects, and the assay command.
//
//	func TestMain(m *testing.M) {
//		testenv.Main(m, testenv.Options{CRDs: "../../config/crd/bases"}, setUp)
//	}
//
//	func setUp(ctx context.Context, env *testenv.Env) error {
//		admin = env.ControlPlane.Config()
//		return nil
//	}
//
// The packages below it hold the parts, for tests that need a control plane or manager of their
// own, and for the demo and benchmarks.
package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/applier"
	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// FieldManager owns the fields that Apply sets.
const FieldManager = "test"

// Options selects the parts of an environment. The zero value has a directory only.
type Options struct {
	// ControlPlane starts a control plane. CRDs and Install imply it.
	ControlPlane bool
	// CRDs is a directory of custom resource definitions to install.
	CRDs string
	// Install installs objects and returns them, for example those of config/default.
	Install func(context.Context, *rest.Config) ([]*unstructured.Unstructured, error)
	// EtcdSocket is that of controlplane.Options.
	EtcdSocket func(etcd string) (string, error)
	// AuditLog has the control plane write an audit log.
	AuditLog bool
	// Program builds the assay command.
	Program bool
}

// Env is a running environment.
type Env struct {
	// Dir is a temporary directory, removed at the end.
	Dir string
	// ControlPlane is nil unless Options asks for one.
	ControlPlane *controlplane.ControlPlane
	// AuditLog is the path of the audit log, empty unless Options asks for it.
	AuditLog string
	// Installed are the objects that Options.Install has returned.
	Installed []*unstructured.Unstructured
	// Program is the path of the assay command, empty unless Options asks for it.
	Program string

	cleanups []func() error
}

// Cleanup registers a function that runs after the tests. The last one registered runs first. An
// error fails the test run.
func (e *Env) Cleanup(f func() error) { e.cleanups = append(e.cleanups, f) }

// Runner runs the tests of a package, as *testing.M does.
type Runner interface{ Run() int }

// Main runs the tests of a package in an environment and exits the process. Each setup function
// runs once the environment is up. An error in the environment, a setup function or a cleanup is
// printed and makes the exit code 1.
func Main(m Runner, options Options, setup ...func(context.Context, *Env) error) {
	code, err := run(context.Background(), m, options, setup)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func run(ctx context.Context, m Runner, options Options, setup []func(context.Context, *Env) error) (code int, err error) {
	log.SetLogger(logr.Discard())
	env := &Env{}
	defer func() {
		for len(env.cleanups) > 0 {
			last := len(env.cleanups) - 1
			f := env.cleanups[last]
			env.cleanups = env.cleanups[:last]
			err = errors.Join(err, f())
		}
		if err != nil {
			code = 1
		}
	}()
	if err := env.start(ctx, options); err != nil {
		return 1, err
	}
	for _, f := range setup {
		if err := f(ctx, env); err != nil {
			return 1, err
		}
	}
	return m.Run(), nil
}

// start starts the parts that options selects. Cleanups undo what has been started, also after an
// error.
func (e *Env) start(ctx context.Context, options Options) (err error) {
	if e.Dir, err = os.MkdirTemp("", "assay-test-"); err != nil {
		return err
	}
	e.Cleanup(func() error { return os.RemoveAll(e.Dir) })
	if options.Program {
		if err := e.build(ctx); err != nil {
			return err
		}
	}
	if !options.ControlPlane && options.CRDs == "" && options.Install == nil {
		return nil
	}
	if options.AuditLog {
		e.AuditLog = filepath.Join(e.Dir, "audit.log")
	}
	if e.ControlPlane, err = controlplane.Start(ctx, controlplane.Options{AuditLog: e.AuditLog, EtcdSocket: options.EtcdSocket}); err != nil {
		return err
	}
	e.Cleanup(e.ControlPlane.Stop)
	if options.CRDs != "" {
		if err := installCRDs(ctx, e.ControlPlane.Config(), options.CRDs); err != nil {
			return err
		}
	}
	if options.Install != nil {
		e.Installed, err = options.Install(ctx, e.ControlPlane.Config())
	}
	return err
}

func (e *Env) build(ctx context.Context) error {
	root, err := manager.Root(ctx)
	if err != nil {
		return err
	}
	e.Program = filepath.Join(e.Dir, "assay")
	return manager.Build(ctx, root, e.Program)
}

// installCRDs installs the custom resource definitions in a directory. The API server does not serve
// a definition that exceeds its budget for CEL.
func installCRDs(ctx context.Context, config *rest.Config, directory string) error {
	files, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no custom resource definitions", directory)
	}
	objects := make([]*unstructured.Unstructured, len(files))
	for i, file := range files {
		if objects[i], err = ReadObject(file); err != nil {
			return err
		}
	}
	return Apply(ctx, config, objects)
}

// ReadObject reads a YAML file with one object.
func ReadObject(file string) (*unstructured.Unstructured, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if data, err = yaml.YAMLToJSONStrict(data); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return object, nil
}

// Apply applies objects in their order as FieldManager.
func Apply(ctx context.Context, config *rest.Config, objects []*unstructured.Unstructured) error {
	a, err := applier.New(config, FieldManager)
	if err != nil {
		return err
	}
	return a.Apply(ctx, objects)
}

// NewScheme returns a scheme with Kubernetes' and Assay's types.
func NewScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	return scheme, errors.Join(clientgoscheme.AddToScheme(scheme), imagev1.AddToScheme(scheme), assayv1alpha1.AddToScheme(scheme))
}

// NewClient returns a client without a cache, with the scheme of NewScheme.
func NewClient(config *rest.Config) (client.WithWatch, error) {
	scheme, err := NewScheme()
	if err != nil {
		return nil, err
	}
	return client.NewWithWatch(config, client.Options{Scheme: scheme})
}
