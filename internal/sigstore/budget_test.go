// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/sigstore"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// TestSpend expects every step that takes long to ask for its time, and a refusal of any of them to
// leave the signature unchecked.
func TestSpend(t *testing.T) {
	w := newWorld(t)
	keyed := w.envelope(w.statement)
	keyed.cert = nil
	pki := w.sign(w.payload)
	pki.cert = w.Intermediate.Issue(t, w.key, pkiLeaf())
	tests := map[string]struct {
		content   any
		authority *sigstore.Authority
		steps     int
	}{
		"key":               {keyed.v1(), w.byKey(nil), 1},
		"key in a log":      {keyed.v1(), w.byKey(w.roots()), 2},                        // key, log
		"Fulcio in Rekor 1": {w.envelope(w.statement).v1(), byFulcio(w.roots()), 3},     // log, chain, key
		"Fulcio in Rekor 2": {w.envelope(w.statement).v2(), byFulcio(w.roots()), 4},     // log, timestamp, chain, key
		"private Fulcio":    {w.sign(w.payload).blob(nil), byFulcio(w.rekorRoots()), 3}, // log, chain, key
		"PKI":               {pki.blob(nil), byPKI(w), 2},                               // chain, key
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			document := content(t, tt.content)
			for allowed := range tt.steps + 1 {
				left := allowed
				v, err := authenticate(document, sigstore.Input{Spend: func(cost int) bool {
					if cost <= 0 {
						t.Errorf("a step costs %d", cost)
					}
					left--
					return left >= 0
				}}, tt.authority)
				if allowed == tt.steps {
					if err != nil || left != 0 {
						t.Errorf("%v with %d steps left", err, left)
					}
					continue
				}
				if e := sigstore.AsError(err); err == nil || v != nil || e.Code != sigstore.OverBudget || !e.Code.Unchecked() {
					t.Errorf("with %d steps: %+v, %v", allowed, v, err)
				}
			}
		})
	}
}

// TestHostileChain has a signature that brings CAs of one name, each of which could have issued the
// others: the estimate must cover what crypto/x509 tries.
func TestHostileChain(t *testing.T) {
	w := newWorld(t)
	same := func() *st.CA {
		return st.NewCA(t, "same", st.NewCA(t, "same", nil), func(c *x509.Certificate) { c.SubjectKeyId = nil })
	}
	others := []*st.CA{same(), same(), same()}
	s := w.sign(w.payload)
	s.cert = others[0].Issue(t, w.key, st.Leaf())
	var chain strings.Builder
	for _, ca := range others {
		chain.Write(st.CertificatePEM(ca.Certificate.Raw))
	}
	spent := 0
	_, err := authenticate(s.blob(map[string]string{annChain: chain.String()}), sigstore.Input{Spend: func(cost int) bool {
		spent += cost
		return true
	}}, byFulcio(w.rekorRoots()))
	if err == nil || sigstore.AsError(err).Code != sigstore.UntrustedCertificate {
		t.Errorf("%v, want that the CA is not trusted", err)
	}
	const perKey, paths = 150, 3 + 3*2 + 3*2*1
	if least := (paths + 1) * perKey; spent < least {
		t.Errorf("%d microseconds, want at least %d", spent, least)
	}
}

// TestBrought has the costliest certificates that genuine signatures bring, which are checked whatever they cost, and
// more than that, which no caller has to allow.
func TestBrought(t *testing.T) {
	w := newWorld(t)
	company, chained := pkiChain(w)
	bringing, stamps := stamped(w)
	for name, tt := range map[string]struct {
		content   []byte
		authority *sigstore.Authority
		want      sigstore.Code
	}{
		"a chain on P-521":                     {chained, company, 0},
		"timestamps on P-384":                  {stamps, bringing, 0},
		"timestamps with CAs that sign others": {hostile(w), bringing, sigstore.OverBudget},
	} {
		_, err := authenticate(tt.content, sigstore.Input{}, tt.authority)
		if code := codeOf(err); code != tt.want {
			t.Errorf("%s: %s, want %s: %v", name, code, tt.want, err)
		}
	}
	// What another entry has spent does not count.
	if _, err := authenticate(chained, sigstore.Input{}, byFulcio(w.rekorRoots()), company, company); err != nil {
		t.Errorf("after another entry: %v", err)
	}
}

// codeOf returns the code of an error, 0 for none.
func codeOf(err error) sigstore.Code {
	if err == nil {
		return 0
	}
	return sigstore.AsError(err).Code
}

// TestNewRoots has what makes keys and certificates unacceptable as a whole.
func TestNewRoots(t *testing.T) {
	w := newWorld(t)
	key := w.byKey(nil).Keys[0]
	ca := w.Root.Certificate
	tests := map[string]struct {
		anchors []*x509.Certificate
		keys    []*pubkey.Key
		want    string
	}{
		"both":      {[]*x509.Certificate{ca}, []*pubkey.Key{key}, ""},
		"a log":     {nil, []*pubkey.Key{key}, ""},
		"no log":    {[]*x509.Certificate{ca}, nil, "there is no key"},
		"many logs": {nil, make([]*pubkey.Key, 65), "more than 64 keys"},
		"many CAs":  {make([]*x509.Certificate, 65), []*pubkey.Key{key}, "more than 64 CA certificates"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			roots, err := sigstore.NewRoots(tt.anchors, tt.keys)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || roots != nil {
					t.Errorf("%v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !roots.Logs() || roots.Authorities() != (len(tt.anchors) > 0) {
				t.Errorf("logs %t, authorities %t", roots.Logs(), roots.Authorities())
			}
		})
	}
}

// TestPrefix has prefixes of URIs that would accept strangers.
func TestPrefix(t *testing.T) {
	w := newWorld(t)
	for prefix, valid := range map[string]bool{
		"https://github.com/":                   true,
		"https://github.com/org/":               true,
		"https://github.com/org/a.yml@":         true,
		"spiffe://example.com/ns/":              true,
		"https://":                              false,
		"https:///":                             false,
		"://github.com/":                        false,
		"/":                                     false,
		"@":                                     false,
		"https://github.com":                    false,
		"https://github.com@":                   false,
		"https://github.com@example.com/":       false,
		"https://github.com/org":                false,
		"https://github.com/org/a.yml@refs":     false,
		"github.com/org/":                       false,
		"https://github.com/org/a.yml@refs/a/b": false,
	} {
		a := byFulcio(w.roots(), func(f *sigstore.Fulcio) { f.Subject = sigstore.Subject{URIPrefix: prefix} })
		if err := a.Validate(); (err == nil) != valid {
			t.Errorf("%q: %v, want valid to be %t", prefix, err, valid)
		}
	}
}
