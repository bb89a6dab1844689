// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// soon is a moment that has not come yet when a test has seen a first verdict, and does
// come before it gives up.
func soon() time.Time { return time.Now().Add(15 * time.Second) }

// secondsUntil gives a lifetime in seconds that ends at a moment.
func secondsUntil(created uint32, end time.Time) uint32 {
	return uint32(end.Unix() - int64(created))
}

func TestKeyExpiryTakesEffectWithoutAnEvent(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	expiring := pgp.Armor("PGP PUBLIC KEY BLOCK", release.key.Certificate(release.key.User(release.userID(),
		release.key.Standard(pgp.TypePositiveCert, keyCreated, pgp.Flags(pgp.FlagCertify|pgp.FlagSign),
			pgp.Sub32(pgp.SubKeyExpires, secondsUntil(keyCreated, soon()))))))
	policy := f.policy(release)
	policy.Spec.Keys[0].Inline = string(expiring)
	archive := f.policy(release)
	archive.Name += "-archive"
	archive.Spec.Scopes = scopes(f.repository() + "/archive")
	archive.Spec.Keys[0].Inline = string(expiring)
	archive.Spec.ExpiredKeys = assayv1alpha1.ExpiredKeysAcceptSignaturesBeforeExpiry
	old := f.image(release)
	old.Name += "-archive"
	old.DockerImageReference = f.repository() + "/archive@" + digest.FromString(f.name).String()
	old.Signatures[0].Content = release.sign(digest.FromString(f.name), f.repository()+"/archive:v1")
	f.create(policy, archive, f.image(release), old)

	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	f.ready(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonKeysUsable)
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonKeyExpired)
	f.ready(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonNoUsableKeys)
	f.verdict(old.Name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	f.ready(archive.Name, metav1.ConditionTrue, assayv1alpha1.ReasonKeysUsable)
}

func TestSignatureExpiryTakesEffectWithoutAnEvent(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	image := f.image(release)
	image.Signatures[0].Content = release.signAt(signed, digest.FromString(f.name), f.repository()+":v1",
		pgp.Sub32(pgp.SubExpires, secondsUntil(signed, soon())))
	f.create(f.policy(release), image)
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonSignatureExpired)
}

func TestFutureSignatureIsAcceptedWhenItsTimeHasCome(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	image := f.image(release)
	// Clocks may differ by five minutes, which are let pass.
	made := uint32(soon().Add(5 * time.Minute).Unix())
	image.Signatures[0].Content = release.signAt(made, digest.FromString(f.name), f.repository()+":v1")
	f.create(f.policy(release), image)
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonSignatureInFuture)
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
}

// With a primary key that never expires, a policy's key is usable as long as a signing
// subkey is, and its status follows the clock.
func TestSubkeyExpiryShowsInTheStatus(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	sub := pgp.EdDSA(keyCreated, "release subkey")
	lifetime := secondsUntil(keyCreated, soon())
	certificate := release.key.Certificate(
		release.key.User(release.userID(), release.key.Standard(pgp.TypePositiveCert, keyCreated, pgp.Flags(pgp.FlagCertify))),
		release.key.Subkey(sub, release.key.Binding(sub, keyCreated, pgp.Sub32(pgp.SubKeyExpires, lifetime))))
	policy := f.policy(release)
	policy.Spec.Keys[0].Inline = string(pgp.Armor("PGP PUBLIC KEY BLOCK", certificate))
	f.create(policy)
	got := f.ready(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonKeysUsable)
	if want := metav1.Unix(keyCreated+int64(lifetime), 0); !want.Equal(got.Status.Keys[0].Expires) {
		t.Errorf("expires %v, want %v, when the subkey does", got.Status.Keys[0].Expires, want)
	}
	f.ready(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonNoUsableKeys)
}
