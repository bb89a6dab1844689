// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/signature/sigstore"
	"github.com/assay-project/assay/internal/verify"
)

// RootsKind is a kind of files that a policy names beside those of keys.
type RootsKind = sigstore.RootsKind

// Kinds of files: see package sigstore.
const (
	TrustedRoot    = sigstore.TrustedRoot
	RekorKeys      = sigstore.RekorKeys
	CACertificates = sigstore.CACertificates
	Intermediates  = sigstore.Intermediates
)

// Material is what an entry of a policy was given beside keys: files of ParseRoots by their kind.
type Material = sigstore.Material

// ParseRoots reads a file of a kind. An error means that nothing in it can be used; the file has a
// cost all the same.
func ParseRoots(kind RootsKind, data []byte) (verify.KeyFile, error) {
	return sigstore.ParseRoots(kind, data)
}

// RequireLog makes signatures by the keys of a file count only with an entry in a transparency log
// that the material names.
func RequireLog(file verify.KeyFile, material Material) (verify.KeyFile, error) {
	return sigstore.RequireLog(file, material)
}

// NewSigner makes an entry of spec.signers, which takes the place of a key file in NewTrust. The error
// says why it cannot be used as it is written.
func NewSigner(signer *assayv1alpha1.TrustedSigner, material Material) (verify.KeyFile, error) {
	return sigstore.NewSigner(signer, material)
}

// ParseKeyFile reads a file of public keys in the format, of at least one, that its content
// has. An error means that nothing in it can be used; the file has a cost all the same.
func ParseKeyFile(formats []verify.Format, data []byte) (verify.KeyFile, error) {
	for _, format := range formats {
		if format.IsKeyFile(data) {
			return format.ParseKeyFile(data)
		}
	}
	return formats[0].ParseKeyFile(data)
}

// NewTrust makes what a policy trusts in each format from its key files and signers, as
// verify.Policy has it.
func NewTrust(formats []verify.Format, files []verify.NamedKeyFile) map[string]verify.Trust {
	trust := make(map[string]verify.Trust, len(formats))
	for _, format := range formats {
		trust[format.Name()] = format.NewTrust(files)
	}
	return trust
}
