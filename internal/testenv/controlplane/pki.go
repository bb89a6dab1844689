// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"time"
)

// validity of all certificates. They begin an hour early for clocks that are
// set back.
const (
	validFor    = 365 * 24 * time.Hour
	validBefore = time.Hour
)

// pki holds the keys of one control plane: a certificate authority for the API
// server and its clients, and the key that signs service account tokens.
type pki struct {
	dir   string
	now   time.Time
	ca    *keyPair
	admin *keyPair
}

// keyPair is a certificate with its key in the forms that their users want.
type keyPair struct {
	certificate     *x509.Certificate
	key             *ecdsa.PrivateKey
	certPEM, keyPEM []byte
	tls             tls.Certificate
}

// newPKI makes keys and writes the API server's files to dir, mode 0600.
func newPKI(dir string, now time.Time) (*pki, error) {
	p := &pki{dir: dir, now: now}
	var err error
	if p.ca, err = p.issue(&x509.Certificate{
		Subject:  pkix.Name{CommonName: "assay control plane"},
		KeyUsage: x509.KeyUsageCertSign,
		IsCA:     true,
	}); err != nil {
		return nil, err
	}
	serving, err := p.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 0, 0, 1)},
	})
	if err != nil {
		return nil, err
	}
	if p.admin, err = p.clientCertificate("admin", []string{"system:masters"}); err != nil {
		return nil, err
	}
	tokens, err := newKey()
	if err != nil {
		return nil, err
	}
	tokensPEM, err := encodeKey(tokens)
	if err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{
		"ca.crt":        p.ca.certPEM,
		"apiserver.crt": serving.certPEM,
		"apiserver.key": serving.keyPEM,
		"sa.key":        tokensPEM,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// apiServerArgs are the flags that name the files of newPKI.
func (p *pki) apiServerArgs() []string {
	file := func(name string) string { return filepath.Join(p.dir, name) }
	return []string{
		"--cert-dir=" + p.dir,
		"--client-ca-file=" + file("ca.crt"),
		"--tls-cert-file=" + file("apiserver.crt"),
		"--tls-private-key-file=" + file("apiserver.key"),
		"--service-account-key-file=" + file("sa.key"),
		"--service-account-signing-key-file=" + file("sa.key"),
	}
}

// clientCertificate issues a certificate that the API server takes for the given
// user and groups.
func (p *pki) clientCertificate(user string, groups []string) (*keyPair, error) {
	return p.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// issue makes a key and completes the template to a certificate for it, signed by
// the certificate authority or, while there is none, by itself.
func (p *pki) issue(template *x509.Certificate) (*keyPair, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template.NotBefore = p.now.Add(-validBefore)
	template.NotAfter = p.now.Add(validFor)
	template.BasicConstraintsValid = true
	parent, parentKey := template, key
	if p.ca != nil {
		parent, parentKey = p.ca.certificate, p.ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, err
	}
	pair := &keyPair{key: key, certPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	if pair.certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	if pair.keyPEM, err = encodeKey(key); err != nil {
		return nil, err
	}
	pair.tls, err = tls.X509KeyPair(pair.certPEM, pair.keyPEM)
	return pair, err
}

func newKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}
