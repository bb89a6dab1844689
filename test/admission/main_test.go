// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admission tests the policies of config/admission in a real API server.
package admission

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/testenv"
	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/test/admission/shards"
	"github.com/assay-project/assay/test/kustomize"
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

	scheme   *runtime.Scheme
	auditLog string
	// program is the assay command.
	program string
)

// TestMain runs the tests against an API server with config/default and the component enforce
// installed.
func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{Install: kustomize.Installer("testdata/enforce"), AuditLog: true, Program: true}, setupSuite)
}

func setupSuite(ctx context.Context, env *testenv.Env) (err error) {
	cp, auditLog, program = env.ControlPlane, env.AuditLog, env.Program
	if scheme, err = testenv.NewScheme(); err != nil {
		return err
	}
	if admin, err = client.New(cp.Config(), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	for _, object := range shards.Fence(operatorNamespace) {
		if err := admin.Create(ctx, object); err != nil {
			return err
		}
	}
	if err := makeUsers(ctx); err != nil {
		return err
	}
	return awaitIntegrity(ctx)
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
	_, err := kustomize.Install(ctx, cp.Config(), "testdata/"+mode)
	return err
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
