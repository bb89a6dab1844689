// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers/importer"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/trust"
)

// byHandImporter is an importer whose steps a test takes. A new one is a process that was started
// again.
type byHandImporter struct {
	*importer.Reconciler
	f     *fixture
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
}

func (h *writeHooks) importer(f *fixture, now time.Time) *byHandImporter {
	f.Helper()
	direct, hooked := h.clients(f)
	clock := clocktesting.NewFakePassiveClock(now)
	configs := &importer.Configs{Client: direct, Namespace: testNamespace, Network: testNetwork()}
	store := &trust.Store{Client: direct, Namespace: testNamespace, Formats: signature.Formats()}
	i := &byHandImporter{f: f, Reconciler: &importer.Reconciler{
		Client: hooked, Planner: &importer.Planner{Configs: configs, Trust: store}, Recorder: events.NewFakeRecorder(16), Clock: clock,
	}}
	i.queue = workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	f.Cleanup(i.queue.ShutDown)
	if err := i.Lead(f.ctx, i.queue); err != nil {
		f.Fatal(err)
	}
	return i
}

func (i *byHandImporter) reconcile() (ctrl.Result, error) {
	return i.Reconcile(i.f.ctx, ctrl.Request{NamespacedName: client.ObjectKey{Name: i.f.name}})
}

// fetch reconciles, waits until the stores have answered, and reconciles again.
func (i *byHandImporter) fetch() (ctrl.Result, error) {
	i.f.Helper()
	if _, err := i.reconcile(); err != nil {
		return ctrl.Result{}, err
	}
	stop := time.AfterFunc(verdictTimeout, i.queue.ShutDown)
	defer stop.Stop()
	request, shutdown := i.queue.Get()
	if shutdown {
		i.f.Fatal("no store was asked")
	}
	i.queue.Done(request)
	return i.Reconcile(i.f.ctx, request)
}

// importByHand creates an image with a signature in a store, that the running operator does not see.
func importByHand(t *testing.T) (*fixture, *registryServer) {
	f := newFixture(t)
	s := f.registryServer()
	release := newSigner("release")
	d := s.serveManifest(ociManifest, testManifest)
	s.serveSignatures(d, release.sign(d, s.repository()+":v1"))
	image := s.importing(d)
	image.Labels = map[string]string{byHandLabel: ""}
	f.create(s.withLookaside(), s.policy(release), image)
	return f, s
}

// signaturesOf are the names of the test's signatures.
func (f *fixture) signaturesOf() []string {
	var names []string
	for _, s := range f.get().Signatures {
		names = append(names, s.Name)
	}
	return names
}

// TestImportKilled ends the process before each write, and starts it again: nothing is lost and
// nothing is there twice.
func TestImportKilled(t *testing.T) {
	for name, kill := range map[string]func(*writeHooks){
		"before-signatures": func(h *writeHooks) { h.beforePatch = func() error { return errKilled } },
		"before-status":     func(h *writeHooks) { h.beforeStatusPatch = func() error { return errKilled } },
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := importByHand(t)
			hooks := &writeHooks{}
			kill(hooks)
			if _, err := hooks.importer(f, testNow).fetch(); !errors.Is(err, errKilled) {
				t.Fatalf("error %v", err)
			}
			if f.get().Status.Import != nil {
				t.Error("the status is there before the signatures count as fetched")
			}
			if _, err := (&writeHooks{}).importer(f, testNow.Add(time.Second)).fetch(); err != nil {
				t.Fatal(err)
			}
			if names := f.signaturesOf(); len(names) != 1 || f.get().Status.Import == nil {
				t.Errorf("signatures %q, import %v", names, f.get().Status.Import)
			}
		})
	}
}

// TestImportConflict checks that a result is kept when another writer was faster, and that neither
// undoes what the other wrote. The stores are not asked again for it.
func TestImportConflict(t *testing.T) {
	for name, where := range map[string]func(*writeHooks, func() error){
		"signatures": func(h *writeHooks, f func() error) { h.beforePatch = f },
		"status":     func(h *writeHooks, f func() error) { h.beforeStatusPatch = f },
	} {
		t.Run(name, func(t *testing.T) {
			f, s := importByHand(t)
			hooks, once := &writeHooks{}, false
			where(hooks, func() error {
				if once {
					return nil
				}
				once = true
				image := f.get()
				image.Signatures = append(image.Signatures, imagev1.ImageSignature{SignatureMeta: imagev1.SignatureMeta{Name: "mine"}, Type: "atomic", Content: []byte("x")})
				return testClient.Update(f.ctx, image)
			})
			i := hooks.importer(f, testNow)
			result, err := i.fetch()
			if err != nil || result.RequeueAfter == 0 || result.RequeueAfter > time.Second {
				t.Fatalf("%+v, %v", result, err)
			}
			requests := s.seen("/")
			if _, err := i.reconcile(); err != nil {
				t.Fatal(err)
			}
			if names := f.signaturesOf(); len(names) != 2 || f.get().Status.Import == nil {
				t.Errorf("signatures %q", names)
			}
			if s.seen("/") != requests {
				t.Error("the stores are asked again")
			}
		})
	}
}

