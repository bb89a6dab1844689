// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// wantError checks that err is what an API server says when a policy refuses, with a text; "" stands for no error.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("refused: %v", err)
	case want != "" && !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err):
		t.Errorf("got %v, want a refusal with %q", err, want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("refused with\n%v\nwant it to say\n%s", err, want)
	}
}

const (
	spelling    = " is not spelt as TrustPolicies are, so that none could apply to it: "
	noReference = " is not an image reference: write [host[:port]/]path[:tag]@sha256:<digest>"
	isID        = " is the ID of an image, by which a node runs whatever it has: write the name of the image and its digest"
)

// forms are the ways to write an image, and what is said when it is refused.
var forms = map[string]struct{ image, refusal string }{
	"verified":                             {enforced + "/app@" + verified, ""},
	"verified, of the last shard":          {enforced + "/app@" + verified2, ""},
	"verified, with a tag as well":         {enforced + "/app:v1@" + verified, ""},
	"verified, short name":                 {"busybox@" + verified, ""},
	"verified, short name with tag":        {"busybox:1.36@" + verified, ""},
	"verified, Docker Hub without library": {"docker.io/busybox@" + verified, ""},
	"no scope, host of 253 characters":     {strings.Repeat("a", 239) + ".elsewhere.com:5000/app:v1", ""},
	"verified, tag of 128 characters":      {enforced + "/app:" + strings.Repeat("a", 128) + "@" + verified, ""},
	"verified, port 80":                    {"plain.example.com:80/app@" + verified, ""},
	"verified, Docker Hub in full":         {"docker.io/library/busybox@" + verified, ""},
	"verified, port":                       {"registry.example.com:5000/shop/app@" + verified, ""},
	"verified, IPv6":                       {"[2001:db8::1]:5000/app@" + verified, ""},
	"verified, IPv4":                       {"10.0.0.1/app@" + verified, ""},
	"verified, wildcard":                   {"a.wild.example.com/app@" + verified, ""},

	"not verified": {enforced + "/app@" + unverified,
		"image " + enforced + "/app@" + unverified + " is not verified, and the TrustPolicies for " + enforced + " want it verified: kubectl get image sha256-" + hex("1b") +
			" -o yaml says why; if there is no such Image, an administrator can make one (assay image create). See docs/admission.md#denied"},
	"not verified, of the last shard":          {enforced + "/app@" + unverified2, "is not verified"},
	"not verified, with a tag":                 {enforced + "/app:v1@" + unverified, "is not verified"},
	"not verified, exact tag of another level": {enforced + "/app:exact@" + unverified, "is not verified"},
	"not verified, port 80":                    {"registry.example.com:80/shop/app@" + verified, "the TrustPolicies for " + enforced + " want it verified"},
	"not verified, short name":                 {"busybox@" + unverified, "the TrustPolicies for docker.io/library/busybox want it verified"},
	"not verified, port":                       {"registry.example.com:5000/shop/app@" + unverified, "is not verified"},
	"not verified, IPv6":                       {"[2001:db8::1]:5000/app@" + unverified, "is not verified"},
	"not verified, IPv4":                       {"10.0.0.1/app@" + unverified, "is not verified"},
	"not verified, wildcard":                   {"b.a.wild.example.com/x@" + unverified, "the TrustPolicies for *.wild.example.com want it verified"},
	"verified under another name":              {enforced + "/other@" + verified, "is not verified"},
	"tag": {enforced + "/app:v1", "image " + enforced + "/app:v1 has no sha256 digest, and the TrustPolicies for " + enforced +
		" want it verified: write " + enforced + "/app:v1@sha256:<digest>"},
	"neither tag nor digest": {enforced + "/app", "write " + enforced + "/app@sha256:<digest>"},
	"short name with tag":    {"busybox:1.36", "write busybox:1.36@sha256:<digest>"},
	"sha512":                 {enforced + "/app@sha512:" + strings.Repeat("0", 128), "has no sha256 digest"},

	"host in upper case":                 {"REGISTRY.Example.com/shop/app@" + verified, spelling + "write " + enforced + "/app@" + verified},
	"default port":                       {"registry.example.com:443/shop/app@" + verified, spelling + "write " + enforced + "/app@" + verified},
	"default port with zeros":            {"registry.example.com:0443/shop/app@" + verified, spelling + "write " + enforced + "/app@" + verified},
	"port with zeros":                    {"registry.example.com:05000/shop/app@" + verified, spelling + "write registry.example.com:5000/shop/app@" + verified},
	"port with zeros, tag":               {"registry.example.com:05000/shop/app:v1", spelling + "write registry.example.com:5000/shop/app:v1"},
	"Docker Hub's old name":              {"index.docker.io/busybox@" + verified, spelling + "write docker.io/library/busybox@" + verified},
	"Docker Hub's old name, capitals":    {"INDEX.docker.io/library/busybox:v1", spelling + "write docker.io/library/busybox:v1"},
	"Docker Hub in capitals":             {"Docker.io/busybox@" + verified, spelling + "write docker.io/library/busybox@" + verified},
	"Docker Hub's server":                {"registry-1.docker.io/library/busybox:v1", spelling + "write docker.io/library/busybox:v1"},
	"Docker Hub's other name":            {"registry.hub.docker.com/library/busybox:v1", spelling + "write docker.io/library/busybox:v1"},
	"Docker Hub, port":                   {"docker.io:443/library/busybox:v1", spelling + "write docker.io/library/busybox:v1"},
	"IPv6 with zeros":                    {"[2001:db8:0::1]:5000/app@" + verified, spelling + "write [2001:db8::1]:5000/app@" + verified},
	"IPv6 in upper case":                 {"[2001:DB8::1]:5000/app@" + verified, spelling + "write [2001:db8::1]:5000/app@" + verified},
	"IPv4 in IPv6 form":                  {"[::ffff:a00:1]/app:v1", noReference},
	"IPv4 with zeros":                    {"10.0.0.01/app:v1", noReference},
	"IPv4 as a number":                   {"167772161:443/app:v1", noReference},
	"IPv4 in short":                      {"10.1/app:v1", noReference},
	"IPv6 with a zone":                   {"[fe80::1%eth0]:5000/app:v1", noReference},
	"port 0":                             {"registry.example.com:0/shop/app@" + verified, noReference},
	"port too large":                     {"registry.example.com:65979/shop/app@" + verified, noReference},
	"dot behind the host":                {"registry.example.com./shop/app@" + verified, noReference},
	"dot that is not ASCII":              {"registry\u3002example.com/shop/app:v1", noReference},
	"percent sign":                       {"registry%2eexample.com/shop/app:v1", noReference},
	"underscore in the host":             {"my_host.wild.example.com/app:v1", noReference},
	"digest in upper case":               {enforced + "/app@sha256:" + strings.ToUpper(hex("1a")), noReference},
	"digest cut short":                   {enforced + "/app@sha256:1a", noReference},
	"digest that is empty":               {enforced + "/app@", noReference},
	"tag that is empty":                  {enforced + "/app:@" + verified, noReference},
	"tag of 129 characters":              {enforced + "/app:" + strings.Repeat("a", 129) + "@" + verified, noReference},
	"tag with a space":                   {enforced + "/app:v 1@" + verified, noReference},
	"two digests":                        {enforced + "/app@" + verified + "@" + verified, noReference},
	"path in upper case":                 {enforced + "/App:v1", noReference},
	"lines":                              {enforced + "/app\n" + enforced + "/app@" + verified, noReference},
	"too long":                           {enforced + "/" + strings.Repeat("a/", 500) + "app:v1", noReference},
	"host of 254 characters":             {strings.Repeat("a", 237) + ".wild.example.com/app@" + verified, noReference},
	"host of 400 labels":                 {strings.Repeat("a.", 400) + "wild.example.com/app@" + verified, noReference},
	"two ports":                          {"registry.example.com:5000:443/shop/app@" + verified, noReference},
	"image ID":                           {unverified, isID},
	"image ID, digest of a verified one": {verified, isID},
	"image ID, short":                    {"sha256:1b", isID},
	"image ID, without sha256":           {hex("1b"), isID},
	"no scope, default port":             {"elsewhere.example.com:443/app:v1", spelling + "write elsewhere.example.com/app:v1"},

	"no scope, tag":             {"elsewhere.example.com/app:v1", ""},
	"no scope, digest":          {"elsewhere.example.com/app@" + unverified, ""},
	"no scope, beside one":      {enforced + "ping/app:v1", ""},
	"no scope, domain itself":   {"wild.example.com/app:v1", ""},
	"a narrower scope of audit": {enforced + "/probe:v1", ""},
	"exact tag of audit":        {enforced + "/app:exact", ""},
	"scope of warn":             {warned + "/app:v1", ""},
	"scope of audit":            {audited + "/app@" + unverified, ""},
}

