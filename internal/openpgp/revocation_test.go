// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// TestSigningKeys checks which keys of a certificate count as revoked: a subkey by its own
// revocation or by that of the primary key, and none that is not for signing.
func TestSigningKeys(t *testing.T) {
	primary := pgp.Ed25519(4, testKeyTime, "revocation primary")
	first, second := pgp.Ed25519(4, testKeyTime, "revocation first"), pgp.Ed25519(4, testKeyTime, "revocation second")
	encryption := pgp.Ed25519(4, testKeyTime, "revocation encryption")
	const flagEncrypt = 0x0c
	certificate := func(keyRevoked, firstRevoked bool) []byte {
		var parts [][]byte
		if keyRevoked {
			parts = append(parts, primary.Direct(primary.Standard(pgp.TypeKeyRevocation, testKeyTime)))
		}
		firstSignatures := []pgp.Signature{primary.Binding(first, testKeyTime)}
		revocation := primary.Standard(pgp.TypeSubkeyRevocation, testKeyTime)
		if firstRevoked {
			firstSignatures = append(firstSignatures, revocation)
		}
		parts = append(parts,
			primary.User("primary", primary.Standard(pgp.TypePositiveCert, testKeyTime, pgp.Flags(pgp.FlagCertify))),
			primary.Subkey(first, firstSignatures...), primary.Subkey(second, primary.Binding(second, testKeyTime)),
			primary.Subkey(encryption, primary.Standard(pgp.TypeSubkeyBinding, testKeyTime, pgp.Flags(flagEncrypt)), revocation))
		return primary.Certificate(parts...)
	}
	hex := func(keys ...*pgp.Key) (texts []string) {
		for _, key := range keys {
			texts = append(texts, fmt.Sprintf("%X", key.Fingerprint()))
		}
		slices.Sort(texts)
		return texts
	}
	tests := map[string]struct {
		keyRevoked, firstRevoked bool
		revoked, unrevoked       []string
	}{
		"none":                 {false, false, nil, hex(primary, first, second)},
		"a subkey":             {false, true, hex(first), hex(primary, second)},
		"the key":              {true, false, hex(primary), nil},
		"the key and a subkey": {true, true, hex(primary, first), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			file, err := ParseKeyFile(certificate(tt.keyRevoked, tt.firstRevoked))
			if err != nil || len(file.Certificates) != 1 {
				t.Fatalf("%+v, %v", file, err)
			}
			revoked, unrevoked := file.Certificates[0].SigningKeys(testNow)
			slices.Sort(revoked)
			slices.Sort(unrevoked)
			if diff := cmp.Diff(tt.revoked, revoked) + cmp.Diff(tt.unrevoked, unrevoked); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
