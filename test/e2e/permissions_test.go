// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/apiserverstatus"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// askedByPolicies are permissions for resources that do not exist. No request needs them: policies
// ask the authorizer for them, and RBAC for what the operator grants.
var askedByPolicies = []permission{
	{"assay-manager-role", "update", "image.openshift.io", "images/verdict", "", ""},
	{"assay-manager-role", "update", "assay.dev", "allowlists", "", manager.Namespace},
	{"assay-manager-role", "use", "assay.dev", "allowlists", "", manager.Namespace},
}

// TestLeastPrivilege exercises the whole operator and compares its requests with the permissions of
// its account.
func TestLeastPrivilege(t *testing.T) {
	s := newScenario(t, shared, "privilege")
	before := len(shared.requestsOfManager(t))
	exercise(s)

	permissions := permissionsOf(t, shared.installed, manager.Namespace, manager.ServiceAccount)
	requests := shared.requestsOfManager(t)[before:]
	for _, r := range forbidden(requests) {
		t.Errorf("forbidden: %s", r)
	}
	virtual := func(p permission) bool { return slices.Contains(askedByPolicies, p) }
	if n := len(slices.Collect(filter(permissions, virtual))); n != len(askedByPolicies) {
		t.Errorf("%d permissions that policies ask for, want %d", n, len(askedByPolicies))
	}
	for _, p := range unused(slices.DeleteFunc(permissions, virtual), requests) {
		t.Errorf("unused: %s", p)
	}
	for _, r := range requests {
		if (r.resource == "secrets" || r.resource == "configmaps") && r.namespace != manager.Namespace {
			t.Errorf("%s, which is not the operator's namespace", r)
		}
	}
	for _, namespace := range []string{"", "default", "kube-system"} {
		for _, verb := range []string{"get", "list", "watch"} {
			if mayRead(t, verb, namespace) {
				t.Errorf("the operator may %s Secrets in namespace %q", verb, namespace)
			}
		}
	}
}

func filter[T any](list []T, keep func(T) bool) func(yield func(T) bool) {
	return func(yield func(T) bool) {
		for _, item := range list {
			if keep(item) && !yield(item) {
				return
			}
		}
	}
}

func mayRead(t *testing.T, verb, namespace string) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               managerUser,
		Groups:             []string{"system:serviceaccounts", "system:serviceaccounts:" + manager.Namespace, "system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: "secrets", Namespace: namespace},
	}}
	if err := shared.admin.Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

// exercise runs two replicas through everything that the operator does.
func exercise(s *scenario) {
	s.Helper()
	metrics := fixture.FreeAddress(s.T)
	// An API server that does not stream lists makes the client list.
	s.Setenv("KUBE_FEATURE_WatchListClient", "false")
	s.createEndpointSlice()
	s.startManager("--leader-elect", "--metrics-bind-address="+metrics, "--apiserver-check-interval=5s", allowLoopback)
	s.create(s.image("good", release), s.image("bad", stranger), s.image("bare"))
	s.awaitReason("good", assayv1alpha1.ReasonVerified)
	s.awaitReason("bad", assayv1alpha1.ReasonUntrustedKey)
	s.awaitReason("bare", assayv1alpha1.ReasonNoSignatures)
	s.awaitListed("good", true)
	s.awaitScraped(metrics)

	r := s.importImage("fetched")
	s.awaitReason("fetched", assayv1alpha1.ReasonVerified)
	s.deployImported(r)

	s.setKey(fixture.RevokedKey(release))
	s.awaitReason("good", assayv1alpha1.ReasonKeyRevoked)
	s.awaitListed("good", false)
	s.setKey(fixture.PublicKey(release))
	s.awaitReason("good", assayv1alpha1.ReasonVerified)
	s.awaitListed("good", true)
	// Stray shards of another set are deleted.
	stray := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: manager.Namespace, Name: allowlist.Name(2, 1)},
		Data:       map[string]string{"format": "1"},
	}
	s.create(stray)
	s.eventually("the stray shard to be gone", func(ctx context.Context) (bool, string) {
		err := s.admin.Get(ctx, client.ObjectKeyFromObject(stray), stray)
		return client.IgnoreNotFound(err) == nil && err != nil, fmt.Sprint(err)
	})
	s.discover()
	s.breakFence()
	// A deleted Image is removed from the allowlist.
	if err := s.admin.Delete(s.Context(), s.image("good")); err != nil {
		s.Fatal(err)
	}
	s.awaitListed("good", false)
	s.awaitAPIServers(s.Kubeconfig(), apiserverstatus.Unknown)
	s.Setenv("KUBE_FEATURE_WatchListClient", "true")
	probes := fixture.FreeAddress(s.T)
	s.startManager("--leader-elect", "--health-probe-bind-address="+probes)
	s.eventually("the second replica to be ready", func(ctx context.Context) (bool, string) {
		status, err := get(ctx, http.DefaultClient, "http://"+probes+"/readyz", "")
		return status == http.StatusOK, fmt.Sprint(status, err)
	})
}

