// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/fixture"
)

// await waits for a channel to be closed.
func (s *scenario) await(what string, done <-chan struct{}) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), fixture.Timeout)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
		s.Fatalf("waiting for %s: %v", what, ctx.Err())
	}
}

// TestKilledWhileImporting: managers die one after the other at random points of their requests. What
// one has stored, no other asks for again, and no signature is there twice.
func TestKilledWhileImporting(t *testing.T) {
	images, kills := sized(60, 500), sized(8, 40)
	numbers := random(t)
	s := newImportScenario(t, "killed-importing")
	s.createUnfetched(images)
	stored := map[string]int{}
	for n := range kills {
		// All that is not stored is asked for again, so that as many requests are still to come.
		left := requestsPerImage * (images - len(stored))
		reached := s.registry.after(1 + numbers.IntN(max(2*left/(kills-n+1), 1)))
		m := s.start()
		s.await("requests", reached)
		if err := m.Kill(); err != nil {
			t.Fatal(err)
		}
		s.unchanged(stored)
		maps.Copy(stored, s.fetched())
	}
	t.Logf("%d of %d images were stored when the last manager was killed", len(stored), images)
	if len(stored) == 0 || len(stored) == images {
		t.Error("no manager was killed in the middle")
	}
	s.start()
	s.settleFetched()
	s.unchanged(stored)
}

// TestAPIServerAwayWhileImporting: the API server crashes while signatures are fetched, and is away
// until the registry has answered everything. Nothing is asked for twice, and everything is stored.
func TestAPIServerAwayWhileImporting(t *testing.T) {
	images := sized(60, 500)
	s := newImportScenario(t, "apiserver-away-importing")
	s.createUnfetched(images)
	reached := s.registry.after(requestsPerImage * images / 4)
	m := s.start()
	s.await("requests", reached)
	before := s.fetched()
	crash(t, cp.APIServer)
	s.eventually("the answers about all images", func(context.Context) (bool, string) {
		all := s.registry.requests()
		return all >= requestsPerImage*images, fmt.Sprint(all)
	})
	start(t, cp.APIServer)
	s.settleFetched()
	s.unchanged(before)
	for name := range s.want {
		if n := s.registry.requestsAbout(name); n != requestsPerImage {
			t.Errorf("the registry was asked %d times about %s", n, name)
		}
	}
	if !m.Running() {
		t.Errorf("the manager has ended: %v", m.Err())
	}
}

// TestRegistryAway: the registry goes away while signatures are fetched from it. Images and the
// RegistryConfig say so, nobody is refused for that, and everything goes on by itself when it is back.
func TestRegistryAway(t *testing.T) {
	images := sized(60, 500)
	s := newImportScenario(t, "registry-away")
	s.createUnfetched(images)
	reached := s.registry.after(requestsPerImage * images / 3)
	s.start()
	s.await("requests", reached)
	s.registry.down()
	s.awaitReady(metav1.ConditionFalse, assayv1alpha1.ReasonUnavailable)
	failed := ""
	s.eventually("an image whose signatures are not available", func(ctx context.Context) (bool, string) {
		var list imagev1.ImageList
		err := admin.List(ctx, &list, client.MatchingLabels{testLabel: s.name})
		for _, image := range list.Items {
			c := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.VerifiedCondition)
			switch {
			case c != nil && c.Status == metav1.ConditionFalse:
				t.Fatalf("%s is refused: %s", image.Name, c.Message)
			case c != nil && c.Reason == assayv1alpha1.ReasonSignaturesUnavailable && resultOf(&image) == assayv1alpha1.ReasonStoreUnavailable:
				failed = image.Name
			}
		}
		return failed != "", fmt.Sprint(len(list.Items), " images ", err)
	})
	before := s.fetched()
	s.registry.up()
	s.settleFetched()
	s.unchanged(before)
	s.awaitReady(metav1.ConditionTrue, assayv1alpha1.ReasonReachable)
}

// testRegistryDown: the registry is down for a day. An image that is verified stays so and on the
// allowlist all the time, its registry is not asked, and a recheck that somebody requests takes
// nothing away. A new image is not refused, and is verified when the registry is back.
func testRegistryDown(t *testing.T, o *operator) {
	s := newImportScenario(t, "registry-down")
	old, fresh := s.unfetched(0), s.unfetched(1)
	s.create(old)
	s.want[old.Name] = verified
	s.settleFetched()
	s.untilListed(true, old.Name)
	s.registry.down()
	attempts := s.registry.refuse()
	observer := s.observe()
	s.pass(o, 24)
	if n := attempts(); n != 0 {
		t.Errorf("the registry of a verified image was asked %d times within a day", n)
	}
	observer.mu.Lock()
	if len(observer.listed) != 1 {
		t.Errorf("the allowlist had %v", observer.listed)
	}
	observer.signed[fresh.Name] = true
	observer.mu.Unlock()

	s.create(fresh)
	s.want[fresh.Name] = verdict{metav1.ConditionUnknown, assayv1alpha1.ReasonSignaturesUnavailable}
	s.settle()
	if err := mergePatch(t.Context(), old.Name, fmt.Sprintf(`{"metadata":{"annotations":{%q:"now"}}}`, assayv1alpha1.RecheckRequestedAtAnnotation)); err != nil {
		t.Fatal(err)
	}
	s.eventually("the recheck", func(ctx context.Context) (bool, string) {
		err := admin.Get(ctx, client.ObjectKeyFromObject(old), old)
		in := old.Status.Import
		return err == nil && in != nil && in.LastHandledRecheckRequest == "now" && in.Result == assayv1alpha1.ReasonStoreUnavailable, fmt.Sprintf("%+v, %v", in, err)
	})
	s.pass(o, 3)
	if attempts() == 0 {
		t.Error("nobody asked the registry for the new image")
	}

	s.registry.up()
	s.want[fresh.Name] = verified
	o.clock.advance(2 * time.Hour)
	s.settle()
	s.untilListed(true, old.Name, fresh.Name)
}

