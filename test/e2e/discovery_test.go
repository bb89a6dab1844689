// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/fixture"
)

// newWorkloads returns a scenario with Kubernetes' own controllers and a namespace of its name.
func newWorkloads(t *testing.T, name string) *scenario {
	t.Helper()
	s := newScenario(t, shared, name)
	if err := s.ControllerManager.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.ControllerManager.Stop(); err != nil {
			t.Error(err)
		}
	})
	s.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	return s
}

// reference is how workloads name an image of the scenario.
func (s *scenario) reference(name string) string {
	return s.repository() + ":v1@" + s.digest(name).String()
}

// template is a Pod template with a container for each image.
func (s *scenario) template(images ...string) corev1.PodTemplateSpec {
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "a"}}}
	for _, image := range images {
		template.Spec.Containers = append(template.Spec.Containers, corev1.Container{Name: image, Image: s.reference(image)})
	}
	return template
}

// deployment returns one of its own label, so that it adopts nothing of another.
func (s *scenario) deployment(name string, images ...string) *appsv1.Deployment {
	template := s.template(images...)
	template.Labels["app"] = name
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.name, Name: name},
		Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template},
	}
}

// discovered is the name of the Image that is made for an image.
func (s *scenario) discovered(name string) string { return "sha256-" + s.digest(name).Encoded() }

// discoveredNames returns the names of the Images that were made in the scenario's scope, sorted.
func (s *scenario) discoveredNames(ctx context.Context) []string {
	s.Helper()
	var list imagev1.ImageList
	if err := s.admin.List(ctx, &list, client.MatchingLabels{assayv1alpha1.DiscoveredLabel: "true"}); err != nil {
		s.Fatal(err)
	}
	var names []string
	for i := range list.Items {
		if strings.HasPrefix(list.Items[i].DockerImageReference, s.repository()+"@") {
			names = append(names, list.Items[i].Name)
		}
	}
	slices.Sort(names)
	return names
}

// awaitDiscovered waits until Images of exactly these images were made.
func (s *scenario) awaitDiscovered(images ...string) {
	s.Helper()
	var want []string
	for _, image := range images {
		want = append(want, s.discovered(image))
	}
	slices.Sort(want)
	s.eventually("the Images of the workloads", func(ctx context.Context) (bool, string) {
		got := s.discoveredNames(ctx)
		return slices.Equal(got, want), fmt.Sprintf("%d of %d: %v", len(got), len(want), got)
	})
}

// awaitVerdict waits until a discovered Image has a verdict of this reason.
func (s *scenario) awaitVerdict(image, reason string) {
	s.Helper()
	s.eventually(image+" to be "+reason, func(ctx context.Context) (bool, string) {
		var got imagev1.Image
		if err := s.admin.Get(ctx, client.ObjectKey{Name: s.discovered(image)}, &got); err != nil {
			return false, err.Error()
		}
		return got.Status.Reason == reason, got.Status.Reason
	})
}

// sign adds a signature to a discovered Image.
func (s *scenario) sign(image string) {
	s.Helper()
	var stored imagev1.Image
	if err := s.admin.Get(s.Context(), client.ObjectKey{Name: s.discovered(image)}, &stored); err != nil {
		s.Fatal(err)
	}
	patch := client.MergeFrom(stored.DeepCopy())
	stored.Signatures = []imagev1.ImageSignature{fixture.Signature(s.repository(), s.digest(image), release)}
	if err := s.admin.Patch(s.Context(), &stored, patch); err != nil {
		s.Fatal(err)
	}
}

// pods returns the number of Pods in the scenario's namespace.
func (s *scenario) pods(ctx context.Context) int {
	s.Helper()
	var list corev1.PodList
	if err := s.admin.List(ctx, &list, client.InNamespace(s.name)); err != nil {
		s.Fatal(err)
	}
	return len(list.Items)
}

// writes returns the writes of the manager so far, events left out.
func (s *scenario) writes() []request {
	s.Helper()
	return slices.DeleteFunc(s.requestsOfManager(s.T), func(r request) bool {
		return slices.Contains([]string{"get", "list", "watch"}, r.verb) || r.resource == "events" || r.status >= http.StatusBadRequest
	})
}