func TestPods(t *testing.T) {
	writeAllowlist(t, state(), 2)
	for name, form := range forms {
		for where, put := range places {
			t.Run(name+" in "+where, func(t *testing.T) {
				wantError(t, create(t.Context(), podOf("default", func(s *corev1.PodSpec) { put(s, form.image) })), form.refusal)
			})
		}
	}
}

// TestEphemeralContainers adds containers to a Pod that runs, also when the allowlist has expired: a Pod's age says
// nothing about the present.
func TestEphemeralContainers(t *testing.T) {
	writeAllowlist(t, state(), 2)
	pod := podOf("default")
	if err := admin.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	add := func(image string) error {
		pod := pod.DeepCopy()
		pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: image}}}
		return editor.SubResource("ephemeralcontainers").Update(t.Context(), pod, &client.SubResourceUpdateOptions{UpdateOptions: client.UpdateOptions{DryRun: []string{metav1.DryRunAll}}})
	}
	check := func(t *testing.T) {
		for name, form := range forms {
			t.Run(name, func(t *testing.T) { wantError(t, add(form.image), form.refusal) })
		}
	}
	t.Run("fresh", check)
	ended := state()
	ended.ValidUntil = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	writeAllowlist(t, ended, 2)
	t.Run("stale", check)
}