// pass lets hours pass for the operator. After each, verdicts are as expected, and the allowlist is
// valid and has the verified images.
func (s *importScenario) pass(o *operator, hours int) {
	s.Helper()
	for range hours {
		o.clock.advance(time.Hour)
		s.untilValid(o)
		s.settle()
		for name, want := range s.want {
			s.untilListed(want == verified, name)
		}
	}
}

// resultOf returns what came of the import of an Image, empty if nothing did yet.
func resultOf(image *imagev1.Image) string {
	if image.Status.Import == nil {
		return ""
	}
	return image.Status.Import.Result
}

// awaitReady waits until the RegistryConfig is in a state.
func (s *importScenario) awaitReady(status metav1.ConditionStatus, reason string) {
	s.Helper()
	s.eventually("the RegistryConfig to be "+reason, func(ctx context.Context) (bool, string) {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(s.config), s.config); err != nil {
			return false, err.Error()
		}
		c := meta.FindStatusCondition(s.config.Status.Conditions, assayv1alpha1.ReadyCondition)
		return c != nil && c.Status == status && c.Reason == reason, fmt.Sprintf("%+v", c)
	})
}

// deploy creates a Deployment with an image whose signature is in the registry, and waits until its
// Image is verified.
func (s *importScenario) deploy(n int) {
	s.Helper()
	image := s.unfetched(n)
	selector := map[string]string{"app": s.name}
	web := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: s.name},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: selector},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: selector}, Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "web", Image: image.DockerImageReference}},
			}},
		},
	}
	s.create(web)
	discovered := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: "sha256-" + digest.FromString(image.Name).Encoded()}}
	s.Cleanup(func() {
		for _, object := range []client.Object{web, discovered} {
			if err := client.IgnoreNotFound(admin.Delete(context.Background(), object)); err != nil {
				s.Error(err)
			}
		}
	})
	s.eventually("the discovered Image to be verified", func(ctx context.Context) (bool, string) {
		err := admin.Get(ctx, client.ObjectKeyFromObject(discovered), discovered)
		return err == nil && discovered.Status.Reason == assayv1alpha1.ReasonVerified, fmt.Sprint(discovered.Status.Reason, err)
	})
}

// TestRestartAsksNothing: a manager that starts with everything in its place sends no request to a
// registry and writes nothing.
func TestRestartAsksNothing(t *testing.T) {
	const images = 30
	s := newImportScenario(t, "restarted-importing")
	s.createUnfetched(images)
	first := s.start()
	s.settleFetched()
	s.deploy(images)
	s.awaitReady(metav1.ConditionTrue, assayv1alpha1.ReasonReachable)
	s.eventually("the counts", func(ctx context.Context) (bool, string) {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(s.config), s.config); err != nil {
			return false, err.Error()
		}
		if err := admin.Get(ctx, client.ObjectKeyFromObject(s.policy), s.policy); err != nil {
			return false, err.Error()
		}
		imported, counted := s.config.Status.Images, s.policy.Status.Images
		return imported != nil && counted != nil && *imported == assayv1alpha1.ImportCounts{Imported: images + 1} &&
			*counted == assayv1alpha1.ImageCounts{Verified: images + 1}, fmt.Sprintf("%+v, %+v", imported, counted)
	})
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	writes := len(audit.writes(t))
	requests := s.registry.requests()

	metrics := fixture.FreeAddress(t)
	second := s.start("--metrics-bind-address="+metrics, "--metrics-secure=false")
	s.eventually("every controller to have looked at everything", func(ctx context.Context) (bool, string) {
		for sample, least := range map[string]float64{
			`controller_runtime_reconcile_total{controller="importer"`:       images + 1,
			`controller_runtime_reconcile_total{controller="registryconfig"`: 1,
			`assay_verifications_total{`:                                     images + 1,
			`assay_discovery_references{state="verified"`:                    1,
		} {
			n, err := sumOf(ctx, metrics, sample)
			if err != nil || n < least {
				return false, fmt.Sprintf("%s: %v of %v, %v", sample, n, least, err)
			}
		}
		return true, ""
	})
	// A graceful stop completes ongoing work.
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	if written := audit.writes(t)[writes:]; len(written) > 0 {
		t.Errorf("a restart wrote %d times, first %+v", len(written), written[0])
	}
	if now := s.registry.requests(); now != requests {
		t.Errorf("a restart sent %d requests to the registry", now-requests)
	}
}
