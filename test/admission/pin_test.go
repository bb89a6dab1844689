// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assay-project/assay/internal/allowlist"
)

// tagsOf are those of the verified images, and of one that was verified and is not on the allowlist.
func tagsOf() map[string]string {
	tags := map[string]string{
		enforced + "/app:1":  hex("1a"),
		enforced + "/app:v1": hex("1a"), enforced + "/app:latest": hex("f3"), enforced + "/gone:v1": hex("1b"),
		"docker.io/library/busybox:1.36": hex("1a"), "docker.io/library/busybox:latest": hex("1a"), "docker.io/team/tool:v1": hex("1a"),
		"registry.example.com:5000/shop/app:v1": hex("1a"), "[2001:db8::1]:5000/app:v1": hex("1a"), "elsewhere.example.com/app:v1": hex("1a"),
	}
	return tags
}

// writeTags writes tables of tags, and returns when the API server goes by the last of them.
func writeTags(t *testing.T, tags map[string]string) {
	t.Helper()
	if _, dropped := writeTables(t, tags); dropped > 0 {
		t.Fatalf("%d tags do not fit", dropped)
	}
}

// writeTables is writeTags for more tags than fit. It returns the tables, and how many tags they lack.
func writeTables(t *testing.T, tags map[string]string) (tables []allowlist.Shard, dropped int) {
	t.Helper()
	canaries++
	canary := fmt.Sprintf("elsewhere.example.com/canary-%d:v1", canaries)
	tags[canary] = hex("00")
	tables, dropped = allowlist.EncodeTags(tags, nil, func(string) string { return "" })
	if err := admin.DeleteAllOf(t.Context(), &corev1.ConfigMap{}, client.InNamespace(operatorNamespace), client.MatchingLabels{allowlist.Label: allowlist.TagsLabelValue}); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: table.Name, Labels: table.Labels}, Data: table.Data}
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "the tags in the API server", func() bool {
		pod := podOf("default", container(canary))
		return editor.Create(t.Context(), pod, client.DryRunAll) == nil && pod.Spec.Containers[0].Image == canary+"@sha256:"+hex("00")
	})
	return tables, dropped
}

