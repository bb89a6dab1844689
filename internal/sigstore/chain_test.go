// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"crypto/x509"
	"testing"

	"github.com/assay-project/assay/internal/sigstore"
	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
)

// TestChain has CAs that restrict what they issue. A chain is refused for it whether or not a part of
// it was checked before.
func TestChain(t *testing.T) {
	none := func(*x509.Certificate) {}
	tests := map[string]struct {
		root, intermediate func(*x509.Certificate)
		other, direct      bool          // another root is trusted; the root has issued the certificate
		want               sigstore.Code // 0 for accepted
	}{
		"plain":                     {none, none, false, false, 0},
		"for signing code":          {usage(x509.ExtKeyUsageCodeSigning), usage(x509.ExtKeyUsageCodeSigning), false, false, 0},
		"for one below":             {depth(1), depth(0), false, false, 0},
		"names of the signer":       {permit("example.com"), none, false, false, 0},
		"issued by the root":        {none, none, false, true, 0},
		"for something else":        {usage(x509.ExtKeyUsageTimeStamping), none, false, false, sigstore.UntrustedCertificate},
		"below for something else":  {none, usage(x509.ExtKeyUsageTimeStamping), false, false, sigstore.UntrustedCertificate},
		"for none below":            {depth(0), none, false, false, sigstore.UntrustedCertificate},
		"names of others":           {permit("example.org"), none, false, false, sigstore.UntrustedCertificate},
		"below for names of others": {none, permit("example.org"), false, false, sigstore.UntrustedCertificate},
		"root is expired":           {func(c *x509.Certificate) { c.NotAfter = st.Time.AddDate(0, 0, -1) }, none, false, false, sigstore.CertificateExpired},
		"root is not yet valid":     {func(c *x509.Certificate) { c.NotBefore = st.Time.AddDate(0, 0, 1) }, none, false, false, sigstore.CertificateExpired},
		"never valid": {func(c *x509.Certificate) {
			c.NotBefore = st.Time.AddDate(20, 0, 0)
			c.NotAfter = st.Time.AddDate(30, 0, 0)
		}, none, false, false, sigstore.CertificateExpired},
		"intermediate is expired": {none, func(c *x509.Certificate) { c.NotAfter = st.Time.AddDate(0, 0, -1) }, false, false, sigstore.CertificateExpired},
		"another root":            {none, none, true, false, sigstore.UntrustedCertificate},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Root = st.NewCA(t, "root", nil, test.root)
			w.Intermediate = st.NewCA(t, "intermediate", w.Root, test.intermediate)
			if test.other {
				w.Root = st.NewCA(t, "root", nil)
			}
			roots := w.roots()
			if test.direct {
				w.Intermediate = w.Root
			}
			w.cert = w.Certify(t, w.key, st.Leaf())
			_, err := authenticate(content(t, w.envelope(w.statement).v1()), sigstore.Input{}, byFulcio(roots))
			switch {
			case test.want == 0 && err != nil:
				t.Errorf("%s: %v", sigstore.AsError(err).Code, err)
			case test.want != 0 && (err == nil || sigstore.AsError(err).Code != test.want):
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func usage(u x509.ExtKeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{u} }
}

func depth(n int) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = n, n == 0 }
}

func permit(domain string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{domain} }
}
