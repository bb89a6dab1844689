// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

var eventsv1AddToScheme = eventsv1.AddToScheme

const (
	// keyCreated is when the keys of these tests were made, and signed when they signed: 2024.
	keyCreated = 1704067200
	signed     = keyCreated + 86400

	// verdictTimeout bounds the wait for a verdict. It is generous: nothing is measured here.
	verdictTimeout = time.Minute
	pollInterval   = 20 * time.Millisecond
)

// signer is somebody with an OpenPGP key.
type signer struct {
	name string
	key  *pgp.Key
}

func newSigner(name string) signer {
	return signer{name: name, key: pgp.EdDSA(keyCreated, name)}
}

func (s signer) userID() string { return s.name + " <" + s.name + "@example.com>" }

// publicKey returns the key as somebody would publish it.
func (s signer) publicKey() []byte {
	return pgp.Armor("PGP PUBLIC KEY BLOCK", s.key.Simple(s.userID()))
}

// revokedKey returns the key after its owner revoked it.
func (s signer) revokedKey() []byte {
	return pgp.Armor("PGP PUBLIC KEY BLOCK", s.key.Certificate(
		s.key.Direct(s.key.Standard(pgp.TypeKeyRevocation, signed+86400)),
		s.key.User(s.userID(), s.key.Standard(pgp.TypePositiveCert, keyCreated, pgp.Flags(pgp.FlagCertify|pgp.FlagSign))),
	))
}

func (s signer) fingerprint() string { return fmt.Sprintf("%X", s.key.Fingerprint()) }

// sign makes a signature for a digest and a name.
func (s signer) sign(d digest.Digest, identity string) []byte {
	return s.signAt(signed, d, identity)
}

// signAt makes a signature at a time, with more hashed subpackets.
func (s signer) signAt(created uint32, d digest.Digest, identity string, hashed ...[]byte) []byte {
	payload := fmt.Sprintf(`{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":%q},"identity":{"docker-reference":%q}},"optional":{"creator":"assay-test"}}`, d, identity)
	return s.key.Message(s.key.Standard(pgp.TypeBinary, created, hashed...), []byte(payload))
}

// fixture makes the objects of one test, all named after it.
type fixture struct {
	*testing.T
	ctx  context.Context
	name string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	t.Parallel()
	return newSerialFixture(t)
}

// newSerialFixture is newFixture for a test that keeps the API server busy, and runs by itself.
func newSerialFixture(t *testing.T) *fixture {
	t.Helper()
	return &fixture{T: t, ctx: t.Context(), name: strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-"))}
}

// repository is the scope of the test.
func (f *fixture) repository() string { return "registry.example.com/" + f.name }

// image returns an Image of the test's repository with signatures of its own digest by
// the signers. It is not created yet.
func (f *fixture) image(signers ...signer) *imagev1.Image {
	d := digest.FromString(f.name)
	reference := f.repository() + "@" + d.String()
	image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: f.name}, DockerImageReference: reference}
	for _, s := range signers {
		image.Signatures = append(image.Signatures, imagev1.ImageSignature{
			SignatureMeta: imagev1.SignatureMeta{Name: f.name + "@" + s.name},
			Type:          imagev1.SignatureTypeAtomicImageV1,
			Content:       s.sign(d, f.repository()+":v1"),
		})
	}
	return image
}

// policy returns a TrustPolicy for the test's repository with inline keys of the signers.
func (f *fixture) policy(signers ...signer) *assayv1alpha1.TrustPolicy {
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: f.name}}
	policy.Spec.Scopes = scopes(f.repository())
	for _, s := range signers {
		policy.Spec.Keys = append(policy.Spec.Keys, assayv1alpha1.TrustedKey{Name: assayv1alpha1.EntryName(s.name), Inline: string(s.publicKey())})
	}
	return policy
}

// scopes are the texts as a policy has them.
func scopes(texts ...string) []assayv1alpha1.Scope {
	scopes := make([]assayv1alpha1.Scope, len(texts))
	for i, text := range texts {
		scopes[i] = assayv1alpha1.Scope(text)
	}
	return scopes
}

