// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package kstatus

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/fixture"
)

var (
	imageKind  = imagev1.GroupVersion.WithKind("Image")
	policyKind = assayv1alpha1.GroupVersion.WithKind("TrustPolicy")
)

// computed waits until kstatus takes an object for a status, for a reason of the operator's,
// and returns the object.
func computed(t *testing.T, kind schema.GroupVersionKind, name string, want status.Status, reason string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(kind)
	fixture.Eventually(t, fmt.Sprintf("%s of %s %s", want, kind.Kind, name), func(ctx context.Context) (bool, string) {
		if err := admin.Get(ctx, client.ObjectKey{Name: name}, o); err != nil {
			return false, err.Error()
		}
		result, err := status.Compute(o)
		if err != nil {
			t.Fatal(err)
		}
		seen := fmt.Sprintf("%s: %s %+v", result.Status, result.Message, result.Conditions)
		if want == status.CurrentStatus {
			return result.Status == want, seen
		}
		return result.Status == want && result.Message != "" && len(result.Conditions) == 1 && result.Conditions[0].Reason == reason, seen
	})
	return o
}

// objects makes the objects of one test, with names of its own.
type objects struct {
	*testing.T
	name string
}

func newObjects(t *testing.T) objects { return objects{t, strings.ToLower(t.Name())} }

func (o objects) repository() string { return "registry.example.com/" + o.name }

func (o objects) create(list ...client.Object) {
	o.Helper()
	for _, object := range list {
		if err := admin.Create(o.Context(), object); err != nil {
			o.Fatal(err)
		}
	}
}

// image is signed with the key of a name.
func (o objects) image(signer string) *imagev1.Image {
	d := digest.FromString(o.name)
	return &imagev1.Image{
		ObjectMeta:           metav1.ObjectMeta{Name: o.name},
		DockerImageReference: o.repository() + "@" + d.String(),
		Signatures:           []imagev1.ImageSignature{fixture.Signature(o.repository(), d, fixture.Key(signer))},
	}
}

// policy reads its key from the Secret of secret.
func (o objects) policy() *assayv1alpha1.TrustPolicy {
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: o.name}}
	policy.Spec.Scopes = []assayv1alpha1.Scope{assayv1alpha1.Scope(o.repository())}
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{{Name: "release", SecretRef: &assayv1alpha1.KeySourceRef{Name: o.name}}}
	return policy
}

func (o objects) secret(key []byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: o.name}, Data: map[string][]byte{"key.asc": key},
	}
}

// TestFromWaitingToFailed goes through all that an Image and its policy can be: in progress
// as long as something is missing, current, failed once the image is refused, and current again.
func TestFromWaitingToFailed(t *testing.T) {
	o := newObjects(t)
	image, policy := o.image("release"), o.policy()
	o.create(image)
	computed(t, imageKind, o.name, status.InProgressStatus, assayv1alpha1.ReasonNoTrustPolicy)
	o.create(policy)
	computed(t, policyKind, o.name, status.InProgressStatus, assayv1alpha1.ReasonNoUsableKeys)
	computed(t, imageKind, o.name, status.InProgressStatus, assayv1alpha1.ReasonKeysUnavailable)

	secret := o.secret(fixture.PublicKey(fixture.Key("release")))
	o.create(secret)
	computed(t, policyKind, o.name, status.CurrentStatus, "")
	computed(t, imageKind, o.name, status.CurrentStatus, "")

	o.replaceKey(secret, fixture.RevokedKey(fixture.Key("release")))
	computed(t, policyKind, o.name, status.FailedStatus, assayv1alpha1.ReasonNoUsableKeys)
	computed(t, imageKind, o.name, status.FailedStatus, assayv1alpha1.ReasonKeyRevoked)

	// The policy warns that a revocation is lost, and works all the same.
	o.replaceKey(secret, fixture.PublicKey(fixture.Key("release")))
	computed(t, policyKind, o.name, status.CurrentStatus, "")
	computed(t, imageKind, o.name, status.CurrentStatus, "")
}

func (o objects) replaceKey(secret *corev1.Secret, key []byte) {
	o.Helper()
	secret.Data["key.asc"] = key
	if err := admin.Update(o.Context(), secret); err != nil {
		o.Fatal(err)
	}
}

func TestBrokenKey(t *testing.T) {
	o := newObjects(t)
	o.create(o.secret([]byte("no key")), o.policy())
	computed(t, policyKind, o.name, status.FailedStatus, assayv1alpha1.ReasonNoUsableKeys)
}

func TestRefusedImage(t *testing.T) {
	o := newObjects(t)
	o.create(o.secret(fixture.PublicKey(fixture.Key("release"))), o.policy(), o.image("stranger"))
	computed(t, imageKind, o.name, status.FailedStatus, assayv1alpha1.ReasonUntrustedKey)
}

// TestUnchecked checks that kstatus does not take objects for current that nobody has looked
// at yet, as it does with those that have no observedGeneration. The API server's answer to
// their creation is older than anything that the operator writes.
func TestUnchecked(t *testing.T) {
	o := newObjects(t)
	for kind, object := range map[schema.GroupVersionKind]client.Object{imageKind: o.image("release"), policyKind: o.policy()} {
		o.create(object)
		members, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			t.Fatal(err)
		}
		created := &unstructured.Unstructured{Object: members}
		created.SetGroupVersionKind(kind)
		result, err := status.Compute(created)
		if err != nil || result.Status != status.InProgressStatus {
			t.Errorf("%s: %+v, %v, want it in progress", kind.Kind, result, err)
		}
	}
}

// TestNewGeneration checks that a verdict on what an object was before is none.
func TestNewGeneration(t *testing.T) {
	o := newObjects(t)
	o.create(o.secret(fixture.PublicKey(fixture.Key("release"))), o.policy(), o.image("release"))
	for _, kind := range []schema.GroupVersionKind{imageKind, policyKind} {
		changed := computed(t, kind, o.name, status.CurrentStatus, "")
		changed.SetGeneration(changed.GetGeneration() + 1)
		result, err := status.Compute(changed)
		if err != nil || result.Status != status.InProgressStatus {
			t.Errorf("%s: %+v, %v, want it in progress", kind.Kind, result, err)
		}
	}
}
