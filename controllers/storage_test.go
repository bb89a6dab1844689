// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers/image"
)

// largeImages are Images that a stranger writes in a loop, and what a reconciler of its own stores of
// them. Nothing here goes by the time that passes: the clock of the reconciler is set by hand.
type largeImages struct {
	*fixture
	names      []string
	size       int
	hooks      *writeHooks
	clock      *clocktesting.FakePassiveClock
	reconciler *image.Reconciler
	signatures []imagev1.ImageSignature
}

func newLargeImages(t *testing.T, number, size int) *largeImages {
	t.Helper()
	f := newSerialFixture(t)
	release := newSigner("release")
	l := &largeImages{fixture: f, size: size, hooks: &writeHooks{}, clock: clocktesting.NewFakePassiveClock(testNow)}
	l.reconciler = l.hooks.reconciler(f, testNow)
	l.reconciler.Evaluator.Clock = l.clock
	l.reconciler.Recorder = events.NewFakeRecorder(16 * number) // Nobody reads them.
	f.create(f.policy(release))
	for i := range number {
		image := f.image(release)
		image.Name = fmt.Sprintf("%s-%d", f.name, i)
		image.Labels = map[string]string{byHandLabel: ""}
		image.DockerImageConfig = strings.Repeat("x", size)
		l.names, l.signatures = append(l.names, image.Name), image.Signatures
		f.create(image)
	}
	return l
}

// stored is how many bytes the reconciler has stored, at least.
func (l *largeImages) stored() int {
	return int(l.hooks.patches.Load()+l.hooks.statusPatches.Load()) * l.size
}

// reconcile lets the reconciler look at all Images at a time.
func (l *largeImages) reconcile(at time.Duration) {
	l.Helper()
	l.clock.SetTime(testNow.Add(at))
	for _, name := range l.names {
		if _, err := l.reconciler.Reconcile(l.ctx, ctrl.Request{NamespacedName: types.NamespacedName{Name: name}}); err != nil {
			l.Fatal(err)
		}
	}
}

// resign gives all Images other signatures.
func (l *largeImages) resign(signatures []imagev1.ImageSignature) {
	l.Helper()
	for _, name := range l.names {
		image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}}
		changed := image.DeepCopy()
		changed.Signatures = signatures
		if err := testClient.Patch(l.ctx, changed, client.MergeFrom(image)); err != nil {
			l.Fatal(err)
		}
	}
}

// TestLargeImagesAreWrittenAtABoundedRate writes large Images in a loop, whose verdict changes each
// time. What is stored for it stays within the burst and the rate, and nothing is lost.
func TestLargeImagesAreWrittenAtABoundedRate(t *testing.T) {
	const burst, rate = 64 << 20, 1 << 20 // controllers/image/budget.go
	const number, size = 56, 700 << 10    // Two writes of all are more than the burst.
	l := newLargeImages(t, number, size)
	within := func(at time.Duration) {
		t.Helper()
		if most := burst + rate*int(at/time.Second); l.stored() > most {
			t.Fatalf("%d MiB were stored after %s, want at most %d MiB", l.stored()>>20, at, most>>20)
		}
	}
	unsigned := []imagev1.ImageSignature{{Type: imagev1.SignatureTypeAtomicImageV1, Content: []byte("none")}}
	for range 2 {
		l.resign(unsigned)
		l.reconcile(0)
		within(0)
		unsigned[0].Content = append(unsigned[0].Content, '!')
	}
	if l.stored() < burst/2 {
		t.Errorf("%d MiB were stored, so that this tests nothing", l.stored()>>20)
	}
	l.reconcile(8 * time.Second)
	within(8 * time.Second)

	l.resign(l.signatures)
	const later = 3 * time.Minute
	l.reconcile(8 * time.Second) // Each gets its time.
	l.reconcile(later)
	for _, name := range l.names {
		l.verdict(name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	}
	within(later)
}

// TestWritesFollowThoseOfOthers patches usual Images in a loop. What Assay stores for that is at most
// twice what the stranger stores, and nothing once he is at rest: he cannot fill etcd by way of Assay
// much faster than by himself.
func TestWritesFollowThoseOfOthers(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	f.create(f.policy(release))
	live, err := client.NewWithWatch(testConfig, client.Options{Scheme: testClient.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	marked := client.MatchingLabels{"test": f.name}
	versions, err := live.Watch(f.ctx, &imagev1.ImageList{}, marked)
	if err != nil {
		t.Fatal(err)
	}
	defer versions.Stop()

	const number, rounds = 12, 8
	theirs := 0
	for i := range number {
		image := f.image(release)
		image.Name, image.Labels = fmt.Sprintf("%s-%d", f.name, i), marked
		f.create(image)
		theirs++
	}
	for round := range rounds {
		for i := range number {
			image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", f.name, i)}}
			changed := image.DeepCopy()
			changed.Signatures = f.image(release).Signatures
			if round < rounds-1 {
				changed.Signatures[0].Content = []byte(fmt.Sprint("round ", round))
			}
			if err := testClient.Patch(f.ctx, changed, client.MergeFrom(image)); err != nil {
				t.Fatal(err)
			}
			theirs++
		}
	}
	for i := range number {
		f.verdict(fmt.Sprintf("%s-%d", f.name, i), metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	}
	// What comes after is behind it in the watch.
	last := f.image(release)
	last.Name, last.Labels = f.name+"-last", marked
	f.create(last)
	f.verdict(last.Name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	ours := f.countVersions(versions, last.Name) - theirs
	if ours > 2*theirs || ours <= 0 {
		t.Errorf("Assay stored %d versions of Images for %d of others, want at most two for each", ours, theirs)
	}
}

// countVersions counts the versions of Images that a watch has until the one of a name is verified,
// without those of that one.
func (f *fixture) countVersions(versions watch.Interface, last string) int {
	f.Helper()
	count := 0
	for {
		select {
		case event := <-versions.ResultChan():
			image, ok := event.Object.(*imagev1.Image)
			if !ok {
				f.Fatalf("the watch has a %T", event.Object)
			}
			if image.Name != last {
				count++
				continue
			}
			for _, c := range image.Status.Conditions {
				if c.Type == assayv1alpha1.VerifiedCondition && c.Status == metav1.ConditionTrue {
					return count
				}
			}
		case <-f.ctx.Done():
			f.Fatal(f.ctx.Err())
		}
	}
}
