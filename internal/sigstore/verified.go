// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"crypto"

	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/strictjson"
)

// verified reads what an authenticated signature says.
func (c *checker) verified(key *pubkey.Key, e *evidence, describe func(*Verified, *claims)) (*Verified, *Error) {
	v := &Verified{SignedAt: e.earliest(), ValidUntil: e.validUntil, Payload: c.s.payload}
	v.IssuedTo.PublicKeyID = key.Fingerprint()
	all := &claims{}
	var err *Error
	if v.Statements, err = c.statements(all); err != nil {
		return nil, err
	}
	if describe != nil {
		describe(v, all)
	}
	e.claim(all)
	v.Claims = all.flatten()
	return v, nil
}

// statements reads what was signed.
func (c *checker) statements(all *claims) ([]Statement, *Error) {
	switch c.s.form {
	case formBlob:
		return parsePayload(c.s.payload, all)
	case formEnvelope:
		s, err := parseStatement(c.s.payload)
		if err != nil {
			return nil, err
		}
		if s.predicateType != predicateTypeSign && !c.anyPredicate {
			return nil, fail(NotASignature, "the statement's predicate type is "+strictjson.Quote(s.predicateType)+
				": an attestation is not an image signature")
		}
		all.add("predicateType", s.predicateType)
		for i, subject := range s.subjects[:min(len(s.subjects), maxListed)] {
			all.add(numbered("subject", i), subject.Digests[0])
			if subject.Name != "" {
				all.add(numbered("subject", i)+".name", subject.Name)
			}
		}
		return s.subjects, nil
	default:
		return []Statement{{Digests: c.messageDigests(all)}}, nil
	}
}

// messageDigests returns the digests of a manifest that is signed itself.
func (c *checker) messageDigests(all *claims) []string {
	stated := digestText(c.s.hash, c.s.digest)
	all.add("messageDigest", stated)
	digests := []string{stated}
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		if hash != c.s.hash && c.manifest != nil {
			digests = append(digests, digestText(hash, pubkey.Sum(hash, c.manifest)))
		}
	}
	return digests
}
