// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/sigstore"
	"github.com/assay-project/assay/internal/verify"
)

// RootsKind is a kind of files that a policy names beside those of keys.
type RootsKind int

const (
	// TrustedRoot is one trusted_root.json.
	TrustedRoot RootsKind = iota + 1
	// RekorKeys are the public keys of transparency logs in PEM.
	RekorKeys
	// CACertificates are the certificates of CAs in PEM, all of them anchors.
	CACertificates
	// Intermediates are the certificates of CAs in PEM that help to find an anchor.
	Intermediates
)

// Material is what an entry of a policy was given beside keys: files of ParseRoots by their kind.
type Material map[RootsKind][]verify.KeyFile

// Cost of parsing, in microseconds: of JSON and base64 for each 100 bytes, and of a certificate with
// the check of its chain.
const (
	textCost        = 1
	certificateCost = 3_000
)

// rootsFile is a file of ParseRoots.
type rootsFile struct {
	sum          [sha256.Size]byte
	roots        *sigstore.Roots
	keys         []*pubkey.Key
	certificates []*x509.Certificate
	cost         int
}

// Problems names what was passed over in a trusted root.
func (f *rootsFile) Problems() []string {
	if f.roots == nil || len(f.roots.Skipped()) == 0 {
		return nil
	}
	return []string{"passed over for an algorithm that is not supported: " + strings.Join(f.roots.Skipped(), ", ")}
}

// Cost estimates the processor time of parsing, in microseconds.
func (f *rootsFile) Cost() int { return f.cost }

// ParseRoots reads a file of a kind. An error means that nothing in it can be used; the file has a
// cost all the same.
func ParseRoots(kind RootsKind, data []byte) (verify.KeyFile, error) {
	f := &rootsFile{sum: sha256.Sum256(data), cost: len(data) * textCost / 100}
	var err error
	switch kind {
	case TrustedRoot:
		f.roots, err = sigstore.ParseTrustedRoot(data)
		f.cost += certificateCost
	case RekorKeys:
		if f.keys, err = sigstore.ParseKeys(data); err != nil {
			err = fmt.Errorf("the file is not one of PEM blocks PUBLIC KEY: %w", err)
		}
		f.cost += keyCost * len(f.keys)
	case CACertificates, Intermediates:
		if f.certificates, err = sigstore.ParseCertificates(data); err != nil {
			err = fmt.Errorf("the file is not one of PEM blocks CERTIFICATE: %w", err)
		}
		f.cost += keyCost * len(f.certificates)
	default:
		err = errors.New("files of this kind are not known")
	}
	return f, err
}

// sharedRoots are roots that the entries of a policy with the same files share, so that the evidence
// beside a signature is checked once for all of them.
type sharedRoots struct {
	id    string
	roots *sigstore.Roots
}

// roots returns the roots that the material makes up: a trusted root, or keys of logs with the
// certificates of CAs, if there are any.
func (m Material) roots() (*sharedRoots, error) {
	if files := m.files(TrustedRoot); len(files) > 0 {
		if len(files) > 1 {
			return nil, errors.New("there are several trusted roots; name the one to read")
		}
		return &sharedRoots{id: "root " + string(files[0].sum[:]), roots: files[0].roots}, nil
	}
	var keys []*pubkey.Key
	id := "private"
	for _, file := range m.files(RekorKeys) {
		keys = append(keys, file.keys...)
		id += " key " + string(file.sum[:])
	}
	for _, file := range m.files(CACertificates) {
		id += " CA " + string(file.sum[:])
	}
	roots, err := sigstore.NewRoots(m.certificates(CACertificates), keys)
	if err != nil {
		return nil, err
	}
	return &sharedRoots{id: id, roots: roots}, nil
}

// files returns the files of a kind. What another format has parsed is left out.
func (m Material) files(kind RootsKind) []*rootsFile {
	var files []*rootsFile
	for _, file := range m[kind] {
		if f, ok := file.(*rootsFile); ok {
			files = append(files, f)
		}
	}
	return files
}

func (m Material) certificates(kind RootsKind) []*x509.Certificate {
	var all []*x509.Certificate
	for _, file := range m.files(kind) {
		all = append(all, file.certificates...)
	}
	return all
}

// RequireLog makes signatures by the keys of a file count only with an entry in a transparency log.
func RequireLog(file verify.KeyFile, material Material) (verify.KeyFile, error) {
	keys, ok := file.(keyFile)
	if !ok {
		return nil, errors.New("transparencyLog is for public keys in PEM, and the file has keys of another format")
	}
	roots, err := material.roots()
	if err != nil {
		return nil, fmt.Errorf("transparencyLog: %w", err)
	}
	keys.log = roots
	return keys, nil
}
