// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/distribution/reference"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers/discovery"
	"github.com/assay-project/assay/internal/references"
	"github.com/assay-project/assay/internal/trust"
)

// tagMap is a discovery.Resolver for all tests.
type tagMap struct {
	mu      sync.Mutex
	digests map[string]digest.Digest
	asked   map[string]int
}

// ResolveTag implements discovery.Resolver.
func (m *tagMap) ResolveTag(_ context.Context, image reference.NamedTagged) (digest.Digest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked[image.String()]++
	if d, ok := m.digests[image.String()]; ok {
		return d, nil
	}
	return "", errors.New("no such tag")
}

func (m *tagMap) set(image string, d digest.Digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.digests[image] = d
}

func (m *tagMap) count(image string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked[image]
}

// namespace creates the namespace of a test, with labels "name=value".
func (f *fixture) namespace(suffix string, labels ...string) string {
	f.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.name + suffix, Labels: map[string]string{}}}
	for _, label := range labels {
		name, value, _ := strings.Cut(label, "=")
		ns.Labels[name] = value
	}
	f.create(ns)
	return ns.Name
}

// digested returns a reference of the test's repository by digest.
func (f *fixture) digested(path string) string {
	return f.repository() + "/" + path + "@" + digest.FromString(f.name+path).String()
}

// templateOf is a Pod template with containers.
func templateOf(images ...string) corev1.PodTemplateSpec {
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "a"}}}
	for i, image := range images {
		template.Spec.Containers = append(template.Spec.Containers, corev1.Container{Name: fmt.Sprint("c", i), Image: image})
	}
	return template
}

var selectApp = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "a"}}

func deployment(namespace, name string, images ...string) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       appsv1.DeploymentSpec{Selector: selectApp, Template: templateOf(images...)},
	}
}

// discoveredReferences returns the references of the test's discovered Images, sorted.
func (f *fixture) discoveredReferences() []string {
	f.Helper()
	var list imagev1.ImageList
	if err := testClient.List(f.ctx, &list, client.MatchingLabels{assayv1alpha1.DiscoveredLabel: "true"}); err != nil {
		f.Fatal(err)
	}
	var refs []string
	for i := range list.Items {
		if ref := list.Items[i].DockerImageReference; strings.HasPrefix(ref, f.repository()+"/") {
			refs = append(refs, ref)
		}
	}
	slices.Sort(refs)
	return refs
}

// discovers waits until exactly these Images were made, and deletes them after the test.
func (f *fixture) discovers(want ...string) {
	f.Helper()
	slices.Sort(want)
	f.eventually("the Images of what workloads refer to", func() (bool, string) {
		got := f.discoveredReferences()
		return slices.Equal(got, want), cmp.Diff(want, got)
	})
}

// deleteDiscovered deletes the Images that the operator made for a test.
func (f *fixture) deleteDiscovered() {
	f.Cleanup(func() {
		var list imagev1.ImageList
		if err := testClient.List(context.Background(), &list); err != nil {
			f.Error(err)
		}
		for i := range list.Items {
			if strings.HasPrefix(list.Items[i].DockerImageReference, f.repository()+"/") {
				if err := client.IgnoreNotFound(testClient.Delete(context.Background(), &list.Items[i])); err != nil {
					f.Error(err)
				}
			}
		}
	})
}