// TestImportAtRest checks that neither a reconciliation nor a restart asks a store or writes, for
// an image that is verified and for one that is not.
func TestImportAtRest(t *testing.T) {
	for name, verified := range map[string]bool{"verified": true, "refused": false} {
		t.Run(name, func(t *testing.T) {
			f, s := importByHand(t)
			if _, err := (&writeHooks{}).importer(f, testNow).fetch(); err != nil {
				t.Fatal(err)
			}
			if verified {
				if _, err := (&writeHooks{}).reconcile(f, testNow); err != nil {
					t.Fatal(err)
				}
				if !meta.IsStatusConditionTrue(f.get().Status.Conditions, assayv1alpha1.VerifiedCondition) {
					t.Fatal("the image is not verified")
				}
			}
			before, requests := f.get(), s.seen("/")
			hooks := &writeHooks{}
			for _, later := range []time.Duration{time.Minute, 10 * time.Hour} {
				i := hooks.importer(f, testNow.Add(later))
				for range 3 {
					result, err := i.reconcile()
					if err != nil || verified != (result.RequeueAfter == 0) {
						t.Errorf("%s later: %+v, %v", later, result, err)
					}
				}
				if i.queue.Len() != 0 {
					t.Errorf("%s later: a store was asked", later)
				}
			}
			if hooks.patches.Load()+hooks.statusPatches.Load() != 0 || s.seen("/") != requests || f.get().ResourceVersion != before.ResourceVersion {
				t.Errorf("%d writes, %d requests more", hooks.patches.Load()+hooks.statusPatches.Load(), s.seen("/")-requests)
			}
		})
	}
}

// TestWritersOfAnImage checks that package image leaves what the importer wrote, and the importer
// the verdict.
func TestWritersOfAnImage(t *testing.T) {
	f, _ := importByHand(t)
	if _, err := (&writeHooks{}).importer(f, testNow).fetch(); err != nil {
		t.Fatal(err)
	}
	fetched := f.get()
	if _, err := (&writeHooks{}).reconcile(f, testNow); err != nil {
		t.Fatal(err)
	}
	evaluated := f.get()
	if diff := cmp.Diff(fetched.Status.Import, evaluated.Status.Import); diff != "" {
		t.Errorf("status.import after the verdict (-before +after):\n%s", diff)
	}
	imported := func(image *imagev1.Image) *metav1.Condition {
		return meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.ImportedCondition)
	}
	if diff := cmp.Diff(imported(fetched), imported(evaluated)); diff != "" {
		t.Errorf("condition Imported after the verdict (-before +after):\n%s", diff)
	}
	// Somebody asks for a check, which makes both write again.
	update(f, &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: f.name}}, func(image *imagev1.Image) {
		metav1.SetMetaDataAnnotation(&image.ObjectMeta, assayv1alpha1.RecheckRequestedAtAnnotation, "now")
	})
	if _, err := (&writeHooks{}).importer(f, testNow.Add(time.Minute)).fetch(); err != nil {
		t.Fatal(err)
	}
	again := f.get()
	ignore := cmpopts.IgnoreFields(imagev1.ImageStatus{}, "Import")
	if diff := cmp.Diff(evaluated.Status, again.Status, ignore); diff != "" {
		t.Errorf("status after the second import (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(evaluated.Signatures, again.Signatures); diff != "" {
		t.Errorf("signatures after the second import (-before +after):\n%s", diff)
	}
	if again.Status.Import.LastHandledRecheckRequest != "now" {
		t.Errorf("status.import: %+v", again.Status.Import)
	}
}

// TestImportLeavesFaultyImages checks that an Image that the cache cannot read is not written: its
// signatures are unknown, and would be lost.
func TestImportLeavesFaultyImages(t *testing.T) {
	f, s := importByHand(t)
	update(f, &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: f.name}}, func(image *imagev1.Image) {
		for i := range 3 {
			image.Signatures = append(image.Signatures, imagev1.ImageSignature{
				SignatureMeta: imagev1.SignatureMeta{Name: fmt.Sprint(i)}, Type: "atomic", Content: make([]byte, 60<<10),
			})
		}
	})
	var cached imagecache.Image
	direct, _ := (&writeHooks{}).clients(f)
	if err := direct.Get(f.ctx, client.ObjectKey{Name: f.name}, &cached); err != nil || cached.Fault == nil {
		t.Fatalf("fault %v, %v", cached.Fault, err)
	}
	hooks := &writeHooks{}
	i := hooks.importer(f, testNow)
	if _, err := i.reconcile(); err != nil {
		t.Fatal(err)
	}
	if n := len(f.get().Signatures); n != 3 || hooks.patches.Load() != 0 || i.queue.Len() != 0 || s.seen("/") != 0 {
		t.Errorf("%d signatures, %d patches", n, hooks.patches.Load())
	}
}