// installPins adds pinning for a test, and takes it away behind it.
func installPins(t *testing.T) {
	t.Helper()
	if err := install(t.Context(), "pin"); err != nil {
		t.Fatal(err)
	}
	restoreEnforce(t)
	t.Cleanup(func() { // Before the other, because a component that is left out is not removed by an apply.
		for _, object := range []client.Object{&admissionregistrationv1.MutatingAdmissionPolicyBinding{}, &admissionregistrationv1.MutatingAdmissionPolicy{}} {
			object.SetName("pin-tags")
			if err := admin.Delete(cleanupContext(t), object); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// more adds a container with an image.
func more(image string) func(*corev1.PodSpec) {
	return func(s *corev1.PodSpec) {
		s.Containers = append(s.Containers, corev1.Container{Name: fmt.Sprint("more-", len(s.Containers)), Image: image})
	}
}

// pins are references by tag, and what becomes of them.
var pins = map[string]struct{ image, pinned, refusal string }{
	"a tag":                          {enforced + "/app:v1", enforced + "/app:v1@" + verified, ""},
	"a tag of one character":         {enforced + "/app:1", enforced + "/app:1@" + verified, ""},
	"no tag":                         {enforced + "/app", enforced + "/app@" + verified2, ""},
	"short name":                     {"busybox:1.36", "busybox:1.36@" + verified, ""},
	"short name without a tag":       {"busybox", "busybox@" + verified, ""},
	"Docker Hub without library":     {"docker.io/busybox:1.36", "docker.io/busybox:1.36@" + verified, ""},
	"Docker Hub in full":             {"docker.io/library/busybox:1.36", "docker.io/library/busybox:1.36@" + verified, ""},
	"Docker Hub, of a team":          {"team/tool:v1", "team/tool:v1@" + verified, ""},
	"a port":                         {"registry.example.com:5000/shop/app:v1", "registry.example.com:5000/shop/app:v1@" + verified, ""},
	"IPv6":                           {"[2001:db8::1]:5000/app:v1", "[2001:db8::1]:5000/app:v1@" + verified, ""},
	"in no scope":                    {"elsewhere.example.com/app:v1", "elsewhere.example.com/app:v1@" + verified, ""},
	"a digest":                       {enforced + "/app@" + verified, enforced + "/app@" + verified, ""},
	"a tag and a digest":             {enforced + "/app:v1@" + verified2, enforced + "/app:v1@" + verified2, ""},
	"another tag and a digest":       {enforced + "/app:v1@" + unverified, "", "is not verified"},
	"a tag that is not known":        {enforced + "/app:v2", "", "has a tag that is not known to be a verified image"},
	"beginning of a known one":       {enforced + "/app:v", "", "has a tag that is not known to be a verified image"},
	"end of a known one":             {"shop/app:v1", "shop/app:v1", ""},
	"image that is not verified now": {enforced + "/gone:v1", "", "image " + enforced + "/gone:v1@" + unverified + " is not verified"},
	"another spelling":               {"REGISTRY.example.com/shop/app:v1", "", spelling},
	"image ID":                       {unverified, "", isID},
	"no reference":                   {enforced + "/App:v1", "", noReference},
	"not known, in no scope":         {"elsewhere.example.com/app:v2", "elsewhere.example.com/app:v2", ""},
}

func TestPins(t *testing.T) {
	writeAllowlist(t, state(), 2)
	installPins(t)
	writeTags(t, tagsOf())
	for name, tc := range pins {
		t.Run(name, func(t *testing.T) {
			pod := podOf("default", container(tc.image))
			waitForPolicy(t, tc.refusal)
			err := editor.Create(t.Context(), pod, client.DryRunAll)
			wantError(t, err, tc.refusal)
			if got := pod.Spec.Containers[0].Image; err == nil && got != tc.pinned {
				t.Errorf("image %s, want %s", got, tc.pinned)
			}
		})
	}
}

// waitForPolicy waits until an API server that was just told of the component refuses by its words.
func waitForPolicy(t *testing.T, refusal string) {
	t.Helper()
	if refusal == "" {
		return
	}
	waitFor(t, "the policies of the component", func() bool {
		err := editor.Create(t.Context(), podOf("default", container(enforced+"/app:unknown")), client.DryRunAll)
		return err != nil && strings.Contains(err.Error(), "is not known to be a verified image")
	})
}

// TestPinsEverywhere: every place in a Pod where an image can be.
func TestPinsEverywhere(t *testing.T) {
	writeAllowlist(t, state(), 2)
	installPins(t)
	writeTags(t, tagsOf())
	image, want := enforced+"/app:v1", enforced+"/app:v1@"+verified
	pod := podOf("default", container(enforced+"/app@"+verified), more(image), func(s *corev1.PodSpec) {
		s.InitContainers = []corev1.Container{{Name: "init", Image: image}}
		s.Volumes = append(s.Volumes, corev1.Volume{Name: "empty", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			corev1.Volume{Name: "image", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: image}}})
	})
	pod.Name, pod.GenerateName = "pinned", ""
	if err := editor.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Delete(t.Context(), pod) })
	spec := &pod.Spec
	got := []string{spec.Containers[0].Image, spec.Containers[1].Image, spec.InitContainers[0].Image, spec.Volumes[1].Image.Reference}
	if !slices.Equal(got, []string{enforced + "/app@" + verified, want, want, want}) {
		t.Errorf("images %v", got)
	}
	pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "busybox"}}}
	if err := editor.SubResource("ephemeralcontainers").Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	if got := pod.Spec.EphemeralContainers[0].Image; got != "busybox@"+verified {
		t.Errorf("ephemeral container with image %s", got)
	}
}

// TestPinsOnUpdate: what a Pod already has stays as it is, and what is new gets its digest.
func TestPinsOnUpdate(t *testing.T) {
	writeAllowlist(t, state(), 2)
	old := podOf("default", container("elsewhere.example.com/app:v1"), more("elsewhere.example.com/app:v3"))
	old.Name, old.GenerateName = "older", ""
	if err := editor.Create(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Delete(t.Context(), old) })
	installPins(t)
	writeTags(t, tagsOf())
	old.Labels = map[string]string{"changed": "true"}
	old.Spec.Containers[1].Image = enforced + "/app:v1"
	if err := editor.Update(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if got := old.Spec.Containers[0].Image; got != "elsewhere.example.com/app:v1" {
		t.Errorf("the image that was there became %s", got)
	}
	if got := old.Spec.Containers[1].Image; got != enforced+"/app:v1@"+verified {
		t.Errorf("the new image is %s", got)
	}
}

