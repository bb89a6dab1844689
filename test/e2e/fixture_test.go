// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/allowlist"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// The signers. Their keys derive from the name.
var (
	release  = fixture.Key("release")
	stranger = fixture.Key("stranger")
)

// scenario is one test with a policy that reads a key from a Secret, and another from a ConfigMap.
type scenario struct {
	*testing.T
	*cluster
	name   string
	secret *corev1.Secret
}

func newScenario(t *testing.T, c *cluster, name string) *scenario {
	t.Helper()
	s := &scenario{T: t, cluster: c, name: name}
	objectMeta := metav1.ObjectMeta{Namespace: manager.Namespace, Name: name}
	s.secret = &corev1.Secret{ObjectMeta: objectMeta, Data: map[string][]byte{"release.asc": fixture.PublicKey(release)}}
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	policy.Spec.Scopes = []assayv1alpha1.Scope{assayv1alpha1.Scope(s.repository())}
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{
		{Name: "release", SecretRef: &assayv1alpha1.KeySourceRef{Name: name}},
		{Name: "audit", ConfigMapRef: &assayv1alpha1.KeySourceRef{Name: name}},
	}
	audit := &corev1.ConfigMap{ObjectMeta: objectMeta, Data: map[string]string{"audit.asc": string(fixture.PublicKey(fixture.Key("audit")))}}
	s.create(s.secret, audit, policy)
	return s
}

func (s *scenario) repository() string { return "registry.example.com/" + s.name }

func (s *scenario) create(objects ...client.Object) {
	s.Helper()
	for _, obj := range objects {
		if err := s.admin.Create(s.Context(), obj); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *scenario) digest(name string) digest.Digest { return digest.FromString(s.name + name) }

// image returns an Image with signatures by the keys.
func (s *scenario) image(name string, keys ...*pgp.Key) *imagev1.Image {
	d := s.digest(name)
	image := &imagev1.Image{
		ObjectMeta:           metav1.ObjectMeta{Name: s.name + "-" + name},
		DockerImageReference: s.repository() + "@" + d.String(),
	}
	for _, key := range keys {
		image.Signatures = append(image.Signatures, fixture.Signature(s.repository(), d, key))
	}
	return image
}

// setKey replaces the key file of the release key.
func (s *scenario) setKey(data []byte) {
	s.Helper()
	s.secret.Data = map[string][]byte{"release.asc": data}
	if err := s.admin.Update(s.Context(), s.secret); err != nil {
		s.Fatal(err)
	}
}

// startManager runs the manager until the end of the test or earlier.
func (s *scenario) startManager(args ...string) *manager.Manager {
	s.Helper()
	return fixture.StartManager(s.T, program, s.kubeconfig, args...)
}

func (s *scenario) eventually(what string, holds func(context.Context) (bool, string)) {
	s.Helper()
	fixture.Eventually(s.T, what, holds)
}

// awaitReason waits until the verdict on an image has a reason.
func (s *scenario) awaitReason(name, reason string) {
	s.Helper()
	s.eventually(name+" to be "+reason, func(ctx context.Context) (bool, string) {
		var image imagev1.Image
		if err := s.admin.Get(ctx, client.ObjectKey{Name: s.name + "-" + name}, &image); err != nil {
			return false, err.Error()
		}
		c := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.VerifiedCondition)
		return c != nil && c.Reason == reason, fmt.Sprintf("%+v", c)
	})
}

// awaitListed waits until an image is in the allowlist or not.
func (s *scenario) awaitListed(name string, want bool) {
	s.Helper()
	line := "\n" + s.repository() + "@" + s.digest(name).String() + "\n"
	s.eventually(fmt.Sprintf("%s on the allowlist: %v", name, want), func(ctx context.Context) (bool, string) {
		var shards corev1.ConfigMapList
		err := s.admin.List(ctx, &shards, client.InNamespace(manager.Namespace), client.MatchingLabels{allowlist.Label: allowlist.LabelValue})
		if err != nil {
			return false, err.Error()
		}
		listed := slices.ContainsFunc(shards.Items, func(shard corev1.ConfigMap) bool {
			for _, text := range shard.Data {
				if strings.Contains(text, line) {
					return true
				}
			}
			return false
		})
		return len(shards.Items) > 0 && listed == want, fmt.Sprintf("%d shards, listed: %v", len(shards.Items), listed)
	})
}

// withhold removes the permission for a resource from a role. The returned function, or the end of
// the test, restores it.
func (s *scenario) withhold(role client.Object, resource string) (restore func()) {
	s.Helper()
	if err := s.admin.Get(s.Context(), client.ObjectKeyFromObject(role), role); err != nil {
		s.Fatal(err)
	}
	var rules *[]rbacv1.PolicyRule
	switch r := role.(type) {
	case *rbacv1.ClusterRole:
		rules = &r.Rules
	case *rbacv1.Role:
		rules = &r.Rules
	}
	all := *rules
	write := func(next []rbacv1.PolicyRule) error {
		patch := client.MergeFrom(role.DeepCopyObject().(client.Object))
		*rules = next
		return s.admin.Patch(context.WithoutCancel(s.Context()), role, patch)
	}
	rest := slices.DeleteFunc(slices.Clone(all), func(rule rbacv1.PolicyRule) bool {
		return slices.Equal(rule.Resources, []string{resource})
	})
	if len(rest) != len(all)-1 {
		s.Fatalf("%s has no rule of its own for %s", role.GetName(), resource)
	}
	if err := write(rest); err != nil {
		s.Fatal(err)
	}
	restore = func() {
		s.Helper()
		if err := write(all); err != nil {
			s.Error(err)
		}
	}
	s.Cleanup(restore)
	return restore
}

// token creates a service account in the namespace default and returns a token for it.
func (s *scenario) token(name string) string {
	s.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	s.create(account)
	request := &authenticationv1.TokenRequest{}
	if err := s.admin.SubResource("token").Create(s.Context(), account, request); err != nil {
		s.Fatal(err)
	}
	return request.Status.Token
}

// insecureClient accepts any certificate. Without a mounted one the manager generates its own,
// which is not under test here.
func insecureClient() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

// get returns the status of a response.
func get(ctx context.Context, c *http.Client, url, token string) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.Do(request)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, errors.Join(err, response.Body.Close())
}
