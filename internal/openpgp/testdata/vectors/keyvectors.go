// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package vectors

import (
	"slices"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// keyVectors are good messages; their certificates vary.
func keyVectors() []vector {
	return slices.Concat(primaryVectors(), statusVectors(), revocationVectors(), otherKeyVectors(), archiveVectors(), subkeyVectors())
}

// signedBy returns a function that makes vectors with a good message by a key. An accepted one is
// attributed to Alice.
func signedBy(k *pgp.Key) func(key, expect, comment string) vector {
	return func(key, expect, comment string) vector {
		return vector{name: "key-" + key, comment: comment, expect: expect, keys: []string{key}, content: good(k), signer: alice}
	}
}

// named gives a vector another name.
func (v vector) named(name string) vector {
	v.name = name
	return v
}

// verifiedWith gives a vector other keys.
func (v vector) verifiedWith(keys ...string) vector {
	v.keys = keys
	return v
}

// primaryVectors are about the content of self-signatures.
func primaryVectors() []vector {
	primary := signedBy(alice)
	return []vector{
		primary("no-user-id", unusable, "no self-signature"),
		primary("user-id-unsigned", unusable, "a user ID without a self-signature"),
		primary("user-id-bad-cert", unusable, "a self-signature that is not valid"),
		primary("user-id-by-mallory", unusable, "a user ID that only another has certified"),
		primary("user-id-revoked", unusable, "the only user ID is revoked"),
		primary("user-id-certified-again", "", "the user ID was certified again after its revocation"),
		primary("cert-sha1-short", unusable, "SHA-1 is too short for Ed25519 (RFC 9580 section 5.2.3.4)"),
		primary("cert-no-flags", "", "without key flags a key may sign"),
		primary("cert-certify-only", unusable, "the key flags do not allow signing"),
		primary("cert-flags-dropped", unusable, "the newer self-signature does not allow signing"),
		primary("cert-flags-twice", unusable, "the only self-signature states its flags twice"),
		primary("cert-critical", unusable, "the only self-signature has an unknown critical subpacket"),
		primary("cert-expired", unusable, "the only self-signature is expired"),
		primary("cert-in-future", unusable, "the only self-signature is from the future"),
		primary("direct-key-only", "", "a direct-key signature and no user ID"),
		primary("direct-key-no-flags", unusable, "only a direct-key signature without key flags"),
		primary("direct-key-no-flags-user-id", "", "neither of two self-signatures has key flags"),
		primary("user-id-revoked-direct", unusable, "the only user ID is revoked, and the direct-key signature has no key flags"),
		primary("user-id-revoked-direct-flags", "", "the only user ID is revoked, and the direct-key signature allows signing"),
	}
}

// statusVectors are about expiration and revocation.
func statusVectors() []vector {
	primary := signedBy(alice)
	return []vector{
		primary("expired", expired, "expired after it had signed"),
		primary("expired-before-signing", expired, "expired before it signed"),
		primary("extended", "", "a newer self-signature extends the time"),
		primary("extended-for-ever", "", "a newer self-signature has no expiration"),
		primary("shortened", expired, "a newer self-signature shortens the time"),
		primary("expired-by-direct-key", expired, "only the direct-key signature has an expiration"),
		primary("expiry-unhashed", "", "an expiration that is not signed"),
		primary("revoked", revoked, "compromised after it had signed"),
		primary("revoked-superseded", revoked, "superseded after it had signed"),
		primary("revoked-in-future", revoked, "revoked with a date in the future"),
		primary("revoked-critical", revoked, "a revocation with an unknown critical subpacket"),
		primary("revoked-misplaced", revoked, "a revocation behind the user ID"),
		primary("revocation-forged", "", "a revocation by another that names this key"),
		primary("revocation-by-other", "", "a revocation by another that names itself"),
		primary("revoked-by-designated", revoked, "a revocation by a designated revoker"),
		primary("revoked", revoked, "one of two versions of the certificate is revoked").
			named("key-two-versions").verifiedWith("alice", "revoked"),
	}
}

// revocationVectors are about revocations in separate files.
func revocationVectors() []vector {
	apart := func(key, revocation, expect, comment string) vector {
		return signedBy(alice)(key, expect, comment).named("key-"+revocation).verifiedWith(key, revocation)
	}
	return []vector{
		apart("alice", "revocation", revoked, "the revocation is in a file of its own"),
		apart("alice", "revocation-forged-alone", "", "a revocation by another that names this key"),
		apart("alice", "revocation-designated", "", "a revocation by another that is no designated revoker"),
		apart("alice", "revocation-of-mallory", "", "the revocation of another key"),
		apart("revocable-by-mallory", "revocation-designated", revoked, "a revocation by a designated revoker").
			named("key-revocation-designated-apart"),
		apart("revocable-by-mallory", "revocation-of-mallory", "", "the revocation of a designated revoker's own key").
			named("key-revocation-of-revoker"),
		apart("revocable-by-mallory", "revoked-by-mallory-minimal", revoked,
			"one version names the designated revoker, another has the revocation"),
	}
}

func otherKeyVectors() []vector {
	return []vector{
		accept("key-cert-sha1", "a self-signature with SHA-1, as Red Hat's release key 2", rsa2048, "cert-sha1", good(rsa2048)),
		accept("key-cert-v3", "a self-signature of version 3", rsa2048, "cert-v3", good(rsa2048)),
		signedBy(v6)("v6-no-direct-key", unusable, "the flags of a version 6 key are in a direct-key signature"),
		signedBy(v6)("v6-no-flags", unusable, "a version 6 key without flags"),
		signedBy(unborn)("unborn", unusable, "a key from the future"),
	}
}

// archiveVectors accept keys that expired after signing.
func archiveVectors() []vector {
	archive := func(v vector) vector {
		v.archive = true
		return v
	}
	return []vector{
		archive(signedBy(alice)("expired", "", "expired after it had signed").named("archive-expired")),
		archive(signedBy(alice)("expired-before-signing", expired, "expired before it signed").
			named("archive-expired-before-signing")),
		archive(signedBy(signing)("subkey-expired", "", "a subkey that expired after it had signed").
			named("archive-subkey-expired")),
		archive(signedBy(alice)("revoked", revoked, "no archive accepts a revoked key").named("archive-revoked")),
	}
}

func subkeyVectors() []vector {
	sub := signedBy(signing)
	return []vector{
		sub("subkey", "", "a signing subkey"),
		sub("subkey-cross-unhashed", "", "a cross-certification needs no protection"),
		sub("subkey-no-cross", unusable, "no cross-certification"),
		sub("subkey-cross-foreign", unusable, "a cross-certification of another primary key"),
		sub("subkey-cross-wrong-type", unusable, "a cross-certification of the wrong type"),
		sub("subkey-cross-expired", unusable, "an expired cross-certification"),
		sub("subkey-no-flags", "", "without key flags a cross-certified subkey may sign"),
		sub("subkey-encrypts", unusable, "an encryption subkey"),
		sub("subkey-unbound", unusable, "a subkey without a binding"),
		sub("subkey-bound-by-mallory", unusable, "a subkey bound by another key"),
		sub("subkey-expired", expired, "expired after it had signed"),
		sub("expired-with-subkey", expired, "the primary key is expired"),
		sub("direct-key-certify-subkey", "", "a direct-key signature that allows to certify, and no user ID"),
		sub("direct-key-no-flags-subkey", unusable, "only a direct-key signature without key flags"),
		sub("subkey-revoked", revoked, "revoked after it had signed"),
		sub("subkey-revoked-bound-again", revoked, "a subkey stays revoked"),
		sub("stolen-subkey", "", "the subkey of another stays with the one that it certified").
			verifiedWith("stolen-subkey", "subkey"),
		sub("stolen-subkey", unusable, "the owner of the subkey is not trusted").named("key-stolen-subkey-alone"),
		signedBy(rsa1024)("subkey-weak", weak, "an RSA subkey of 1024 bits"),
		signedBy(alice)("subkey", unusable, "the primary key only certifies").named("key-certify-only-primary"),
	}
}
