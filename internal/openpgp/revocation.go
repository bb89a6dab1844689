// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"errors"
	"slices"
	"time"
)

// readRevocation reads a standalone revocation of a primary key (signature type 0x20, RFC 9580
// section 5.2.1.11), as gpg --gen-revoke writes it. It does not verify the revocation, because the
// key may be in another file. A revocation that does not name its key would have to be tried on all
// keys, and no program writes one.
func readRevocation(p rawPacket) (*signature, error) {
	// A copy does not keep the whole file in memory.
	s, err := parseSignature(bytes.Clone(p.body))
	switch {
	case p.tag != tagSignature || err != nil:
		return nil, errors.New("data before the first key was skipped")
	case s.kind == typeBinary || s.kind == typeText:
		return nil, errors.New("a detached signature was skipped: it is not a public key")
	case s.kind != typeKeyRevocation:
		return nil, errors.New("a signature without the key that it is about was skipped: export the whole key (gpg --export)")
	case len(s.issuers()) == 0:
		return nil, errors.New("a revocation that does not name its key was skipped")
	default:
		return s, nil
	}
}

// applyRevocations returns the certificates, which must be distinct, with the valid revocations
// applied. The cost is bounded; a certificate whose revocation exceeds the budget gets a defect.
// The order and duplicates of revocations do not matter.
func applyRevocations(certificates []*Certificate, revocations []*signature) []*Certificate {
	left := budget{checks: maxKeyringCost, cost: maxKeyringCost} // Every check has a cost.
	certificates = slices.Clone(certificates)
	byKeyID := revocableBy(certificates)
	for same := range runs(revocations, compareSignatures) {
		var named []int
		for _, id := range same[0].issuers() {
			named = append(named, byKeyID[id]...)
		}
		slices.Sort(named)
		for _, i := range slices.Compact(named) {
			if certificates[i].revoked {
				continue
			}
			valid, checked := certificates[i].isRevokedBy(same[0], &left)
			changed := *certificates[i]
			switch {
			case valid:
				changed.revoked = true
			case !checked:
				changed.defect = "the key has too many revocations to verify: remove those that are not its own"
			}
			certificates[i] = &changed
		}
	}
	return certificates
}

func compareSignatures(a, b *signature) int { return bytes.Compare(a.body, b.body) }

// revocableBy returns the indexes of the certificates that each key ID may revoke: the ID of the
// key itself and those of its designated revokers.
func revocableBy(certificates []*Certificate) map[uint64][]int {
	byKeyID := map[uint64][]int{}
	for i, c := range certificates {
		byKeyID[c.primary.keyID] = append(byKeyID[c.primary.keyID], i)
		for _, id := range c.revokers {
			byKeyID[id] = append(byKeyID[id], i)
		}
	}
	return byKeyID
}

// isRevokedBy reports whether a key revocation is valid for the certificate, and whether the budget
// sufficed to check it. A revocation that names a designated revoker counts if its digest covers
// this key, which distinguishes it from a revocation of the revoker's own key. Nothing more can be
// verified, see the package comment.
func (c *Certificate) isRevokedBy(s *signature, left *budget) (valid, checked bool) {
	if !left.spend(c.primary, len(c.primary.hashed)) {
		return false, false
	}
	if c.primary.verify(s, c.primary.hashed) {
		return true, true
	}
	return c.designates(s.issuers()) && s.tagFits(c.primary.hashed), true
}

// SigningKeys returns the fingerprints of the primary key and of the subkeys that are for
// signing, in upper-case hexadecimal: those that are revoked themselves, and those that may
// sign as far as revocations go. A subkey of a revoked primary key is not among the latter.
func (c *Certificate) SigningKeys(now time.Time) (revoked, unrevoked []string) {
	at := now.Unix()
	for i := primaryKey; i < len(c.subkeys); i++ {
		isRevoked := c.revoked
		if i != primaryKey {
			if binding := c.subkeys[i].newest(at); binding == nil || !binding.maySign() {
				continue
			}
			isRevoked = c.subkeys[i].revoked
		}
		switch {
		case isRevoked:
			revoked = append(revoked, c.key(i).fingerprintText())
		case !c.revoked:
			unrevoked = append(unrevoked, c.key(i).fingerprintText())
		}
	}
	return revoked, unrevoked
}
