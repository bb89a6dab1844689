// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package pubkey_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"

	"github.com/assay-project/assay/internal/pubkey"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// TestCost expects keys to cost more the longer they take.
func TestCost(t *testing.T) {
	cost := func(key crypto.Signer) int {
		k, err := pubkey.New(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		return k.Cost()
	}
	p256, p384, p521 := cost(st.NewKey(t, elliptic.P256())), cost(st.NewKey(t, elliptic.P384())), cost(st.NewKey(t, elliptic.P521()))
	rsa2048, rsa3072 := cost(st.NewRSA(t, 2048)), cost(st.NewRSA(t, 3072))
	if p256 <= 0 || p384 <= p256 || p521 <= p384 || rsa2048 <= 0 || rsa3072 <= rsa2048 || cost(st.NewEd25519(t)) <= 0 {
		t.Errorf("P-256 costs %d, P-384 %d, P-521 %d, RSA-2048 %d, RSA-3072 %d", p256, p384, p521, rsa2048, rsa3072)
	}
}

// named returns a certificate with names and a key that nobody has signed: the cost depends on no more.
func named(subject, issuer string, key crypto.PublicKey) *x509.Certificate {
	return &x509.Certificate{RawSubject: []byte(subject), RawIssuer: []byte(issuer), PublicKey: key}
}

// TestChainCost counts the signatures on all paths.
func TestChainCost(t *testing.T) {
	p256 := &ecdsa.PublicKey{Curve: elliptic.P256()}
	huge := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 300_000), E: 3}
	const one = 150
	leaf, root := named("leaf", "a", p256), named("root", "root", p256)
	a, b := named("a", "root", p256), named("a", "b", p256)
	toB, loop := named("b", "root", p256), named("a", "a", p256)
	many := make([]*x509.Certificate, 40)
	for i := range many {
		many[i] = named("a", "a", p256)
	}
	tests := map[string]struct {
		intermediates, anchors []*x509.Certificate
		want                   int // -1: more than pubkey.MaxCost
	}{
		"nobody":          {nil, []*x509.Certificate{root}, 0},
		"the anchor":      {nil, []*x509.Certificate{named("a", "x", p256), root}, one},
		"one in between":  {[]*x509.Certificate{a}, []*x509.Certificate{root}, 2 * one},
		"two paths":       {[]*x509.Certificate{a, b, toB}, []*x509.Certificate{root}, 5 * one},
		"a loop":          {[]*x509.Certificate{loop}, []*x509.Certificate{root}, one},
		"too many paths":  {many, []*x509.Certificate{root}, -1},
		"a huge key":      {[]*x509.Certificate{named("a", "root", huge)}, nil, pubkey.MaxCost},
		"a key that is 0": {[]*x509.Certificate{named("a", "root", nil)}, nil, one},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := pubkey.ChainCost(leaf, tt.intermediates, tt.anchors)
			if tt.want >= 0 && got != tt.want || tt.want < 0 && got <= pubkey.MaxCost {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}
