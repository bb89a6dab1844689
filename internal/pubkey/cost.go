// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package pubkey

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
)

// MaxCost is the largest cost that ChainCost counts, in microseconds. What costs more is not worth
// knowing.
const MaxCost = 1_000_000

// Cost estimates the processor time of one verification by the key, in microseconds. It is the same
// for the same algorithm and size on every machine. The curves for which the standard library has no
// assembly take a hundred times as long as P-256.
func (k *Key) Cost() int { return cost(k.key) }

func cost(key crypto.PublicKey) int {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P384():
			return 2_200
		case elliptic.P521():
			return 11_000
		}
	case *rsa.PublicKey:
		return min(key.N.BitLen()*key.N.BitLen()/40_000+1, MaxCost)
	}
	return 150
}

// ChainCost estimates what it costs at most to look for chains from a certificate to an anchor, in
// microseconds up to about MaxCost: the signature of every certificate on every path that the names of
// subjects and issuers allow (crypto/x509 tries them all).
func ChainCost(c *x509.Certificate, intermediates, anchors []*x509.Certificate) int {
	s := &chainSearch{intermediates: intermediates, anchors: anchors, used: make([]bool, len(intermediates))}
	s.above(c)
	return s.cost
}

// chainSearch walks along all paths.
type chainSearch struct {
	intermediates, anchors []*x509.Certificate
	used                   []bool
	cost                   int
}

func (s *chainSearch) above(c *x509.Certificate) {
	for _, parent := range s.anchors {
		if bytes.Equal(parent.RawSubject, c.RawIssuer) {
			s.cost += cost(parent.PublicKey)
		}
	}
	for i, parent := range s.intermediates {
		if s.used[i] || s.cost > MaxCost || !bytes.Equal(parent.RawSubject, c.RawIssuer) {
			continue
		}
		s.cost += cost(parent.PublicKey)
		s.used[i] = true
		s.above(parent)
		s.used[i] = false
	}
}