// TestUpdates changes Pods that were made before images were checked.
func TestUpdates(t *testing.T) {
	writeAllowlist(t, state(), 1)
	exempt := exempted(t, "before")
	pod := podOf("before", container(enforced+"/app:v1"))
	waitFor(t, "the exemption", func() bool { return editor.Create(t.Context(), pod) == nil })
	unexempt(t, exempt)
	tests := map[string]struct {
		image, refusal string
	}{
		"label only":          {pod.Spec.Containers[0].Image, ""},
		"to a verified image": {enforced + "/app@" + verified, ""},
		"to another tag":      {enforced + "/app:v2", enforced + "/app:v2 has no sha256 digest"},
		"to no digest":        {enforced + "/app@" + unverified, "is not verified"},
		"to no scope":         {"elsewhere.example.com/app:v2", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			changed := pod.DeepCopy()
			changed.Labels = map[string]string{"changed": "yes"}
			changed.Spec.Containers[0].Image = tc.image
			wantError(t, editor.Patch(t.Context(), changed, client.MergeFrom(pod.DeepCopy()), client.DryRunAll), tc.refusal)
		})
	}
}

// TestLargePods checks the bound of the images of a Pod: up to it they are evaluated, and beyond it the Pod is refused without
// looking at them, wherever they come from. A Pod that is there can be changed as long as its images stay, so that nothing
// keeps its finalizers from being removed.
func TestLargePods(t *testing.T) {
	const most = 128
	writeAllowlist(t, state(), 2)
	oversize := fmt.Sprint(most+1) + " containers and image volumes are more than the 128"
	for name, tc := range map[string]struct {
		image, refusal, oversize string
	}{
		"verified": {enforced + "/app@" + verified, "", oversize},
		"unlisted": {"elsewhere.example.com/app:v1", "", oversize},
		"a tag":    {enforced + "/app:v1", enforced + "/app:v1 has no sha256 digest", oversize},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, create(t.Context(), manyContainers(tc.image, most)), tc.refusal)
			wantError(t, create(t.Context(), manyContainers(tc.image, most+1)), tc.oversize)
			pod := manyContainers(tc.image, most)
			for _, where := range []string{"init container", "image volume"} {
				more := pod.DeepCopy()
				places[where](&more.Spec, tc.image)
				wantError(t, create(t.Context(), more), tc.oversize)
			}
		})
	}
	namespace := exempted(t, "large")
	pod := manyContainers("elsewhere.example.com/app:v1", 1000)
	pod.Namespace = namespace.Name
	waitFor(t, "the exemption", func() bool { return editor.Create(t.Context(), pod) == nil })
	unexempt(t, namespace)
	changed := pod.DeepCopy()
	changed.Labels = map[string]string{"changed": "yes"}
	wantError(t, editor.Patch(t.Context(), changed, client.MergeFrom(pod.DeepCopy()), client.DryRunAll), "")
	changed.Spec.Containers[999].Image = enforced + "/app:v1"
	wantError(t, editor.Patch(t.Context(), changed, client.MergeFrom(pod.DeepCopy()), client.DryRunAll), "1000 containers and image volumes")
}

