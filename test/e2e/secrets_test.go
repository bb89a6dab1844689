// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// canaries are texts that belong to secrets, and must be seen nowhere else. Each is told apart by its
// end.
var canaries = []string{
	"canary7Zq-user", "canary7Zq-password", "canary7Zq-wrong", "canary7Zq-identity", "canary7Zq-bearer", "canary7Zq-invalid",
	"canary7Zq-authority", "canary7Zq-key", "canary7Zq-proxy", "canary7Zq-elsewhere", "canary7Zq-cli",
}

// seenIn returns which canaries are in texts, in the clear or as a part of a credential in base64.
func seenIn(texts map[string]string) []string {
	var seen []string
	for _, where := range slices.Sorted(maps.Keys(texts)) {
		for _, canary := range canaries {
			for _, form := range formsOf(canary) {
				if strings.Contains(texts[where], form) {
					seen = append(seen, canary+" in "+where)
					break
				}
			}
		}
	}
	return seen
}

// formsOf returns a text and what base64 makes of it behind 0, 1 and 2 other bytes, without the
// characters that depend on these and on what follows.
func formsOf(text string) []string {
	forms := []string{text}
	for offset := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + text))
		forms = append(forms, encoded[(offset*8+5)/6:len(encoded)-1])
	}
	return forms
}

// canaryScenario is a scenario with canaries in everything that is secret.
type canaryScenario struct {
	*scenario
	registry *leakyRegistry
	// sources are the objects that have canaries because they are the secrets.
	sources map[string]bool
}

func newCanaryScenario(t *testing.T) *canaryScenario {
	t.Helper()
	s := &canaryScenario{scenario: newScenario(t, shared, "canaries"), sources: map[string]bool{}}
	s.registry = startLeakyRegistry(s.scenario)
	s.secret.Data["comment.asc"] = []byte("canary7Zq-key\n" + string(fixture.PublicKey(fixture.Key("other"))) + "canary7Zq-key\n")
	s.secret.Data["broken.asc"] = []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\ncanary7Zq-key\n-----END PGP PUBLIC KEY BLOCK-----\n")
	if err := s.admin.Update(t.Context(), s.secret); err != nil {
		t.Fatal(err)
	}
	s.sources["secrets "+manager.Namespace+"/"+s.name] = true
	basic := base64.StdEncoding.EncodeToString([]byte("canary7Zq-user:canary7Zq-password"))
	s.pullSecret(manager.Namespace, s.name+"-pull", map[string]any{
		leakyHost + "/basic":    map[string]string{"auth": basic},
		leakyHost + "/wrong":    map[string]string{"username": "canary7Zq-user", "password": "canary7Zq-wrong"},
		leakyHost + "/identity": map[string]string{"identitytoken": "canary7Zq-identity"},
		leakyHost + "/bearer":   map[string]string{"registrytoken": "canary7Zq-bearer"},
	})
	s.pullSecret(manager.Namespace, s.name+"-invalid", map[string]any{"x": map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte("canary7Zq-invalid"))}})
	s.pullSecret("default", s.name+"-elsewhere", map[string]any{leakyHost: map[string]string{"username": "a", "password": "canary7Zq-elsewhere"}})
	s.authorities(s.name+"-ca", "canary7Zq-authority\n"+s.registry.authority())
	s.authorities(s.name+"-no-ca", "-----BEGIN CERTIFICATE-----\ncanary7Zq-authority\n-----END CERTIFICATE-----\n")
	s.config("", s.name+"-pull", s.name+"-ca")
	s.config("invalid", s.name+"-invalid", "")
	s.config("no-ca", "", s.name+"-no-ca")
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: s.name + "-leaky"}, Spec: assayv1alpha1.TrustPolicySpec{
		Scopes: []assayv1alpha1.Scope{leakyHost, "refused.example.com"},
		Keys:   []assayv1alpha1.TrustedKey{{Name: "release", SecretRef: &assayv1alpha1.KeySourceRef{Name: s.name}}},
	}}
	s.create(policy)
	return s
}

func (s *canaryScenario) pullSecret(namespace, name string, auths map[string]any) {
	s.Helper()
	data, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		s.Fatal(err)
	}
	s.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: data},
	})
	s.sources["secrets "+namespace+"/"+name] = true
}