// TestPinsMany: as many containers as a Pod of the documented size has, from large tables, are within the budget. More are
// refused, and never left as they are.
func TestPinsMany(t *testing.T) {
	writeAllowlist(t, state(), 2)
	installPins(t)
	tags := tagsOf()
	for i := range 10_000 {
		tags[fmt.Sprintf("elsewhere.example.com/a/deep/path/of/an/app-%d:2026.11.28-%d", i, i)] = hex("1a")
	}
	var containers []func(*corev1.PodSpec)
	for i := range 64 {
		tag := fmt.Sprintf("elsewhere.example.com/a/deep/path/of/an/image-%d:2026.11.28", i)
		tags[tag] = hex("1a")
		containers = append(containers, more(tag))
	}
	writeTags(t, tags)
	pod := podOf("default", containers...)
	if err := editor.Create(t.Context(), pod, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	for _, c := range pod.Spec.Containers {
		if !strings.Contains(c.Image, "@sha256:") {
			t.Errorf("%s has no digest", c.Image)
		}
	}
	for len(containers) < 4_000 {
		containers = append(containers, more(fmt.Sprintf("elsewhere.example.com/a/deep/path/of/an/image-%d:v1", len(containers))))
	}
	if err := editor.Create(t.Context(), podOf("default", containers...), client.DryRunAll); err == nil {
		t.Error("a Pod of 4,000 containers is admitted")
	}
}

// TestPinsFromFullKeys: somebody who fills a key of all tables does not have the Pods refused whose tags are looked up in it,
// known or not.
func TestPinsFromFullKeys(t *testing.T) {
	writeAllowlist(t, state(), 2)
	installPins(t)
	tags := tagsOf()
	for i := range 20_000 {
		tags[fmt.Sprintf("elsewhere.example.com/crowd-%05d:v1", i)] = hex("1a")
	}
	tables, dropped := writeTables(t, tags)
	if dropped == 0 {
		t.Fatal("the key is not full")
	}
	stored := strings.Fields(tables[len(tables)-1].Data[fmt.Sprint("tags-", len("elsewhere.example.com/crowd-00000:v1"), "-v1")])
	var known, unknown []func(*corev1.PodSpec)
	for i := range 64 {
		known = append(known, more(stored[2*i]))
		unknown = append(unknown, more(fmt.Sprintf("elsewhere.example.com/other-%05d:v1", i)))
	}
	for what, containers := range map[string][]func(*corev1.PodSpec){"known": known, "not known": unknown} {
		pod := podOf("default", containers...)
		if err := editor.Create(t.Context(), pod, client.DryRunAll); err != nil {
			t.Errorf("tags that are %s: %.300v", what, err)
		}
		if last := pod.Spec.Containers[len(pod.Spec.Containers)-1].Image; strings.Contains(last, "@") != (what == "known") {
			t.Errorf("a tag that is %s is %s", what, last)
		}
	}
}

// TestPinsLargePod: a Pod of more containers than are verified, which is there already, can be changed.
func TestPinsLargePod(t *testing.T) {
	writeAllowlist(t, state(), 2)
	namespace := exempted(t, "large-pinned")
	var containers []func(*corev1.PodSpec)
	for len(containers) < 2_000 {
		containers = append(containers, more(fmt.Sprintf("elsewhere.example.com/app-%d:v1", len(containers))))
	}
	pod := podOf(namespace.Name, containers...)
	pod.Finalizers = []string{"example.com/large"}
	waitFor(t, "the exemption", func() bool { return editor.Create(t.Context(), pod) == nil })
	unexempt(t, namespace)
	installPins(t)
	writeTags(t, tagsOf())
	changed := pod.DeepCopy()
	changed.Labels = map[string]string{"changed": "yes"}
	wantError(t, editor.Patch(t.Context(), changed, client.MergeFrom(pod.DeepCopy()), client.DryRunAll), "")
	changed = pod.DeepCopy()
	changed.Finalizers = nil
	wantError(t, editor.Patch(t.Context(), changed, client.MergeFrom(pod.DeepCopy())), "")
}

// TestPinsOptOut: namespaces with the label, and templates.
func TestPinsOptOut(t *testing.T) {
	writeAllowlist(t, state(), 2)
	installPins(t)
	writeTags(t, tagsOf())
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "unpinned", Labels: map[string]string{"assay.dev/pin": "disabled"}}}
	if err := admin.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	pod := podOf(namespace.Name, container("elsewhere.example.com/app:v1"))
	if err := editor.Create(t.Context(), pod, client.DryRunAll); err != nil || strings.Contains(pod.Spec.Containers[0].Image, "@") {
		t.Errorf("in a namespace that has opted out: %v %s", err, pod.Spec.Containers[0].Image)
	}
	labels := map[string]string{"app": "pinned"}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "pinned"}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: podOf("default", container(enforced+"/app:v1")).Spec},
	}}
	waitFor(t, "a Deployment by tag without a warning", func() bool {
		editor.warnings.take()
		created := deployment.DeepCopy()
		if err := editor.Create(t.Context(), created, client.DryRunAll); err != nil {
			t.Fatal(err)
		}
		if got := created.Spec.Template.Spec.Containers[0].Image; got != enforced+"/app:v1" {
			t.Errorf("the template of a Deployment became %s", got)
		}
		return editor.warnings.take() == ""
	})
}
