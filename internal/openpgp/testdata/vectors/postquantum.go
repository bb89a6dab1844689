// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package vectors

import (
	"slices"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// Sizes of the two signatures of a key of ML-DSA-65 and Ed25519, the last octets of a message.
const (
	ed25519Size = 64
	mldsa65Size = 3309
)

// postQuantumVectors are about keys of RFC 9980: pairs of EdDSA and ML-DSA, both of which sign.
func postQuantumVectors() []vector {
	message := good(mldsa65)
	first := len(message) - mldsa65Size - ed25519Size
	second := first + ed25519Size
	refused := func(name, code, comment string, content []byte) vector {
		v := refuse("mldsa-"+name, code, comment, content)
		v.keys = []string{"mldsa65"}
		return v
	}
	changed := func(at int) []byte {
		content := slices.Clone(message)
		content[at] ^= 1
		return content
	}
	other := good(pgp.MLDSA65(keyTime, "mldsa65 of another"))
	short := standard(mldsa65)
	short.Digest, short.Salt = pgp.SHA224, short.Salt[:16]
	sha256 := standard(mldsa65)
	sha256.Digest, sha256.Salt = pgp.SHA256, sha256.Salt[:16]
	old := *mldsa65
	old.Version = 4
	return []vector{
		accept("mldsa65", "ML-DSA-65 and Ed25519", mldsa65, "mldsa65", message),
		accept("mldsa87", "ML-DSA-87 and Ed448", mldsa87, "mldsa87", good(mldsa87)),
		accept("mldsa-subkey", "a signing subkey of ML-DSA", v6, "mldsa-subkey", good(mldsa65)),
		accept("mldsa-sha256", "a digest of 256 bits", mldsa65, "mldsa65", mldsa65.Message(sha256, payload)),
		refused("eddsa-bad", bad, "only the signature of ML-DSA is valid", changed(first)),
		refused("mldsa-bad", bad, "only the signature of EdDSA is valid", changed(second)),
		refused("eddsa-of-another", bad, "the signature of EdDSA is by another key",
			slices.Concat(message[:first], other[first:second], message[second:])),
		refused("mldsa-of-another", bad, "the signature of ML-DSA is by another key",
			slices.Concat(message[:second], other[second:])),
		refused("digest-short", weak, "a digest of less than 256 bits", mldsa65.Message(short, payload)),
		refused("version-4", version, "a version 4 signature", old.Message(old.Standard(pgp.TypeBinary, sigTime), payload)),
		refused("unknown", unknown, "a key that is not trusted", other),
	}
}
