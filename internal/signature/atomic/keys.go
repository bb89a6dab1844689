// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package atomic

import (
	"errors"
	"time"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/openpgp"
	"github.com/assay-project/assay/internal/verify"
)

// keyFile is a file of OpenPGP certificates.
type keyFile struct{ *openpgp.KeyFile }

// Problems lists what was skipped while the file was read.
func (f keyFile) Problems() []string { return f.KeyFile.Problems }

// Cost estimates the processor time that the self-signatures took, in microseconds.
func (f keyFile) Cost() int { return f.KeyFile.Cost }

// IsKeyFile reports whether data is armored or binary OpenPGP data.
func (Format) IsKeyFile(data []byte) bool { return openpgp.IsKeyFile(data) }

// ParseKeyFile reads OpenPGP certificates, armored or binary.
func (Format) ParseKeyFile(data []byte) (verify.KeyFile, error) {
	file, err := openpgp.ParseKeyFile(data)
	return keyFile{file}, err
}

// trust is a keyring.
type trust struct {
	keyring *openpgp.Keyring
	// entries has the policy's entry for each fingerprint. A certificate that several entries
	// hold belongs to the first by name, so that it is one signer.
	entries map[string]string
}

// NewTrust makes a keyring. Versions of one certificate are merged across files, and a
// revocation in one file counts for the keys of all.
func (Format) NewTrust(files []verify.NamedKeyFile) verify.Trust {
	t := &trust{entries: map[string]string{}}
	var parsed []*openpgp.KeyFile
	for _, named := range files {
		file, ok := named.File.(keyFile)
		if !ok {
			continue
		}
		parsed = append(parsed, file.KeyFile)
		for _, certificate := range file.Certificates {
			entry, known := t.entries[certificate.Fingerprint()]
			if !known || named.Entry < entry {
				t.entries[certificate.Fingerprint()] = named.Entry
			}
		}
	}
	t.keyring = openpgp.NewKeyringFromFiles(parsed...)
	return t
}

// Len returns the number of certificates.
func (t *trust) Len() int { return t.keyring.Len() }

// Authenticate verifies the message by a certificate of the keyring. The key ID in the message
// selects at most 16, and usually one or none.
func (t *trust) Authenticate(m verify.Message, at verify.Circumstances) (verify.Signed, error) {
	parsed, ok := m.(message)
	if !ok {
		return nil, errors.New("the message is not an OpenPGP message")
	}
	if cost := t.keyring.Cost(parsed.Message); at.Spend != nil && !at.Spend(cost) {
		return nil, &verify.Error{
			Reason:     assayv1alpha1.ReasonOverBudget,
			Detail:     "the signatures of the image take too long to check by the keys of its policies; remove signatures, or use Ed25519",
			KeyID:      parsed.UnverifiedIssuer(),
			OverBudget: true,
		}
	}
	verified, err := t.keyring.Verify(parsed.Message, openpgp.Options{Now: at.Now, AcceptBeforeExpiry: at.AcceptBeforeExpiry})
	if err != nil {
		return nil, convertError(err)
	}
	return &signed{verified: verified, signer: t.signer(verified)}, nil
}

func (t *trust) signer(verified *openpgp.Verified) verify.Signer {
	owner := verify.Entity{CommonName: verified.UserID}
	return verify.Signer{
		ID:           verify.SignerID{Entry: t.entries[verified.Fingerprint], Key: verified.Fingerprint},
		Fingerprints: []string{verified.Fingerprint, verified.SigningFingerprint},
		// An OpenPGP key vouches for itself, and a TrustPolicy for the key.
		Subject: owner, Issuer: owner,
	}
}

// Keys describes the certificates of a file as the keyring has them.
func (t *trust) Keys(file verify.KeyFile, now time.Time) []verify.KeyStatus {
	parsed, ok := file.(keyFile)
	if !ok {
		return nil
	}
	keys := make([]verify.KeyStatus, 0, len(parsed.Certificates))
	for _, certificate := range parsed.Certificates {
		if merged := t.keyring.Certificate(certificate.Fingerprint()); merged != nil {
			keys = append(keys, keyStatus(merged, now))
		}
	}
	return keys
}

// keyStatus describes a certificate. It expires when none of its keys may sign any more:
// with a primary key that never expires, that is when its last signing subkey does.
func keyStatus(certificate *openpgp.Certificate, now time.Time) verify.KeyStatus {
	status := verify.KeyStatus{
		Fingerprint: certificate.Fingerprint(),
		UserID:      certificate.UserID(),
		Algorithm:   certificate.Algorithm(),
		Created:     certificate.Created(),
		Expires:     certificate.SigningUntil(now),
		NextChange:  certificate.NextChange(now),
	}
	status.Revoked, status.Unrevoked = certificate.SigningKeys(now)
	if err := certificate.Check(now); err != nil {
		status.Expires = certificate.Expires()
		status.Err = keyError(err)
	}
	return status
}

// keyError is convertError for a certificate, whose fingerprint the status has already.
func keyError(err error) *verify.Error {
	e := convertError(err)
	e.Detail = err.Error()
	switch e.Reason {
	case assayv1alpha1.ReasonKeyExpired, assayv1alpha1.ReasonKeyRevoked, assayv1alpha1.ReasonWeakAlgorithm,
		assayv1alpha1.ReasonUnsupportedAlgorithm:
	default:
		e.Reason = assayv1alpha1.ReasonUnusableKey
	}
	return e
}
