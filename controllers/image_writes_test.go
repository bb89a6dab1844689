// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers/image"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verdictcache"
	"github.com/assay-project/assay/internal/verify"
)

// errKilled stands for a process that ends in the middle of a reconciliation.
var errKilled = errors.New("killed")

// writeHooks are called before each write that a reconciler does; an error takes the
// place of the write.
type writeHooks struct {
	patches, statusPatches atomic.Int32
	beforePatch            func() error
	beforeStatusPatch      func() error
}

// reconciler returns a reconciler of its own, beside the running operator, that reads the
// API server itself and whose clock stands still at now.
func (h *writeHooks) reconciler(f *fixture, now time.Time) *image.Reconciler {
	f.Helper()
	direct, hooked := h.clients(f)
	return &image.Reconciler{
		Client: hooked, Evaluator: newEvaluator(direct, now), Recorder: events.NewFakeRecorder(16), RecheckInterval: time.Hour,
	}
}

// clients returns a client that reads and writes the API server itself, and one whose writes call
// the hooks first.
func (h *writeHooks) clients(f *fixture) (direct, hooked client.WithWatch) {
	f.Helper()
	direct, err := client.NewWithWatch(testConfig, client.Options{Scheme: cachedClient.Scheme()})
	if err != nil {
		f.Fatal(err)
	}
	return direct, interceptor.NewClient(direct, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
			h.patches.Add(1)
			if h.beforePatch != nil {
				if err := h.beforePatch(); err != nil {
					return err
				}
			}
			return c.Patch(ctx, obj, patch, opts...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			h.statusPatches.Add(1)
			if h.beforeStatusPatch != nil {
				if err := h.beforeStatusPatch(); err != nil {
					return err
				}
			}
			return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
		},
	})
}

// newEvaluator returns an evaluator of its own, whose clock stands still at now.
func newEvaluator(reader client.Reader, now time.Time) *image.Evaluator {
	return &image.Evaluator{
		Client:   reader,
		Trust:    &trust.Store{Client: reader, Namespace: testNamespace, Formats: signature.Formats()},
		Verifier: verify.New(signature.Formats()...),
		Verdicts: verdictcache.New(),
		Clock:    clocktesting.NewFakePassiveClock(now),
	}
}

// conflictRetry bounds how soon a write that conflicted is tried again.
const conflictRetry = time.Second

// reconcile reconciles the fixture's image once, with the hooks in place.
func (h *writeHooks) reconcile(f *fixture, now time.Time) (ctrl.Result, error) {
	f.Helper()
	return h.reconciler(f, now).Reconcile(f.ctx, ctrl.Request{NamespacedName: client.ObjectKey{Name: f.name}})
}

func (f *fixture) get() *imagev1.Image {
	f.Helper()
	var image imagev1.Image
	if err := testClient.Get(f.ctx, client.ObjectKey{Name: f.name}, &image); err != nil {
		f.Fatal(err)
	}
	return &image
}

// byHand creates a policy and an image that the running operator does not see.
func byHand(t *testing.T) (*fixture, *imagev1.Image) {
	f := newFixture(t)
	release := newSigner("release")
	image := f.image(release)
	image.Labels = map[string]string{byHandLabel: ""}
	f.create(f.policy(release), image)
	return f, image
}

// verifiedAtRest returns an image by hand that was verified at the time testNow.
func verifiedAtRest(t *testing.T) (*fixture, *imagev1.Image) {
	f, _ := byHand(t)
	if _, err := (&writeHooks{}).reconcile(f, testNow); err != nil {
		t.Fatal(err)
	}
	return f, f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
}

// testNow is when the reconcilers of these tests run, long after everything was signed.
var testNow = time.Unix(signed, 0).Add(1000 * time.Hour)

func TestSecondReconcileWritesNothing(t *testing.T) {
	f, before := verifiedAtRest(t)
	hooks := &writeHooks{}
	for _, now := range []time.Time{testNow, testNow.Add(time.Second), testNow.Add(50 * time.Minute)} {
		if _, err := hooks.reconcile(f, now); err != nil {
			t.Fatal(err)
		}
	}
	if p, s := hooks.patches.Load(), hooks.statusPatches.Load(); p != 0 || s != 0 {
		t.Errorf("%d patches and %d status patches of an unchanged image, want none", p, s)
	}
	if after := f.get(); after.ResourceVersion != before.ResourceVersion {
		t.Errorf("resource version went from %s to %s", before.ResourceVersion, after.ResourceVersion)
	}
}