// awaitScraped waits until the metrics are served, and requests them as several users.
func (s *scenario) awaitScraped(address string) {
	s.Helper()
	scraper := insecureClient()
	url := "https://" + address + "/metrics"
	s.eventually("the metrics endpoint", func(ctx context.Context) (bool, string) {
		status, err := get(ctx, scraper, url, "")
		return err == nil, fmt.Sprint(status, err)
	})
	nobody, reader := s.token("nobody"), s.token("reader")
	s.create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: s.name + "-reader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "assay-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "default", Name: "reader"}},
	})
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"without a token":             {"", http.StatusUnauthorized},
		"with a token of nobody's":    {"forged", http.StatusUnauthorized},
		"without the permission":      {nobody, http.StatusForbidden},
		"bound to the metrics reader": {reader, http.StatusOK},
	} {
		// The API server takes a moment to see the binding.
		s.eventually(name, func(ctx context.Context) (bool, string) {
			status, err := get(ctx, scraper, url, c.token)
			return status == c.want, fmt.Sprint(status, err)
		})
	}
}

// TestPermissionsOfPolicies removes each of these permissions and checks that the policy refuses
// the operator's writes.
func TestPermissionsOfPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		role     client.Object
		resource string // Of the permission.
		refused  string // Resource whose writes need it.
	}{
		"verdicts":      {&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "assay-manager-role"}}, "images/verdict", "images"},
		"the allowlist": {&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: manager.Namespace, Name: "assay-manager-role"}}, "allowlists", "configmaps"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScenario(t, shared, "policies-ask-"+c.refused)
			s.startManager()
			s.create(s.image("before", release))
			s.awaitListed("before", true)
			restore := s.withhold(c.role, c.resource)
			before := len(shared.requestsOfManager(t))
			// Writes succeed until the API server sees the change.
			s.eventually("a write to be refused", func(context.Context) (bool, string) {
				s.create(s.image(fmt.Sprint("after-", time.Now().UnixNano()), release))
				requests := shared.requestsOfManager(t)[before:]
				refused := slices.ContainsFunc(requests, func(r request) bool {
					return r.status == http.StatusForbidden && r.resource == c.refused && r.verb != "get"
				})
				return refused, fmt.Sprintf("%d requests", len(requests))
			})
			restore()
			s.create(s.image("last", release))
			s.awaitReason("last", assayv1alpha1.ReasonVerified)
			s.awaitListed("last", true)
		})
	}
}

// deployImported deploys an image whose signature is in a registry, with a pull secret of its own,
// which is no business of the operator's.
func (s *scenario) deployImported(r *importRegistry) {
	s.Helper()
	d := s.digest("deployed")
	pull := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: s.name + "-pull"}, Type: corev1.SecretTypeDockerConfigJson,
		StringData: map[string]string{corev1.DockerConfigJsonKey: `{"auths":{}}`},
	}
	labels := map[string]string{"app": s.name + "-imported"}
	web := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: s.name + "-imported"},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec: corev1.PodSpec{
				ImagePullSecrets: []corev1.LocalObjectReference{{Name: pull.Name}},
				Containers:       []corev1.Container{{Name: "web", Image: r.host() + "/imported@" + d.String()}},
			},
		}},
	}
	s.create(pull, web)
	s.eventually("the deployed image to be verified", func(ctx context.Context) (bool, string) {
		var image imagev1.Image
		err := s.admin.Get(ctx, client.ObjectKey{Name: "sha256-" + d.Encoded()}, &image)
		return err == nil && image.Status.Reason == assayv1alpha1.ReasonVerified, fmt.Sprint(image.Status.Reason, err)
	})
	var config assayv1alpha1.RegistryConfig
	s.eventually("the counts of the RegistryConfig", func(ctx context.Context) (bool, string) {
		err := s.admin.Get(ctx, client.ObjectKey{Name: s.name}, &config)
		return err == nil && config.Status.Images != nil && config.Status.Images.Imported == 2, fmt.Sprintf("%+v, %v", config.Status.Images, err)
	})
}

// discover has the operator make an Image for a workload, and delete one that no workload has used
// for long.
func (s *scenario) discover() {
	s.Helper()
	labels := map[string]string{"app": s.name}
	web := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: s.name},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "web", Image: s.repository() + "@" + s.digest("web").String()}},
			}},
		},
	}
	s.create(web)
	key := client.ObjectKey{Name: "sha256-" + s.digest("web").Encoded()}
	image := &imagev1.Image{}
	s.eventually("the workload's Image", func(ctx context.Context) (bool, string) {
		err := s.admin.Get(ctx, key, image)
		return err == nil && image.Status.Reason == assayv1alpha1.ReasonSignaturesUnavailable, fmt.Sprint(err, image.Status.Reason)
	})
	if err := s.admin.Delete(s.Context(), web); err != nil {
		s.Fatal(err)
	}
	s.eventually("the unused Image to be gone", func(ctx context.Context) (bool, string) {
		patch := client.RawPatch(types.MergePatchType, []byte(`{"status":{"unusedSince":"2020-01-01T00:00:00Z"}}`))
		err := s.admin.Status().Patch(ctx, image, patch)
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
}