// A Deployment in an enforced namespace comes up once the Image that was made for it has its
// signature, without another hand. A restart with everything in its place writes nothing.
func TestDeployment(t *testing.T) {
	s := newWorkloads(t, "deployed")
	m := s.startManager()
	old := s.template("old")
	s.create(&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: s.name, Name: "old"}, Spec: appsv1.ReplicaSetSpec{
		Replicas: ptr.To[int32](0), Selector: &metav1.LabelSelector{MatchLabels: old.Labels}, Template: old,
	}})
	s.create(s.deployment("web", "app", "sidecar"))
	s.awaitDiscovered("app", "sidecar")
	s.awaitVerdict("app", assayv1alpha1.ReasonSignaturesUnavailable)
	s.awaitVerdict("sidecar", assayv1alpha1.ReasonSignaturesUnavailable)
	s.eventually("the refusal of the Pod", func(ctx context.Context) (bool, string) {
		var sets appsv1.ReplicaSetList
		if err := s.admin.List(ctx, &sets, client.InNamespace(s.name), client.MatchingLabels{"app": "web"}); err != nil || len(sets.Items) != 1 {
			return false, fmt.Sprint(len(sets.Items), err)
		}
		refused := slices.ContainsFunc(sets.Items[0].Status.Conditions, func(c appsv1.ReplicaSetCondition) bool {
			// The message stays that of the first refusal, which may be that there is no allowlist yet.
			return c.Type == appsv1.ReplicaSetReplicaFailure && c.Reason == "FailedCreate"
		})
		return refused, fmt.Sprint(sets.Items[0].Status.Conditions)
	})
	if n := s.pods(t.Context()); n != 0 {
		t.Fatalf("%d Pods run an image without a signature", n)
	}
	s.sign("app")
	s.sign("sidecar")
	s.eventually("the Pod of the Deployment", func(ctx context.Context) (bool, string) {
		n := s.pods(ctx)
		return n == 1, fmt.Sprint(n)
	})
	s.awaitVerdict("app", assayv1alpha1.ReasonVerified)
	s.awaitVerdict("sidecar", assayv1alpha1.ReasonVerified)

	canary := newScenario(t, shared, "canary")
	s.awaitCounts(assayv1alpha1.ImageCounts{Verified: 2})
	canary.awaitCounts(assayv1alpha1.ImageCounts{})

	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	before := len(s.writes())
	s.startManager()
	// It has looked around when it has made what is new, in a scope of its own.
	other := s.deployment("canary", "canary")
	other.Spec.Template.Spec.Containers[0].Image = canary.reference("app")
	s.create(other)
	canary.awaitDiscovered("app")
	canary.awaitVerdict("app", assayv1alpha1.ReasonSignaturesUnavailable)
	for _, w := range s.writes()[before:] {
		if w.name != canary.discovered("app") && w.name != canary.name {
			t.Errorf("a write after a restart: %+v", w)
		}
	}
	s.awaitDiscovered("app", "sidecar")
}

// awaitCounts waits until the status of the scenario's policy counts so many images.
func (s *scenario) awaitCounts(want assayv1alpha1.ImageCounts) {
	s.Helper()
	s.eventually("the counts of the policy", func(ctx context.Context) (bool, string) {
		var policy assayv1alpha1.TrustPolicy
		if err := s.admin.Get(ctx, client.ObjectKey{Name: s.name}, &policy); err != nil {
			return false, err.Error()
		}
		got := policy.Status.Images
		return got != nil && *got == want, fmt.Sprintf("%+v", got)
	})
}

// A manager that is killed while it makes Images has lost nothing and made nothing twice when the
// next one is done.
func TestKilledWhileDiscovering(t *testing.T) {
	const deployments, containers = 6, 16
	s := newWorkloads(t, "killed")
	var images []string
	for n := range deployments {
		var own []string
		for i := range containers {
			own = append(own, fmt.Sprintf("c%d-%d", n, i))
		}
		s.create(s.deployment(fmt.Sprint("web", n), own...))
		images = append(images, own...)
	}
	for _, atLeast := range []int{1, deployments * containers / 2} {
		m := s.startManager()
		s.eventually("some Images", func(ctx context.Context) (bool, string) {
			n := len(s.discoveredNames(ctx))
			return n >= atLeast, fmt.Sprint(n)
		})
		if err := m.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	s.startManager()
	s.awaitDiscovered(images...)
	for _, image := range images {
		s.awaitVerdict(image, assayv1alpha1.ReasonSignaturesUnavailable)
	}
	made := 0
	for _, w := range s.writes() {
		if w.verb == "create" && w.resource == "images" && slices.ContainsFunc(images, func(image string) bool { return w.name == s.discovered(image) }) {
			made++
		}
	}
	// The answer to a manager that was killed is an error in the log.
	if made > len(images) {
		t.Errorf("%d Images were created for %d images", made, len(images))
	}
}
