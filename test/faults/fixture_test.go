// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

const (
	// testLabel is the label with the name of the test on all of its objects.
	testLabel = "faults.assay.dev/test"
	// setup is the number of objects created concurrently.
	setup = 8
)

// The signers. Their keys derive from the name.
var (
	release = fixture.Key("release")
	audited = fixture.Key("audit")
)

// verdict is a status and reason of the Verified condition.
type verdict struct {
	status metav1.ConditionStatus
	reason string
}

var (
	verified  = verdict{metav1.ConditionTrue, assayv1alpha1.ReasonVerified}
	untrusted = verdict{metav1.ConditionFalse, assayv1alpha1.ReasonUntrustedKey}
	revoked   = verdict{metav1.ConditionFalse, assayv1alpha1.ReasonKeyRevoked}
	noPolicy  = verdict{metav1.ConditionUnknown, assayv1alpha1.ReasonNoTrustPolicy}
	noKeys    = verdict{metav1.ConditionUnknown, assayv1alpha1.ReasonKeysUnavailable}
)

// scenario is one test with a policy that reads its keys from a Secret, and images in its scope.
type scenario struct {
	*testing.T
	name string
	// host of the scope, registry.example.com if it is empty.
	host   string
	secret *corev1.Secret
	policy *assayv1alpha1.TrustPolicy
	// want are the expected verdicts by the names of the images.
	want map[string]verdict
}

// newScenario creates a policy that trusts the release key.
func newScenario(t *testing.T, name string) *scenario {
	t.Helper()
	return newScenarioAt(t, name, "")
}

// newScenarioAt is newScenario with images of a host.
func newScenarioAt(t *testing.T, name, host string) *scenario {
	t.Helper()
	s := &scenario{T: t, name: name, host: host, want: map[string]verdict{}}
	labels := map[string]string{testLabel: name}
	s.secret = &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: manager.Namespace, Name: name, Labels: labels},
		Data:       map[string][]byte{"release.asc": fixture.PublicKey(release)},
	}
	s.policy = &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	s.policy.Spec.Scopes = []assayv1alpha1.Scope{assayv1alpha1.Scope(s.repository())}
	s.policy.Spec.Keys = []assayv1alpha1.TrustedKey{{Name: "release", SecretRef: &assayv1alpha1.KeySourceRef{Name: name}}}
	s.create(s.secret)
	s.create(s.policy)
	t.Cleanup(func() {
		// The test's context has ended.
		s.deleteAll(context.Background())
	})
	return s
}

func (s *scenario) deleteAll(ctx context.Context) {
	labels := client.MatchingLabels{testLabel: s.name}
	for _, err := range []error{
		admin.DeleteAllOf(ctx, &imagev1.Image{}, labels),
		admin.DeleteAllOf(ctx, &assayv1alpha1.TrustPolicy{}, labels),
		admin.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(manager.Namespace), labels),
	} {
		if err != nil {
			s.Error(err)
		}
	}
}

func (s *scenario) repository() string { return cmp.Or(s.host, "registry.example.com") + "/" + s.name }

func (s *scenario) create(obj client.Object) {
	s.Helper()
	if err := admin.Create(s.Context(), obj); err != nil {
		s.Fatal(err)
	}
}

// image returns an Image with signatures by the keys.
func (s *scenario) image(n int, keys ...*pgp.Key) *imagev1.Image {
	name := fmt.Sprintf("%s-%d", s.name, n)
	d := digest.FromString(name)
	image := &imagev1.Image{
		ObjectMeta:           metav1.ObjectMeta{Name: name, Labels: map[string]string{testLabel: s.name}},
		DockerImageReference: s.repository() + "@" + d.String(),
	}
	for _, key := range keys {
		image.Signatures = append(image.Signatures, fixture.Signature(s.repository(), d, key))
	}
	return image
}

// createImages creates n images, every third of them signed by an untrusted key.
func (s *scenario) createImages(n int) {
	s.Helper()
	numbers := make(chan int)
	var workers sync.WaitGroup
	errs := make(chan error, n)
	for range setup {
		workers.Go(func() {
			for i := range numbers {
				key := release
				if i%3 == 0 {
					key = audited
				}
				errs <- admin.Create(s.Context(), s.image(i, key))
			}
		})
	}
	for i := range n {
		s.want[fmt.Sprintf("%s-%d", s.name, i)] = verified
		if i%3 == 0 {
			s.want[fmt.Sprintf("%s-%d", s.name, i)] = untrusted
		}
		numbers <- i
	}
	close(numbers)
	workers.Wait()
	for range n {
		if err := <-errs; err != nil {
			s.Fatal(err)
		}
	}
}

// expect replaces one expected verdict by another.
func (s *scenario) expect(instead, of verdict) {
	for name, v := range s.want {
		if v == of {
			s.want[name] = instead
		}
	}
}

// startManager runs the manager until the end of the test or earlier.
func (s *scenario) startManager(args ...string) *manager.Manager {
	s.Helper()
	return fixture.StartManager(s.T, program, kubeconfig, args...)
}

func (s *scenario) eventually(what string, holds func(context.Context) (bool, string)) {
	s.Helper()
	fixture.Eventually(s.T, what, holds)
}

// expectOf sets the expected verdict of some images.
func (s *scenario) expectOf(v verdict, names ...string) {
	for _, name := range names {
		s.want[name] = v
	}
}

// settleNames waits until some images, all that are expected if none are named, have the expected
// verdict for their current generation. The scenario may have others.
func (s *scenario) settleNames(names ...string) {
	s.Helper()
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(s.want))
	}
	s.eventually("verdicts", func(ctx context.Context) (bool, string) {
		for _, name := range names {
			var image imagev1.Image
			if err := admin.Get(ctx, client.ObjectKey{Name: name}, &image); err != nil {
				return false, err.Error()
			}
			if ok, seen := s.isDue(&image); !ok {
				return false, seen
			}
		}
		return true, ""
	})
}

// settle waits until every image has the expected verdict for its current generation.
func (s *scenario) settle() {
	s.Helper()
	s.eventually("the verdicts that are due", func(ctx context.Context) (bool, string) {
		var list imagev1.ImageList
		if err := admin.List(ctx, &list, client.MatchingLabels{testLabel: s.name}); err != nil {
			return false, err.Error()
		}
		if len(list.Items) != len(s.want) {
			return false, fmt.Sprintf("%d images, want %d", len(list.Items), len(s.want))
		}
		for i := range list.Items {
			if ok, seen := s.isDue(&list.Items[i]); !ok {
				return false, seen
			}
		}
		return true, ""
	})
}

func (s *scenario) isDue(image *imagev1.Image) (bool, string) {
	c := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.VerifiedCondition)
	if c == nil {
		return false, image.Name + " has no verdict"
	}
	want := s.want[image.Name]
	return verdict{c.Status, c.Reason} == want && c.ObservedGeneration == image.Generation,
		fmt.Sprintf("%s is %s (%s), want %s (%s): %s", image.Name, c.Status, c.Reason, want.status, want.reason, c.Message)
}

// setKey replaces the key file of the release key.
func (s *scenario) setKey(data []byte) {
	s.Helper()
	s.eventually("the Secret to be updated", func(ctx context.Context) (bool, string) {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(s.secret), s.secret); err != nil {
			return false, err.Error()
		}
		s.secret.Data = map[string][]byte{"release.asc": data}
		err := admin.Update(ctx, s.secret)
		return err == nil, fmt.Sprint(err)
	})
}