// The operator's cache leaves most of an Image out; nothing of that may be written back.
func TestCachedImagesLoseNothing(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	const manifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
		`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":2},"layers":[]}`
	d := digest.FromString(manifest)
	image := f.image(release)
	image.Annotations = map[string]string{"example.com/owner": "shop"}
	image.DockerImageReference = f.repository() + ":v1"
	image.DockerImageManifest = manifest
	image.DockerImageConfig = `{"os":"linux"}`
	image.DockerImageMetadata.Raw = []byte(`{"Id":"abc"}`)
	image.DockerImageLayers = []imagev1.ImageLayer{{Name: "sha256:1", LayerSize: 1}}
	image.DockerImageSignatures = [][]byte{[]byte("jws")}
	image.DockerImageManifests = []imagev1.ImageManifest{{Digest: "sha256:2"}}
	image.Signatures[0].Content = release.sign(d, f.repository()+":v1")
	want := image.DeepCopy()
	f.create(f.policy(release), image)
	got := f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	if got.Status.Digest != d.String() {
		t.Errorf("digest %s, want that of the manifest, %s", got.Status.Digest, d)
	}
	for _, i := range []*imagev1.Image{want, got} {
		i.ObjectMeta = metav1.ObjectMeta{Name: i.Name, Annotations: i.Annotations}
		i.Signatures, i.Status = nil, imagev1.ImageStatus{}
		i.TypeMeta = metav1.TypeMeta{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the operator's writes changed what is not theirs (-want +got):\n%s", diff)
	}
}

func TestOneWriteForEachPart(t *testing.T) {
	f, _ := byHand(t)
	hooks := &writeHooks{}
	if _, err := hooks.reconcile(f, testNow); err != nil {
		t.Fatal(err)
	}
	if p, s := hooks.patches.Load(), hooks.statusPatches.Load(); p != 1 || s != 1 {
		t.Errorf("%d patches and %d status patches of a new image, want one each", p, s)
	}
}

func TestProbeRefreshesProbeTimeOnly(t *testing.T) {
	f, before := verifiedAtRest(t)
	later := testNow.Add(2 * time.Hour)
	if _, err := (&writeHooks{}).reconcile(f, later); err != nil {
		t.Fatal(err)
	}
	after := f.get()
	for i, c := range after.Signatures[0].Conditions {
		if !c.LastProbeTime.Time.Equal(later) {
			t.Errorf("%s: lastProbeTime %s, want %s", c.Type, c.LastProbeTime, later)
		}
		if want := before.Signatures[0].Conditions[i].LastTransitionTime; !c.LastTransitionTime.Equal(&want) {
			t.Errorf("%s: lastTransitionTime %s, want %s as before", c.Type, c.LastTransitionTime, want)
		}
	}
	if diff := cmp.Diff(before.Signatures, after.Signatures, ignoreTimes); diff != "" {
		t.Errorf("a probe changed more than its time (-before +after):\n%s", diff)
	}
}

func TestTransitionTimeMovesWithTheStatus(t *testing.T) {
	f, image := verifiedAtRest(t)
	update(f, &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: f.name}}, func(p *assayv1alpha1.TrustPolicy) {
		p.Spec = f.policy(newSigner("other")).Spec
	})
	later := testNow.Add(time.Minute)
	if _, err := (&writeHooks{}).reconcile(f, later); err != nil {
		t.Fatal(err)
	}
	image = f.verdict(image.Name, metav1.ConditionFalse, assayv1alpha1.ReasonUntrustedKey)
	for _, c := range image.Signatures[0].Conditions {
		if !c.LastTransitionTime.Time.Equal(later) || !c.LastProbeTime.Time.Equal(later) {
			t.Errorf("%s: transition %s, probe %s, want %s for both", c.Type, c.LastTransitionTime, c.LastProbeTime, later)
		}
	}
}

func TestProbeOnRequest(t *testing.T) {
	f, image := verifiedAtRest(t)
	const request = "2026-01-02T03:04:05Z"
	update(f, image, func(i *imagev1.Image) {
		i.Annotations = map[string]string{assayv1alpha1.RecheckRequestedAtAnnotation: request}
	})
	hooks := &writeHooks{}
	soon := testNow.Add(time.Second)
	for range 2 {
		if _, err := hooks.reconcile(f, soon); err != nil {
			t.Fatal(err)
		}
	}
	got := f.get()
	if got.Status.LastHandledRecheckRequest != request {
		t.Errorf("lastHandledRecheckRequest %q, want %q", got.Status.LastHandledRecheckRequest, request)
	}
	if at := got.Signatures[0].Conditions[0].LastProbeTime; !at.Time.Equal(soon) {
		t.Errorf("lastProbeTime %s, want %s", at, soon)
	}
	if p, s := hooks.patches.Load(), hooks.statusPatches.Load(); p != 1 || s != 1 {
		t.Errorf("%d patches and %d status patches for one request, want one each", p, s)
	}
}