func (s *canaryScenario) authorities(name, bundle string) {
	s.Helper()
	s.create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: manager.Namespace, Name: name}, Data: map[string]string{"ca.crt": bundle}})
	s.sources["configmaps "+manager.Namespace+"/"+name] = true
}

// config creates a RegistryConfig for a part of the registry.
func (s *canaryScenario) config(path, secret, configMap string) {
	s.Helper()
	config := &assayv1alpha1.RegistryConfig{ObjectMeta: metav1.ObjectMeta{Name: strings.TrimSuffix(s.name+"-"+path, "-")}}
	config.Spec.Scopes = []assayv1alpha1.RegistryScope{assayv1alpha1.RegistryScope(strings.TrimSuffix(leakyHost+"/"+path, "/"))}
	if secret != "" {
		config.Spec.Credentials = &assayv1alpha1.RegistryCredentials{SecretRef: assayv1alpha1.ObjectRef{Name: secret}}
	}
	if configMap != "" {
		config.Spec.CertificateAuthorities = &assayv1alpha1.CertificateAuthorities{ConfigMapRef: assayv1alpha1.ObjectRef{Name: configMap}}
	}
	s.create(config)
}

// imageOf creates an Image whose signatures are asked for in a repository, and waits for the result.
func (s *canaryScenario) imageOf(host, repository, result string) {
	s.Helper()
	image := &imagev1.Image{
		ObjectMeta:           metav1.ObjectMeta{Name: s.name + "-" + repository, Annotations: map[string]string{assayv1alpha1.ImportAnnotation: "true"}},
		DockerImageReference: host + "/" + repository + "@" + s.digest(repository).String(),
	}
	s.create(image)
	s.eventually(repository+" to be "+result, func(ctx context.Context) (bool, string) {
		err := s.admin.Get(ctx, client.ObjectKeyFromObject(image), image)
		c := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.ImportedCondition)
		return err == nil && c != nil && c.Reason == result, fmt.Sprintf("%+v, %v", c, err)
	})
}

