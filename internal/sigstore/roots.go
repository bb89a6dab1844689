// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/rfc3161"
	"github.com/assay-project/assay/internal/tlog"
)

// Bounds of what a policy trusts.
const (
	// MaxRoot is the largest trusted_root.json in bytes. A Secret or ConfigMap cannot hold more.
	MaxRoot = 1 << 20
	// maxAuthorities is the largest number of certificate authorities, and of timestamp authorities.
	maxAuthorities = 32
	// maxChain is the largest number of certificates of an authority in a trusted root.
	maxChain = 8
	// maxCACertificates is the largest number of certificates in a PEM file.
	maxCACertificates = 64
)

// Roots are the certificate authorities, transparency logs and timestamp authorities that a policy
// trusts. They are not changed after they were read, and may be shared.
type Roots struct {
	cas     []*certificateAuthority
	logs    []*tlog.Log
	ctLogs  []*tlog.Log
	tsas    []*timestampAuthority
	skipped []string
	// complete is set for a trusted root, which names all intermediates and the logs of certificate
	// transparency.
	complete bool
}

// timestampAuthority issues timestamps.
type timestampAuthority struct {
	authority *rfc3161.Authority
	valid     tlog.Period
}

// Skipped names what ParseTrustedRoot passed over because its algorithm is not supported, such as
// "tlogs[2]", in the order of the file. What only that could verify is refused as untrusted.
func (r *Roots) Skipped() []string { return r.skipped }

// NewRoots returns roots for a private instance: the CA certificates of its Fulcio, all of them
// anchors, and the public keys of its Rekor logs. There need not be certificates where the roots are
// only for a transparency log.
func NewRoots(anchors []*x509.Certificate, rekorKeys []*pubkey.Key) (*Roots, error) {
	switch {
	case len(anchors) > maxCACertificates:
		return nil, fmt.Errorf("there are more than %d CA certificates", maxCACertificates)
	case len(rekorKeys) > tlog.MaxLogs:
		return nil, fmt.Errorf("there are more than %d keys of transparency logs", tlog.MaxLogs)
	case len(rekorKeys) == 0:
		return nil, errors.New("there is no key of a transparency log")
	}
	r := &Roots{}
	if len(anchors) > 0 {
		r.cas = []*certificateAuthority{newCertificateAuthority(anchors, nil, tlog.Period{})}
	}
	for _, key := range rekorKeys {
		r.logs = append(r.logs, tlog.NewLog(key))
	}
	return r, nil
}

// ParseRoots is NewRoots for PEM files.
func ParseRoots(caCertificates, rekorKeys []byte) (*Roots, error) {
	var anchors []*x509.Certificate
	var err error
	if len(caCertificates) > 0 {
		if anchors, err = ParseCertificates(caCertificates); err != nil {
			return nil, fmt.Errorf("CA certificates: %w", err)
		}
	}
	keys, err := pubkey.ParsePEM(rekorKeys)
	if err != nil {
		return nil, fmt.Errorf("keys of Rekor: %w", err)
	}
	return NewRoots(anchors, keys)
}

// Logs reports whether the roots name a transparency log that can be used.
func (r *Roots) Logs() bool { return len(r.logs) > 0 }

// Authorities reports whether the roots name a certificate authority that can be used.
func (r *Roots) Authorities() bool { return len(r.cas) > 0 }

// ParseKeys reads public keys in PEM, at least one and at most 64, all of which must meet the floor.
func ParseKeys(pem []byte) ([]*pubkey.Key, error) { return pubkey.ParsePEM(pem) }

// ParseCertificates reads the certificates of CAs in PEM, at least one and at most 64.
func ParseCertificates(pem []byte) ([]*x509.Certificate, error) {
	blocks, err := pubkey.Blocks(pem, "CERTIFICATE", MaxRoot, maxCACertificates)
	if err != nil {
		return nil, err
	}
	certificates := make([]*x509.Certificate, len(blocks))
	for i, der := range blocks {
		if certificates[i], err = parseCA(der); err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i+1, err)
		}
	}
	return certificates, nil
}

// parseCA reads the certificate of a CA.
func parseCA(der []byte) (*x509.Certificate, error) {
	c, err := parseTrusted(der)
	if err == nil && !c.IsCA {
		return nil, errors.New("the certificate is not that of a CA")
	}
	return c, err
}

// parseTrusted reads a certificate from a policy.
func parseTrusted(der []byte) (*x509.Certificate, error) {
	if len(der) > maxCertificate {
		return nil, fmt.Errorf("the certificate is larger than %d bytes", maxCertificate)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("the certificate is malformed")
	}
	if _, err := pubkey.New(c.PublicKey); err != nil {
		return nil, err
	}
	return c, nil
}
