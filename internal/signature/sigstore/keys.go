// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/filekind"
	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/sigstore"
	"github.com/assay-project/assay/internal/verify"
)

// keyCost is the processor time that parsing a key takes, in microseconds: about that of the
// slowest, on P-521.
const keyCost = 50

// keyFile is a file of public keys.
type keyFile struct {
	keys []*pubkey.Key
	log  *sharedRoots // of which one log must have each signature; nil for none
}

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
		if kind := filekind.NotAKey(data); kind != "" {
			return keyFile{}, errors.New(kind)
		}
		return keyFile{}, fmt.Errorf("the file is not one of PEM blocks PUBLIC KEY: %w", err)
	}
	return keyFile{keys: keys}, nil
}

// trust is a set of public keys and identities.
type trust struct {
	// authorities are in a fixed order: keys without a log, keys by their log, identities by name.
	// Those of keys have no name.
	authorities []*sigstore.Authority
	// entries has the policy's entry for each fingerprint. A key that several entries hold
	// belongs to the first by name, so that it is one signer.
	entries map[string]string
	signers int
}

// NewTrust makes a set of the keys of all files and of all identities.
func (Format) NewTrust(files []verify.NamedKeyFile) verify.Trust {
	t := &trust{entries: map[string]string{}}
	byLog := map[string]*sigstore.Authority{}
	shared := map[string]*sigstore.Roots{}
	share := func(r *sharedRoots) *sigstore.Roots {
		if shared[r.id] == nil {
			shared[r.id] = r.roots
		}
		return shared[r.id]
	}
	var identities []*sigstore.Authority
	for _, named := range files {
		switch file := named.File.(type) {
		case keyFile:
			t.addKeys(named.Entry, file, byLog, share)
		case *signerFile:
			identity := file.authority
			identity.Name = named.Entry
			if identity.Fulcio != nil {
				fulcio := *identity.Fulcio
				fulcio.Roots = share(file.roots)
				identity.Fulcio = &fulcio
			}
			identities = append(identities, &identity)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(byLog)) {
		slices.SortFunc(byLog[id].Keys, func(a, b *pubkey.Key) int { return cmp.Compare(a.Fingerprint(), b.Fingerprint()) })
		t.authorities = append(t.authorities, byLog[id])
	}
	slices.SortFunc(identities, func(a, b *sigstore.Authority) int { return cmp.Compare(a.Name, b.Name) })
	t.authorities = append(t.authorities, identities...)
	t.signers = len(identities)
	return t
}

// addKeys adds the keys of a file to those that have to be in the same log.
func (t *trust) addKeys(entry string, file keyFile, byLog map[string]*sigstore.Authority, share func(*sharedRoots) *sigstore.Roots) {
	id, authority := "", &sigstore.Authority{}
	if file.log != nil {
		id, authority.Log = file.log.id, share(file.log)
	}
	if byLog[id] == nil {
		byLog[id] = authority
	}
	authority = byLog[id]
	for _, key := range file.keys {
		fingerprint := fingerprintOf(key.Fingerprint())
		if first, known := t.entries[fingerprint]; !known || entry < first {
			t.entries[fingerprint] = entry
		}
		if !slices.ContainsFunc(authority.Keys, key.Equal) {
			authority.Keys = append(authority.Keys, key)
		}
	}
}

// Len returns the number of keys and identities.
func (t *trust) Len() int { return len(t.entries) + t.signers }

// Authenticate verifies the signature by a key or an identity of the set.
func (t *trust) Authenticate(m verify.Message, at verify.Circumstances) (verify.Signed, error) {
	parsed, ok := m.(message)
	if !ok {
		return nil, errors.New("the message is not a signature of sigstore")
	}
	verified, err := parsed.Authenticate(t.authorities, sigstore.Input{Now: at.Now, Spend: at.Spend})
	if err != nil {
		return nil, t.explain(parsed, convertError(err))
	}
	id := verify.SignerID{Entry: verified.Authority}
	if verified.Authority == "" {
		id.Key = fingerprintOf(verified.IssuedTo.PublicKeyID)
		id.Entry = t.entries[id.Key]
	}
	signed, err := newSigned(verified, id, at.Digest)
	if err != nil {
		return nil, err
	}
	return signed, nil
}

// explain adds to an error what is to be done about a signer that the policy does not know.
func (t *trust) explain(m message, err *verify.Error) *verify.Error {
	if err.Reason != assayv1alpha1.ReasonUntrustedKey {
		return err
	}
	switch {
	case !m.Certified() && len(t.entries) > 0:
		err.UnknownKey = true
	case m.Certified() && t.signers == 0:
		err.Detail = "the signature is by a certificate, and the policy has no key that made it; to trust an identity, name it in signers"
	}
	return err
}

// Keys describes the keys of a file, which neither expire nor name an owner, or an identity.
func (t *trust) Keys(file verify.KeyFile, now time.Time) []verify.KeyStatus {
	if signer, ok := file.(*signerFile); ok {
		return []verify.KeyStatus{signer.status(now)}
	}
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
