// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"slices"
)

// readRevocation reads a revocation of a primary key (signature type 0x20, RFC
// 9580 section 5.2.1.11) that stands by itself, as gpg --gen-revoke writes it. It
// is not verified, because its key may be in another file. Without a revocation,
// the problem says why. One that does not name its key would have to be tried on
// all, and no program writes such.
func readRevocation(p rawPacket) (revocation *signature, problem string) {
	// A copy, so that it does not keep the whole file in memory.
	s, fault := parseSignature(bytes.Clone(p.body))
	switch {
	case p.tag != tagSignature || fault != nil || s.kind != typeKeyRevocation:
		return nil, "data before the first key was skipped"
	case len(s.issuers()) == 0:
		return nil, "a revocation that does not name its key was skipped"
	default:
		return s, ""
	}
}

// applyRevocations returns the certificates, which are each there once, as revoked
// where a revocation is valid for them. What is spent is bounded; a certificate
// whose revocation cannot be verified for that reason gets a defect. Neither the
// order nor copies of revocations matter.
func applyRevocations(certificates []*Certificate, revocations []*signature) []*Certificate {
	left := budget{checks: maxKeyringCost, cost: maxKeyringCost} // Every check costs something.
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
				changed.defect = "the key has more revocations than are checked: remove those that are not its own"
			}
			certificates[i] = &changed
		}
	}
	return certificates
}

func compareSignatures(a, b *signature) int { return bytes.Compare(a.body, b.body) }

// revocableBy returns which certificates a key ID may revoke: that of the key
// itself and those of its designated revokers.
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

// isRevokedBy says whether a key revocation is valid for the certificate, or
// that the budget does not suffice to tell. One that names a designated revoker
// counts if its digest is one over this key, which tells it from a revocation of
// the revoker's own key; more cannot be verified, see the package comment.
func (c *Certificate) isRevokedBy(s *signature, left *budget) (valid, checked bool) {
	if !left.spend(c.primary, len(c.primary.hashed)) {
		return false, false
	}
	if c.primary.verify(s, c.primary.hashed) {
		return true, true
	}
	return c.designates(s.issuers()) && s.tagFits(c.primary.hashed), true
}