// secret returns a Secret of the operator's namespace with one key per signer.
func (f *fixture) secret(signers ...signer) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: testNamespace, Name: f.name},
		Data:       map[string][]byte{},
	}
	for _, s := range signers {
		secret.Data[s.name+".asc"] = s.publicKey()
	}
	return secret
}

// fromSecret makes a policy read its keys from the test's Secret, all of them.
func (f *fixture) fromSecret(policy *assayv1alpha1.TrustPolicy) *assayv1alpha1.TrustPolicy {
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{{Name: "all", SecretRef: &assayv1alpha1.KeySourceRef{Name: f.name}}}
	return policy
}

// create creates objects, and deletes them when the test is over.
func (f *fixture) create(objects ...client.Object) {
	f.Helper()
	for _, obj := range objects {
		if err := testClient.Create(f.ctx, obj); err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() {
			// The test's context is over by now.
			if err := client.IgnoreNotFound(testClient.Delete(context.Background(), obj)); err != nil {
				f.Error(err)
			}
		})
	}
}

// update changes an object, again and again until nobody else does so at the same time.
func update[T client.Object](f *fixture, obj T, change func(T)) {
	f.Helper()
	f.eventually("an update without a conflict", func() (bool, string) {
		if err := testClient.Get(f.ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return false, err.Error()
		}
		change(obj)
		err := testClient.Update(f.ctx, obj)
		return err == nil, fmt.Sprint(err)
	})
}

// eventually waits until a condition holds.
func (f *fixture) eventually(what string, holds func() (bool, string)) {
	f.Helper()
	last := ""
	err := wait.PollUntilContextTimeout(f.ctx, pollInterval, verdictTimeout, true, func(context.Context) (bool, error) {
		ok, state := holds()
		last = state
		return ok, nil
	})
	if err != nil {
		f.Fatalf("waiting for %s: %v; last seen: %s", what, err, last)
	}
}

// verdict waits until the image's Verified condition has the status and reason, for its
// present generation, and returns the image.
func (f *fixture) verdict(name string, status metav1.ConditionStatus, reason string) *imagev1.Image {
	f.Helper()
	var image imagev1.Image
	f.eventually(fmt.Sprintf("Verified=%s (%s)", status, reason), func() (bool, string) {
		if err := testClient.Get(f.ctx, types.NamespacedName{Name: name}, &image); err != nil {
			return false, err.Error()
		}
		c := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.VerifiedCondition)
		if c == nil {
			return false, "no condition"
		}
		return c.Status == status && c.Reason == reason && c.ObservedGeneration == image.Generation,
			fmt.Sprintf("%s (%s): %s", c.Status, c.Reason, c.Message)
	})
	return &image
}

// ready waits until the policy's Ready condition has the status and reason.
func (f *fixture) ready(name string, status metav1.ConditionStatus, reason string) *assayv1alpha1.TrustPolicy {
	f.Helper()
	var policy assayv1alpha1.TrustPolicy
	f.eventually(fmt.Sprintf("Ready=%s (%s)", status, reason), func() (bool, string) {
		if err := testClient.Get(f.ctx, types.NamespacedName{Name: name}, &policy); err != nil {
			return false, err.Error()
		}
		c := meta.FindStatusCondition(policy.Status.Conditions, assayv1alpha1.ReadyCondition)
		if c == nil {
			return false, "no condition"
		}
		return c.Status == status && c.Reason == reason && c.ObservedGeneration == policy.Generation,
			fmt.Sprintf("%s (%s): %s", c.Status, c.Reason, c.Message)
	})
	return &policy
}

// ignoreTimes leaves the times of conditions out of a comparison.
var ignoreTimes = cmp.Options{
	cmpopts.IgnoreFields(imagev1.SignatureCondition{}, "LastProbeTime", "LastTransitionTime"),
	cmpopts.IgnoreFields(metav1.Condition{}, "LastTransitionTime"),
	cmpopts.EquateEmpty(),
}
