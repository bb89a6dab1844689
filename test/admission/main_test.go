// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admission tests the policies of config/admission in a real API server.
package admission

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/kustomize"
	"github.com/assay-project/assay/internal/testenv/manager"
)

const (
	operatorNamespace = "assay-system"
	managerAccount    = "system:serviceaccount:assay-system:assay-controller-manager"
)

var (
	cp *controlplane.ControlPlane
	// admin is in the group system:masters, for which every authorizer check is true.
	admin client.Client
	// editor may do with Pods, ConfigMaps and Images what RBAC can allow, and no more.
	editor *user
	// operator is the account of the operator.
	operator *user

	scheme   = runtime.NewScheme()
	auditLog string
	// program is the assay command.
	program string
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// run runs the tests against an API server on which config/default is installed with the component enforce.
func run(m *testing.M) (code int, err error) {
	log.SetLogger(logr.Discard())
	dir, err := os.MkdirTemp("", "assay-admission-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	auditLog, program = filepath.Join(dir, "audit.log"), filepath.Join(dir, "assay")
	ctx := context.Background()
	root, err := manager.Root(ctx)
	if err != nil {
		return 0, err
	}
	if err := manager.Build(ctx, root, program); err != nil {
		return 0, err
	}
	if cp, err = controlplane.Start(ctx, controlplane.Options{AuditLog: auditLog}); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, cp.Stop()) }()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), imagev1.AddToScheme(scheme), assayv1alpha1.AddToScheme(scheme)); err != nil {
		return 0, err
	}
	if admin, err = client.New(cp.Config(), client.Options{Scheme: scheme}); err != nil {
		return 0, err
	}
	if err := install(ctx, "enforce"); err != nil {
		return 0, err
	}
	if err := makeUsers(ctx); err != nil {
		return 0, err
	}
	if err := awaitIntegrity(ctx); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// awaitIntegrity returns when the API server acts on the policy image-integrity, of which
// it learns from a watch: when it refuses a forged verdict.
func awaitIntegrity(ctx context.Context) error {
	return wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, settleTimeout, true, func(ctx context.Context) (bool, error) {
		image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: "forged"}, Signatures: []imagev1.ImageSignature{{
			Type: imagev1.SignatureTypeAtomic, Content: []byte("forged"), ImageIdentity: "registry.example.com/forged:v1",
		}}}
		err := create(ctx, image)
		return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "images/verdict"), nil
	})
}

// install applies one of the kustomizations in testdata.
func install(ctx context.Context, mode string) error {
	applier, err := kustomize.NewApplier(cp.Config(), "test")
	if err != nil {
		return err
	}
	objects, err := kustomize.Build("testdata/" + mode)
	if err != nil {
		return err
	}
	return applier.Apply(ctx, objects)
}

func makeUsers(ctx context.Context) error {
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "cluster-editor"},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"", "apps", "batch"}, Resources: []string{"*"}, Verbs: []string{"*"}},
			{APIGroups: []string{"image.openshift.io"}, Resources: []string{"images", "images/status"}, Verbs: []string{"*"}},
		},
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "cluster-editor"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-editor"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "editor"}},
	}
	if err := errors.Join(admin.Create(ctx, role), admin.Create(ctx, binding)); err != nil {
		return err
	}
	config, err := cp.ConfigForUser("editor")
	if err != nil {
		return err
	}
	if editor, err = newUser(config); err != nil {
		return err
	}
	// With the account's groups, which a certificate can state as a token does.
	config, err = cp.ConfigForUser(managerAccount, "system:serviceaccounts", "system:serviceaccounts:"+operatorNamespace)
	if err != nil {
		return err
	}
	operator, err = newUser(config)
	return err
}

// user is a client that remembers the warnings that it gets.
type user struct {
	client.Client
	warnings *warnings
}

func newUser(config *rest.Config) (*user, error) {
	w := &warnings{}
	config.WarningHandler = w
	c, err := client.New(config, client.Options{Scheme: scheme})
	return &user{c, w}, err
}
