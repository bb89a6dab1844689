// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/sigstore"
	"github.com/assay-project/assay/internal/verify"
)

// keyCost is the processor time that parsing a key takes, in microseconds: about that of the
// slowest, on P-521.
const keyCost = 50

// keyFile is a file of public keys.
type keyFile struct{ keys []*pubkey.Key }

// Problems is empty: a file with a key that cannot be used is an error as a whole.
func (keyFile) Problems() []string { return nil }

// Cost estimates the processor time of parsing, in microseconds.
func (f keyFile) Cost() int { return keyCost * len(f.keys) }

// IsKeyFile reports whether data is PEM (RFC 7468) and not the armor of OpenPGP, which looks
// alike.
func (Format) IsKeyFile(data []byte) bool {
	return bytes.Contains(data, []byte("-----BEGIN ")) && !bytes.Contains(data, []byte("-----BEGIN PGP "))
}

// ParseKeyFile reads public keys in PEM.
func (Format) ParseKeyFile(data []byte) (verify.KeyFile, error) {
	keys, err := sigstore.ParseKeys(data)
	if err != nil {
		return keyFile{}, fmt.Errorf("the file is not one of PEM blocks PUBLIC KEY: %w", err)
	}
	return keyFile{keys}, nil
}

// trust is a set of public keys.
type trust struct {
	authority sigstore.Authority
	// entries has the policy's entry for each fingerprint. A key that several entries hold
	// belongs to the first by name, so that it is one signer.
	entries map[string]string
}

// NewTrust makes a set of the keys of all files.
func (Format) NewTrust(files []verify.NamedKeyFile) verify.Trust {
	t := &trust{entries: map[string]string{}}
	for _, named := range files {
		file, ok := named.File.(keyFile)
		if !ok {
			continue
		}
		for _, key := range file.keys {
			fingerprint := fingerprintOf(key.Fingerprint())
			entry, known := t.entries[fingerprint]
			if !known {
				t.authority.Keys = append(t.authority.Keys, key)
			}
			if !known || named.Entry < entry {
				t.entries[fingerprint] = named.Entry
			}
		}
	}
	slices.SortFunc(t.authority.Keys, func(a, b *pubkey.Key) int { return cmp.Compare(a.Fingerprint(), b.Fingerprint()) })
	return t
}

// Len returns the number of keys.
func (t *trust) Len() int { return len(t.authority.Keys) }

// Cost is what it takes to try all keys: a signature does not say which one made it.
func (t *trust) Cost() int {
	cost := 0
	for _, key := range t.authority.Keys {
		cost += costOf(key.Algorithm())
	}
	return cost
}

// costOf estimates the time of a verification by one key, in microseconds. The curves that the
// standard library has no assembly for take a hundred times as long as P-256.
func costOf(algorithm string) int {
	switch algorithm {
	case "ECDSA-P-256", "Ed25519":
		return 150
	case "ECDSA-P-384":
		return 2_200
	case "ECDSA-P-521":
		return 11_000
	}
	bits, _ := strconv.Atoi(strings.TrimPrefix(algorithm, "RSA-"))
	return bits * bits / 40_000
}

// Authenticate verifies the signature by a key of the set.
func (t *trust) Authenticate(m verify.Message, at verify.Circumstances) (verify.Signed, error) {
	parsed, ok := m.(message)
	if !ok {
		return nil, errors.New("the message is not a signature of sigstore")
	}
	verified, err := parsed.Authenticate([]*sigstore.Authority{&t.authority}, sigstore.Input{Now: at.Now})
	if err != nil {
		return nil, convertError(err)
	}
	signed, err := newSigned(verified, t.entries[fingerprintOf(verified.IssuedTo.PublicKeyID)], at.Digest)
	if err != nil {
		return nil, err
	}
	return signed, nil
}

// Keys describes the keys of a file, which neither expire nor name an owner.
func (t *trust) Keys(file verify.KeyFile, _ time.Time) []verify.KeyStatus {
	parsed, ok := file.(keyFile)
	if !ok {
		return nil
	}
	keys := make([]verify.KeyStatus, len(parsed.keys))
	for i, key := range parsed.keys {
		fingerprint := fingerprintOf(key.Fingerprint())
		keys[i] = verify.KeyStatus{Fingerprint: fingerprint, Algorithm: key.Algorithm(), Unrevoked: []string{fingerprint}}
	}
	return keys
}

// fingerprintOf returns the SHA-256 digest of a SubjectPublicKeyInfo, as package pubkey
// writes it, in the form that the decision uses.
func fingerprintOf(publicKeyID string) string {
	return strings.ToUpper(strings.TrimPrefix(publicKeyID, "0x"))
}
