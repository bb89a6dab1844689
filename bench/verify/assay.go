// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/openpgp"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/verify"
)

// newKeyring parses the keys once, as the operator does when a policy or a key changes.
func newKeyring(f fixture) (*openpgp.Keyring, error) {
	file, err := openpgp.ParseKeyFile(f.certificate)
	if err != nil {
		return nil, err
	}
	return openpgp.NewKeyring(file.Certificates...), nil
}

// newMessage returns the contender that verifies only the message: from the content to the signed
// bytes and their signing key.
func newMessage(f fixture) (contender, error) {
	keyring, err := newKeyring(f)
	if err != nil {
		return nil, err
	}
	options := openpgp.Options{Now: time.Now()}
	return func() error {
		message, err := openpgp.ParseMessage(f.content)
		if err != nil {
			return err
		}
		_, err = keyring.Verify(message, options)
		return err
	}, nil
}

// newVerdict returns the contender that verifies an image with a known digest and parsed reference:
// message, key, payload, digest, identity, and the verdict with its claims and messages, ready for
// the object.
func newVerdict(f fixture) (contender, error) {
	in, err := newInput(f)
	if err != nil {
		return nil, err
	}
	in.Image.Manifest = verify.Manifest{Digest: digest.FromBytes(f.manifest)}
	return func() error { return accepted(verifier.Check(in)) }, nil
}

// newImage returns the contender that does the same as policy evaluation, which also receives a
// parsed reference: in addition, it parses the manifest strictly and computes its digest. The
// operator does this once for all signatures of an image.
func newImage(f fixture) (contender, error) {
	in, err := newInput(f)
	if err != nil {
		return nil, err
	}
	return func() error {
		in.Image.Manifest = verify.ParseManifest(f.manifest, "")
		return accepted(verifier.Check(in))
	}, nil
}

func newInput(f fixture) (verify.Input, error) {
	file, err := signature.ParseKeyFile(signature.Formats(), f.certificate)
	if err != nil {
		return verify.Input{}, err
	}
	trust := signature.NewTrust(signature.Formats(), []verify.NamedKeyFile{{Entry: "release", File: file}})
	matcher, err := imageref.NewMatcher(imageref.Rule{Match: imageref.MatchRepoDigestOrExact})
	if err != nil {
		return verify.Input{}, err
	}
	return verify.Input{
		Now: time.Now(),
		Image: verify.Image{
			Reference:  verify.ParseReference(imageReference),
			Signatures: []verify.Signature{{Type: imagev1.SignatureTypeAtomic, Content: f.content}},
		},
		Policies: []verify.Policy{{Name: "release", Scope: imageScope, Trust: trust, Identity: matcher}},
	}, nil
}

// verifier has the formats of the product.
var verifier = verify.New(signature.Formats()...)

func accepted(v verify.Verdict) error {
	if v.Outcome != verify.Verified {
		return fmt.Errorf("%s: %s", v.Reason, v.Message)
	}
	return nil
}