func TestConflictingWriterLosesNothing(t *testing.T) {
	f, image := byHand(t)
	hooks := &writeHooks{}
	hooks.beforePatch = func() error {
		hooks.beforePatch = nil
		update(f, image, func(i *imagev1.Image) {
			i.DockerImageConfig = `{"architecture":"amd64"}`
			i.Labels["team"] = "shop"
		})
		return nil
	}
	result, err := hooks.reconcile(f, testNow)
	if err != nil || result.RequeueAfter <= 0 || result.RequeueAfter > conflictRetry {
		t.Fatalf("got %+v, %v; want a retry without an error", result, err)
	}
	if _, err := hooks.reconcile(f, testNow); err != nil {
		t.Fatal(err)
	}
	got := f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	if got.DockerImageConfig == "" || got.Labels["team"] != "shop" {
		t.Errorf("another writer's change is lost: %q, %v", got.DockerImageConfig, got.Labels)
	}
}

// Somebody who writes an Image all the time, and is always faster, does not keep a verdict in
// its status that no longer holds.
func TestFasterWriterKeepsNoOldVerdict(t *testing.T) {
	f, image := verifiedAtRest(t)
	update(f, f.policy(), func(p *assayv1alpha1.TrustPolicy) { p.Spec.Keys = f.policy(newSigner("another")).Spec.Keys })
	hooks := &writeHooks{}
	n := 0
	faster := func() error {
		n++
		update(f, image, func(i *imagev1.Image) { i.Annotations = map[string]string{"test.assay.dev/n": fmt.Sprint(n)} })
		return nil
	}
	hooks.beforePatch, hooks.beforeStatusPatch = faster, faster
	if _, err := hooks.reconcile(f, testNow); err != nil {
		t.Fatal(err)
	}
	got := f.get()
	condition := meta.FindStatusCondition(got.Status.Conditions, assayv1alpha1.VerifiedCondition)
	if condition == nil || condition.Status != metav1.ConditionFalse {
		t.Errorf("the condition is %+v, want False", condition)
	}
	if n < 2 {
		t.Errorf("somebody was faster %d times, want before each write", n)
	}
}

func TestKilledBetweenTheWrites(t *testing.T) {
	f, _ := byHand(t)
	hooks := &writeHooks{beforeStatusPatch: func() error { return errKilled }}
	if _, err := hooks.reconcile(f, testNow); !errors.Is(err, errKilled) {
		t.Fatalf("got %v, want the end of the process", err)
	}
	between := f.get()
	if len(between.Signatures[0].Conditions) != 2 || len(between.Status.Conditions) != 0 {
		t.Fatalf("want signatures written and status not: %+v", between)
	}
	next := &writeHooks{}
	if _, err := next.reconcile(f, testNow.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if p, s := next.patches.Load(), next.statusPatches.Load(); p != 0 || s != 1 {
		t.Errorf("%d patches and %d status patches, want the missing one only", p, s)
	}
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
}

// Whatever keeps the signatures from being written must not keep an old verdict in the status.
func TestStatusIsWrittenWhenSignaturesCannotBe(t *testing.T) {
	f, _ := verifiedAtRest(t)
	update(f, &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: f.name}}, func(p *assayv1alpha1.TrustPolicy) {
		p.Spec = f.policy(newSigner("other")).Spec
	})
	refusedByAdmission := errors.New("refused by an admission policy")
	hooks := &writeHooks{beforePatch: func() error { return refusedByAdmission }}
	if _, err := hooks.reconcile(f, testNow.Add(time.Minute)); !errors.Is(err, refusedByAdmission) {
		t.Fatalf("got %v, want the refusal, so that it is tried again", err)
	}
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonUntrustedKey)
}

func TestImageThatGoesMeanwhile(t *testing.T) {
	f, image := byHand(t)
	hooks := &writeHooks{beforePatch: func() error { return testClient.Delete(f.ctx, image) }}
	if result, err := hooks.reconcile(f, testNow); err != nil || result.RequeueAfter > conflictRetry {
		t.Errorf("got %+v, %v; want no error", result, err)
	}
	if result, err := (&writeHooks{}).reconcile(f, testNow); err != nil || !result.IsZero() {
		t.Errorf("got %+v, %v for an image that is gone; want nothing", result, err)
	}
}

func TestEventOnTransition(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	f.create(f.policy(release), f.image(release))
	image := f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	f.eventually("an event", func() (bool, string) {
		var list eventsv1.EventList
		if err := testClient.List(f.ctx, &list, client.InNamespace(metav1.NamespaceDefault)); err != nil {
			return false, err.Error()
		}
		for i := range list.Items {
			e := &list.Items[i]
			if e.Regarding.UID == image.UID && e.Reason == assayv1alpha1.ReasonVerified && e.Action == "Verify" {
				return true, ""
			}
		}
		return false, "none"
	})
}