// Every kind of workload makes the Images of its scopes appear, and nothing else does.
func TestDiscovery(t *testing.T) {
	f := newFixture(t)
	f.deleteDiscovered()
	ns := f.namespace("")
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: ns, Name: name} }
	for _, tag := range []string{"tagged:v1", "untagged:latest"} {
		name, _, _ := strings.Cut(tag, ":")
		testTags.set(f.repository()+"/"+tag, digest.FromString(f.name+name))
	}
	f.create(f.policy(newSigner("a")))
	pod := &corev1.Pod{ObjectMeta: meta("pod"), Spec: templateOf(f.digested("pod")).Spec}
	pod.Spec.InitContainers = []corev1.Container{{Name: "i", Image: f.digested("init")}}
	pod.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: f.digested("volume")}}}}
	controller := templateOf(f.digested("replicationcontroller"))
	forever := templateOf(f.digested("job"))
	forever.Spec.RestartPolicy = corev1.RestartPolicyNever
	scheduled := templateOf(f.digested("cronjob"))
	scheduled.Spec.RestartPolicy = corev1.RestartPolicyNever
	f.create(
		deployment(ns, "web", f.digested("deployment"), f.digested("deployment"), f.repository()+"/tagged:v1", f.repository()+"/untagged",
			f.repository()+"/both:v7@"+digest.FromString(f.name+"both").String(), "elsewhere.example.com/app@"+digest.FromString("x").String(), f.repository()+"/NoReference"),
		&appsv1.ReplicaSet{ObjectMeta: meta("live"), Spec: appsv1.ReplicaSetSpec{Selector: selectApp, Template: templateOf(f.digested("replicaset"))}},
		&appsv1.ReplicaSet{ObjectMeta: meta("old"), Spec: appsv1.ReplicaSetSpec{Replicas: ptr.To[int32](0), Selector: selectApp, Template: templateOf(f.digested("old"))}},
		&corev1.ReplicationController{ObjectMeta: meta("rc"), Spec: corev1.ReplicationControllerSpec{Selector: map[string]string{"app": "a"}, Template: &controller}},
		&appsv1.StatefulSet{ObjectMeta: meta("sts"), Spec: appsv1.StatefulSetSpec{Selector: selectApp, Template: templateOf(f.digested("statefulset"))}},
		&appsv1.DaemonSet{ObjectMeta: meta("ds"), Spec: appsv1.DaemonSetSpec{Selector: selectApp, Template: templateOf(f.digested("daemonset"))}},
		&batchv1.Job{ObjectMeta: meta("job"), Spec: batchv1.JobSpec{Template: forever}},
		&batchv1.CronJob{ObjectMeta: meta("cron"), Spec: batchv1.CronJobSpec{Schedule: "@daily", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: scheduled}}}},
		pod,
	)
	var want []string
	for _, path := range []string{"deployment", "tagged", "untagged", "both", "replicaset", "replicationcontroller", "statefulset", "daemonset", "job", "cronjob", "pod", "init", "volume"} {
		want = append(want, f.digested(path))
	}
	f.discovers(want...)
	// The Images are named after their digests, and have no finalizer.
	var image imagev1.Image
	if err := testClient.Get(f.ctx, client.ObjectKey{Name: "sha256-" + digest.FromString(f.name+"pod").Encoded()}, &image); err != nil {
		t.Fatal(err)
	}
	if len(image.Finalizers) > 0 || image.DockerImageReference != f.digested("pod") {
		t.Errorf("got %+v", image.ObjectMeta)
	}
	f.verdict(image.Name, metav1.ConditionUnknown, assayv1alpha1.ReasonSignaturesUnavailable)

	// An ephemeral container, and a new version in a template.
	pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: f.digested("ephemeral")}}}
	if err := testClient.SubResource("ephemeralcontainers").Update(f.ctx, pod); err != nil {
		t.Fatal(err)
	}
	update(f, &appsv1.DaemonSet{ObjectMeta: meta("ds")}, func(ds *appsv1.DaemonSet) { ds.Spec.Template = templateOf(f.digested("daemonset2")) })
	f.discovers(append(want, f.digested("ephemeral"), f.digested("daemonset2"))...)
	tagsOf(f, "tagged", "v1")
	tagsOf(f, "untagged", "latest")
}

// tagsOf waits until the Image of a path has these tags.
func tagsOf(f *fixture, path string, want ...string) {
	f.Helper()
	f.eventually("the tags of the Image", func() (bool, string) {
		var image imagev1.Image
		if err := testClient.Get(f.ctx, client.ObjectKey{Name: "sha256-" + digest.FromString(f.name+path).Encoded()}, &image); err != nil {
			return false, err.Error()
		}
		var got []string
		for _, tag := range image.Status.Tags {
			got = append(got, tag.Name)
		}
		return slices.Equal(got, want), fmt.Sprint(got)
	})
}

