// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/sigstore"
	"github.com/assay-project/assay/internal/verify"
)

// maxCertificates is the largest number of certificates of a kind that a signer may have in all of its
// files, as in one.
const maxCertificates = 64

// signerFile is an entry of spec.signers with what its sources hold.
type signerFile struct {
	roots     *sharedRoots // of Fulcio
	authority sigstore.Authority
}

// Problems is empty: the files of its sources have theirs.
func (*signerFile) Problems() []string { return nil }

// Cost is that of its files, which are counted by themselves.
func (*signerFile) Cost() int { return 0 }

// NewSigner makes an entry of spec.signers, which takes the place of a key file in NewTrust, from the
// files of its sources. The error says why it cannot be used as it is written.
func NewSigner(signer *assayv1alpha1.TrustedSigner, material Material) (verify.KeyFile, error) {
	f := &signerFile{authority: sigstore.Authority{Name: string(signer.Name)}}
	switch {
	case signer.Fulcio != nil:
		roots, err := material.roots()
		if err != nil {
			return nil, fmt.Errorf("fulcio: %w", err)
		}
		f.roots, f.authority.Fulcio = roots, newFulcio(signer.Fulcio, roots.roots)
	case signer.PKI != nil:
		pki, err := newPKI(signer.PKI, material)
		if err != nil {
			return nil, err
		}
		f.authority.PKI = pki
	}
	if err := f.authority.Validate(); err != nil {
		return nil, err
	}
	return f, nil
}

func newFulcio(in *assayv1alpha1.FulcioSigner, roots *sigstore.Roots) *sigstore.Fulcio {
	f := &sigstore.Fulcio{
		Roots:  roots,
		Issuer: in.OIDCIssuer,
		Subject: sigstore.Subject{
			Email: string(in.Subject.Email), URI: in.Subject.URI, URIPrefix: in.Subject.URIPrefix, Username: in.Subject.Username,
		},
		Claims: make(map[string]string, len(in.Claims)),
	}
	for _, claim := range in.Claims {
		f.Claims[string(claim.Name)] = claim.Value
	}
	return f
}

func newPKI(in *assayv1alpha1.PKISigner, material Material) (*sigstore.PKI, error) {
	p := &sigstore.PKI{
		Roots: material.certificates(CACertificates), Intermediates: material.certificates(Intermediates),
		Email: string(in.Subject.Email), Hostname: in.Subject.Hostname,
	}
	if len(p.Roots) > maxCertificates || len(p.Intermediates) > maxCertificates {
		return nil, fmt.Errorf("pki: there are more than %d CA certificates", maxCertificates)
	}
	return p, nil
}

// status describes the entry as a key without a fingerprint.
func (f *signerFile) status(now time.Time) verify.KeyStatus {
	var status verify.KeyStatus
	var err error
	reason := assayv1alpha1.ReasonRootsUnavailable
	switch {
	case f.authority.PKI != nil:
		reason = assayv1alpha1.ReasonCertificateExpired
		status.NextChange, err = validity(f.authority.PKI.Roots, now)
		status.Expires = lastExpiry(f.authority.PKI.Roots)
	case !f.roots.roots.Authorities():
		err = errors.New("the trusted root names no certificate authority that can be used")
	case !f.roots.roots.Logs():
		err = errors.New("the trusted root names no transparency log that can be used")
	}
	if err != nil {
		status.Err = &verify.Error{Reason: reason, Detail: err.Error()}
	}
	return status
}

// validity returns an error if none of the certificates is valid, and when that may change next.
func validity(certificates []*x509.Certificate, now time.Time) (next time.Time, err error) {
	err = errors.New("no CA certificate of the signer is valid at present")
	for _, c := range certificates {
		if !now.Before(c.NotBefore) && !now.After(c.NotAfter) {
			err = nil
		}
		for _, t := range []time.Time{c.NotBefore, c.NotAfter} {
			if t.After(now) && (next.IsZero() || t.Before(next)) {
				next = t
			}
		}
	}
	return next, err
}

// lastExpiry returns when the last of the certificates expires.
func lastExpiry(certificates []*x509.Certificate) time.Time {
	var last time.Time
	for _, c := range certificates {
		if c.NotAfter.After(last) {
			last = c.NotAfter
		}
	}
	return last
}