// exempted makes a namespace without verification.
func exempted(t *testing.T, name string) *corev1.Namespace {
	t.Helper()
	return labelled(t, name, map[string]string{"assay.dev/verification": "disabled"})
}

// unexempt ends that.
func unexempt(t *testing.T, namespace *corev1.Namespace) {
	t.Helper()
	namespace.Labels["assay.dev/verification"] = "enabled"
	if err := admin.Update(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the end of the exemption", func() bool {
		return apierrors.IsForbidden(create(t.Context(), podOf(namespace.Name, container(enforced+"/app:v1"))))
	})
}

// TestValidUntil evaluates Pods with an allowlist that has expired: nothing of it counts for new Pods.
func TestValidUntil(t *testing.T) {
	tests := map[string]struct {
		validUntil time.Time
		refusal    string
	}{
		"none":   {time.Time{}, ""},
		"future": {time.Now().Add(time.Hour), ""},
		"past": {time.Now().Add(-time.Hour), "image " + enforced + "/app@" + verified + " was verified, but the allowlist expired at " +
			time.Now().Add(-time.Hour).UTC().Format("2006-01-02T15:")},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := state()
			s.ValidUntil = tc.validUntil
			writeAllowlist(t, s, 2)
			wantError(t, create(t.Context(), podOf("default", container(enforced+"/app@"+verified))), tc.refusal)
			wantError(t, create(t.Context(), podOf("default", container(enforced+"/app@"+unverified))), "is not verified")
			wantError(t, create(t.Context(), podOf("default", container("elsewhere.example.com/app:v1"))), "")
		})
	}
}

// TestNeverLockedOut makes Pods in the namespaces that a cluster cannot do without, with an allowlist, with one that has
// expired, and with none.
func TestNeverLockedOut(t *testing.T) {
	optOut := exempted(t, "opted-out")
	ended := state()
	ended.ValidUntil = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	states := map[string]struct {
		set     func(t *testing.T)
		refusal string
	}{
		"an allowlist": {func(t *testing.T) { writeAllowlist(t, state(), 2) }, "has no sha256 digest"},
		"ended":        {func(t *testing.T) { writeAllowlist(t, ended, 2) }, "has no sha256 digest"},
		"none":         {removeAllowlist, "no params found"},
	}
	for name, tc := range states {
		t.Run(name, func(t *testing.T) {
			tc.set(t)
			for _, namespace := range []string{"kube-system", operatorNamespace, optOut.Name} {
				pod := podOf(namespace, container(enforced+"/app:v1"), func(s *corev1.PodSpec) { restrict(s) })
				waitFor(t, "a Pod in "+namespace, func() bool { return create(t.Context(), pod.DeepCopy()) == nil })
			}
			wantError(t, create(t.Context(), podOf("default", container(enforced+"/app:v1"))), tc.refusal)
		})
	}
}

// restrict makes a Pod fit for the operator's namespace.
func restrict(s *corev1.PodSpec) {
	yes, no := true, false
	s.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: &yes, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
	s.Containers[0].SecurityContext = &corev1.SecurityContext{AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
}