// One digest in two repositories is two Images, and what a person made is used as it is.
func TestDiscoveryNames(t *testing.T) {
	f := newFixture(t)
	f.deleteDiscovered()
	ns := f.namespace("")
	f.create(f.policy(newSigner("a")))
	shared, own := digest.FromString(f.name), f.digested("own")
	first, second := f.repository()+"/first@"+shared.String(), f.repository()+"/second@"+shared.String()
	byPerson := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: f.name}, DockerImageReference: own}
	f.create(byPerson, deployment(ns, "one", first, own))
	f.discovers(first)
	f.create(deployment(ns, "two", second))
	f.discovers(first, second)
	hash := sha256.Sum256([]byte(f.repository() + "/second"))
	var image imagev1.Image
	name := "sha256-" + shared.Encoded() + "-" + hex.EncodeToString(hash[:])[:10]
	if err := testClient.Get(f.ctx, client.ObjectKey{Name: name}, &image); err != nil || image.DockerImageReference != second {
		t.Errorf("Image %s: %v", name, err)
	}
	f.verdict(name, metav1.ConditionUnknown, assayv1alpha1.ReasonSignaturesUnavailable)
}

// Policies and namespaces opt out, and in.
func TestDiscoveryOptOut(t *testing.T) {
	f := newFixture(t)
	f.deleteDiscovered()
	in, out := f.namespace(""), f.namespace("-out", assayv1alpha1.DiscoveryLabel+"="+assayv1alpha1.DiscoveryLabelDisabled)
	disabled, enabled := f.policy(newSigner("a")), f.policy(newSigner("a"))
	disabled.Name += "-disabled"
	disabled.Spec.Scopes = scopes(f.repository() + "/private")
	disabled.Spec.Discovery = assayv1alpha1.DiscoveryDisabled
	second := disabled.DeepCopy()
	second.Name += "-second"
	second.Spec.Discovery = ""
	f.create(disabled, second, enabled)
	f.create(deployment(in, "web", f.digested("app"), f.digested("private/app")), deployment(out, "web", f.digested("out"), f.digested("app")))
	f.discovers(f.digested("app"))
	update(f, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: out}}, func(ns *corev1.Namespace) { delete(ns.Labels, assayv1alpha1.DiscoveryLabel) })
	f.discovers(f.digested("app"), f.digested("out"))
	update(f, disabled, func(p *assayv1alpha1.TrustPolicy) { p.Spec.Discovery = assayv1alpha1.DiscoveryEnabled })
	f.discovers(f.digested("app"), f.digested("out"), f.digested("private/app"))
}

