// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
	"github.com/assay-project/assay/test/kustomize"
)

// installPins adds the component pin for a test.
func (s *scenario) installPins() {
	s.Helper()
	if _, err := kustomize.Install(s.Context(), s.Config(), "../admission/testdata/pin"); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		ctx := context.WithoutCancel(s.Context())
		for _, object := range []client.Object{&admissionregistrationv1.MutatingAdmissionPolicyBinding{}, &admissionregistrationv1.MutatingAdmissionPolicy{}} {
			object.SetName("pin-tags")
			if err := s.admin.Delete(ctx, object); err != nil {
				s.Error(err)
			}
		}
		if _, err := kustomize.Install(ctx, s.Config(), enforced); err != nil {
			s.Error(err)
		}
	})
}

// taggedRegistry has images of one repository: those of tags, of which some are signed in a lookaside
// store.
func (s *scenario) taggedRegistry(tags map[string]string, signed ...string) (host string) {
	s.Helper()
	const repository = "tagged"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		host := req.Host
		for _, name := range signed {
			if req.URL.Path == "/sigstore/"+repository+"@sha256="+s.digest(name).Encoded()+"/signature-1" {
				_, _ = w.Write(fixture.Signature(host+"/"+repository, s.digest(name), release).Content)
				return
			}
		}
		tag, isManifest := strings.CutPrefix(req.URL.Path, "/v2/"+repository+"/manifests/")
		switch name := tags[tag]; {
		case isManifest && name != "":
			w.Header().Set("Docker-Content-Digest", s.digest(name).String())
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		case isManifest && strings.HasPrefix(tag, "sha256:"):
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		default:
			http.NotFound(w, req)
		}
	}))
	s.Cleanup(server.Close)
	host = strings.TrimPrefix(server.URL, "http://")
	s.create(
		&assayv1alpha1.RegistryConfig{ObjectMeta: metav1.ObjectMeta{Name: s.name}, Spec: assayv1alpha1.RegistryConfigSpec{
			Scopes: []assayv1alpha1.RegistryScope{assayv1alpha1.RegistryScope(host + "/" + repository)}, Insecure: true,
			Lookaside: assayv1alpha1.StoreURL(server.URL + "/sigstore"),
		}},
		&assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: s.name + "-tagged"}, Spec: assayv1alpha1.TrustPolicySpec{
			Scopes: []assayv1alpha1.Scope{assayv1alpha1.Scope(host + "/" + repository)},
			Keys:   []assayv1alpha1.TrustedKey{{Name: "release", SecretRef: &assayv1alpha1.KeySourceRef{Name: s.name}}},
		}},
	)
	return host
}

// TestPinned applies Deployments by tag in an enforced namespace. The one whose image is signed for its
// tag comes up with the digest in its Pod, and the Deployment stays as it was applied. Another tag of
// the same image, for which nothing is signed, and an image without signatures do not.
func TestPinned(t *testing.T) {
	s := newWorkloads(t, "pinned")
	s.installPins()
	host := s.taggedRegistry(map[string]string{"v1": "app", "other": "app", "unsigned": "unsigned"}, "app")
	s.startManager(allowLoopback)
	s.eventually("the scope to be enforced", func(ctx context.Context) (bool, string) {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.name, GenerateName: "probe-"}, Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "probe", Image: host + "/tagged:probe"}},
		}}
		err := s.admin.Create(ctx, pod, client.DryRunAll)
		return err != nil && strings.Contains(err.Error(), "a tag that is not known to be a verified image"), fmt.Sprint(err)
	})
	for _, tag := range []string{"v1", "other", "unsigned"} {
		deployment := s.deployment(tag, "app")
		deployment.Spec.Template.Spec.Containers[0].Image = host + "/tagged:" + tag
		s.create(deployment)
	}
	want := host + "/tagged:v1@" + s.digest("app").String()
	s.eventually("the Pod with its digest", func(ctx context.Context) (bool, string) {
		var pods corev1.PodList
		if err := s.admin.List(ctx, &pods, client.InNamespace(s.name)); err != nil || len(pods.Items) != 1 {
			return false, fmt.Sprint(len(pods.Items), err)
		}
		got := pods.Items[0].Spec.Containers[0].Image
		return got == want, got
	})
	deployment := s.deployment("v1")
	if err := s.admin.Get(t.Context(), client.ObjectKeyFromObject(deployment), deployment); err != nil {
		t.Fatal(err)
	}
	if got := deployment.Spec.Template.Spec.Containers[0].Image; got != host+"/tagged:v1" {
		t.Errorf("the Deployment has %s", got)
	}
	var tables corev1.ConfigMapList
	if err := s.admin.List(t.Context(), &tables, client.InNamespace(manager.Namespace), client.MatchingLabels{"assay.dev/allowlist": "tags"}); err != nil || len(tables.Items) != 1 {
		t.Fatalf("%d tables of tags: %v", len(tables.Items), err)
	}
	for key, text := range tables.Items[0].Data {
		if strings.Contains(text, ":other ") || strings.Contains(text, ":unsigned ") {
			t.Errorf("%s: %s", key, text)
		}
	}
}