// objects returns all objects of the cluster in JSON, without the secrets themselves.
func (s *canaryScenario) objects() map[string]string {
	s.Helper()
	texts := map[string]string{}
	err := s.eachObject(s.Context(), func(name string, object *unstructured.Unstructured) error {
		if s.sources[name] {
			return nil
		}
		data, err := object.MarshalJSON()
		texts[name] = string(data)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return texts
}

// bodyOf returns the answer to a request.
func (s *canaryScenario) bodyOf(url string) string {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		s.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // It was only read.
	data, err := io.ReadAll(response.Body)
	if err != nil {
		s.Fatal(err)
	}
	return string(data)
}

// outputs adds what the commands print.
func (s *canaryScenario) outputs(texts map[string]string) {
	s.Helper()
	for _, format := range []string{"table", "wide", "json", "yaml"} {
		stdout, stderr, err := assay(s.Context(), "", "status", "--kubeconfig", s.Kubeconfig(), "-o", format, "--limit", "1000")
		if err != nil || !strings.Contains(stdout, s.name) {
			s.Errorf("assay status -o %s: %v, %s", format, err, stderr)
		}
		texts["assay status -o "+format] = stdout + stderr
	}
	authFile := filepath.Join(s.TempDir(), "auth.json")
	text := fmt.Sprintf(`{"auths":{%q:{"username":"canary7Zq-cli","password":"canary7Zq-cli"}}}`, leakyHost)
	if err := os.WriteFile(authFile, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
	s.Setenv("REGISTRY_AUTH_FILE", authFile)
	stdout, stderr, err := assay(s.Context(), "", "image", "create", leakyHost+"/wrong:v1")
	if err == nil || stderr == "" {
		s.Errorf("assay image create: %v", err)
	}
	texts["assay image create"] = stdout + stderr
}

// TestCanaries checks that nothing of a secret gets out of it: into no object of the cluster, no event,
// no metric, no line of the log, and no output of a command. Registries and a proxy send back the
// credentials that they get.
func TestCanaries(t *testing.T) {
	s := newCanaryScenario(t)
	proxy := startEchoProxy(s)
	t.Setenv("HTTPS_PROXY", proxy.url("canary7Zq-proxy"))
	metrics, probes := fixture.FreeAddress(t), fixture.FreeAddress(t)
	m := s.startManager("--leader-elect", "--zap-log-level=100", "--metrics-bind-address="+metrics, "--metrics-secure=false", "--health-probe-bind-address="+probes)
	s.imageOf(leakyHost, "basic", assayv1alpha1.ReasonImported)
	s.awaitReason("basic", assayv1alpha1.ReasonVerified)
	for repository, result := range map[string]string{
		"wrong": assayv1alpha1.ReasonUnauthorized, "identity": assayv1alpha1.ReasonUnauthorized, "bearer": assayv1alpha1.ReasonUnauthorized,
		"invalid": assayv1alpha1.ReasonUnauthorized, "no-ca": assayv1alpha1.ReasonStoreUnavailable,
	} {
		s.imageOf(leakyHost, repository, result)
	}
	s.imageOf("refused.example.com", "refused", assayv1alpha1.ReasonStoreUnavailable)
	s.deployTag()
	s.registry.got("canary7Zq-password", "canary7Zq-wrong", "canary7Zq-identity", "canary7Zq-bearer")
	proxy.got()

	texts := s.objects()
	if events := len(slices.DeleteFunc(slices.Collect(maps.Keys(texts)), func(name string) bool { return !strings.HasPrefix(name, "events") })); events == 0 {
		t.Error("there are no events")
	}
	texts["the metrics"] = s.bodyOf("http://" + metrics + "/metrics")
	texts["another page of the metrics"] = s.bodyOf("http://" + metrics + "/canary")
	texts["the probes"] = s.bodyOf("http://"+probes+"/readyz?verbose") + s.bodyOf("http://"+probes+"/healthz?verbose")
	s.outputs(texts)
	texts["the log"] = m.Log()
	for what, part := range map[string]string{"the metrics": "assay_registry_", "the log": `"level":"Level(-`, "the probes": "ok"} {
		if !strings.Contains(texts[what], part) {
			t.Errorf("%s: there is no %q in %.1000q", what, part, texts[what])
		}
	}
	for _, seen := range seenIn(texts) {
		t.Error(seen)
	}
	s.findsPlanted(texts)
}

// deployTag has the tag of an image looked up with a credential that is refused.
func (s *canaryScenario) deployTag() {
	s.Helper()
	labels := map[string]string{"app": s.name}
	web := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: s.name},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec: corev1.PodSpec{
				ImagePullSecrets: []corev1.LocalObjectReference{{Name: s.name + "-elsewhere"}},
				Containers:       []corev1.Container{{Name: "web", Image: leakyHost + "/wrong:v1"}},
			},
		}},
	}
	s.create(web)
	s.Cleanup(func() {
		if err := s.admin.Delete(context.Background(), web); err != nil {
			s.Error(err)
		}
	})
	s.eventually("the tag to be looked up", func(context.Context) (bool, string) {
		return s.registry.asked("/v2/wrong/manifests/v1"), ""
	})
}

// findsPlanted checks that the search finds each canary in each kind of place.
func (s *canaryScenario) findsPlanted(texts map[string]string) {
	s.Helper()
	planted := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: s.name + "-planted"}, Data: map[string]string{}}
	for i, canary := range canaries {
		planted.Data[fmt.Sprint("in-base64-", i)] = base64.StdEncoding.EncodeToString([]byte(fmt.Sprint("user", i, ":", canary, "!")))
	}
	s.create(planted)
	found := map[string]string{}
	for name, text := range s.objects() {
		if strings.Contains(name, "planted") {
			found[name] = text
		}
	}
	if seen := seenIn(found); len(seen) != len(canaries) {
		s.Errorf("of the planted canaries these are found: %q", seen)
	}
	if err := s.admin.Delete(s.Context(), planted); err != nil {
		s.Fatal(err)
	}
	for name, text := range texts {
		if seen := seenIn(map[string]string{name: text + `{"msg":"` + canaries[0] + `"}`}); len(seen) != 1 {
			s.Errorf("%s: of a planted canary is found: %q", name, seen)
		}
	}
}

// authority is the registry's certificate in PEM.
func (r *leakyRegistry) authority() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw}))
}