// An Image that no workload uses is marked, and deleted after a time; one that is used again, or
// is a person's, stays.
func TestDiscoveryGarbage(t *testing.T) {
	f := newFixture(t)
	f.deleteDiscovered()
	ns := f.namespace("")
	clock := clocktesting.NewFakePassiveClock(time.Now())
	byPerson := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: f.name}, DockerImageReference: f.digested("person")}
	f.create(f.policy(newSigner("a")), byPerson)
	gone, again := deployment(ns, "gone", f.digested("gone"), f.digested("person")), deployment(ns, "again", f.digested("again"))
	f.create(gone, again)
	f.discovers(f.digested("gone"), f.digested("again"))
	// One that is not verified is deleted without a mark.
	for _, path := range []string{"gone", "again"} {
		d := digest.FromString(f.name + path)
		image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: "sha256-" + d.Encoded()}}
		repository, _, _ := strings.Cut(f.digested(path), "@")
		update(f, image, func(image *imagev1.Image) {
			image.Signatures = []imagev1.ImageSignature{{Type: imagev1.SignatureTypeAtomic, Content: newSigner("a").sign(d, repository+":v1")}}
		})
		f.verdict(image.Name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	}
	second := startDiscovery(f, clock, nil)
	for _, d := range []*appsv1.Deployment{gone, again} {
		if err := testClient.Delete(f.ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	// The clock of the second operator runs ahead of that of the first. Any event makes it look.
	look := func(ahead time.Duration) {
		clock.SetTime(clock.Now().Add(ahead))
		second()
	}
	unusedSince := func(path string) *metav1.Time {
		var image imagev1.Image
		if err := testClient.Get(f.ctx, client.ObjectKey{Name: "sha256-" + digest.FromString(f.name+path).Encoded()}, &image); err != nil {
			return &metav1.Time{}
		}
		return image.Status.UnusedSince
	}
	f.eventually("marks", func() (bool, string) {
		look(time.Minute)
		a, b := unusedSince("gone"), unusedSince("again")
		return !a.IsZero() && !b.IsZero(), fmt.Sprint(a, b)
	})
	marked := unusedSince("gone")
	look(time.Hour)
	f.create(deployment(ns, "again2", f.digested("again")))
	f.eventually("the mark to go", func() (bool, string) {
		b := unusedSince("again")
		return b == nil, fmt.Sprint(b)
	})
	if again := unusedSince("gone"); !again.Equal(marked) {
		t.Errorf("the mark has moved from %s to %s", marked, again)
	}
	clock.SetTime(marked.Add(168 * time.Hour))
	f.eventually("the unused Image to go", func() (bool, string) {
		second()
		got := f.discoveredReferences()
		return slices.Equal(got, []string{f.digested("again")}), fmt.Sprint(got)
	})
	if err := testClient.Get(f.ctx, client.ObjectKeyFromObject(byPerson), byPerson); err != nil {
		t.Errorf("a person's Image: %v", err)
	}
}

// startDiscovery runs discovery alone, beside the operator, with a clock of its own. It returns a
// function that makes it look.
func startDiscovery(f *fixture, clock *clocktesting.FakePassiveClock, resolver discovery.Resolver) (look func()) {
	f.Helper()
	mgr, err := newTestManager(testConfig)
	if err != nil {
		f.Fatal(err)
	}
	watcher, err := references.NewWatcher(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		f.Fatal(err)
	}
	r := &discovery.Reconciler{
		Client: mgr.GetClient(), References: watcher, Trust: &trust.Store{Client: mgr.GetClient(), Namespace: testNamespace},
		Resolver: resolver, Recorder: mgr.GetEventRecorder("test"), Clock: clock, Retention: 168 * time.Hour,
	}
	if err := r.SetupWithManager(mgr); err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	f.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			f.Error(err)
		}
	})
	poke := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.name + "-poke"}}
	f.create(poke)
	return func() {
		f.Helper()
		update(f, poke, func(ns *corev1.Namespace) {
			if ns.Labels == nil {
				ns.Labels = map[string]string{}
			}
			if ns.Labels[assayv1alpha1.DiscoveryLabel] == "" {
				ns.Labels[assayv1alpha1.DiscoveryLabel] = assayv1alpha1.DiscoveryLabelDisabled
			} else {
				delete(ns.Labels, assayv1alpha1.DiscoveryLabel)
			}
		})
	}
}

// A tag is looked up once after a start, again after a while, and not after a restart. When it
// moves, the Image of its new digest appears.
func TestDiscoveryTags(t *testing.T) {
	f := newFixture(t)
	f.deleteDiscovered()
	ns := f.namespace("")
	tag := f.repository() + "/app:v1"
	before, after := f.repository()+"/app@"+digest.FromString(f.name+"app").String(), f.repository()+"/app@"+digest.FromString(f.name+"app2").String()
	testTags.set(tag, digest.FromString(f.name+"app"))
	f.create(f.policy(newSigner("a")), deployment(ns, "web", tag))
	f.discovers(before)
	tagsOf(f, "app", "v1")
	if n := testTags.count(tag); n != 1 {
		t.Errorf("the tag was looked up %d times", n)
	}
	clock := clocktesting.NewFakePassiveClock(time.Now())
	restarted := &tagMap{digests: map[string]digest.Digest{tag: digest.FromString(f.name + "app2")}, asked: map[string]int{}}
	look := startDiscovery(f, clock, restarted)
	// It has looked around once it asks for a tag that is new.
	probe := f.repository() + "/probe:v1"
	f.create(deployment(ns, "probe", probe))
	f.eventually("a lookup of a new tag", func() (bool, string) { return restarted.count(probe) > 0, "" })
	if n := restarted.count(tag); n != 0 {
		t.Errorf("the tag was looked up %d times after a restart", n)
	}
	clock.SetTime(clock.Now().Add(17 * time.Minute))
	f.eventually("an Image of the new digest", func() (bool, string) {
		clock.SetTime(clock.Now().Add(time.Second))
		look()
		got := f.discoveredReferences()
		return len(got) == 2 && slices.Contains(got, before) && slices.Contains(got, after), fmt.Sprint(got)
	})
}
