// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"

	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/types"
)

// newMechanism returns the contender that keeps the parsed keys of containers/image between
// signatures. It checks message, key, payload, the manifest's digest and the name. Policy
// evaluation does not work like this, but another program may.
func newMechanism(f fixture) (contender, error) {
	mechanism, identities, err := signature.NewEphemeralGPGSigningMechanism(f.certificate)
	if err != nil {
		return nil, err
	}
	return func() error {
		_, _, err := signature.VerifyImageManifestSignatureUsingKeyIdentityList(
			f.content, f.manifest, imageReference, mechanism, identities)
		return err
	}, nil
}

// newPolicy returns the contender that works like podman, skopeo and CRI-O: it evaluates a policy
// (containers-policy.json(5), signedBy with key data) for an image in memory. It parses the keys
// and verifies their self-signatures for every signature. The measured time includes no reads of
// files or registries.
func newPolicy(f fixture) (contender, error) {
	reference, err := docker.ParseReference("//" + imageReference)
	if err != nil {
		return nil, err
	}
	requirement, err := signature.NewPRSignedByKeyData(signature.SBKeyTypeGPGKeys, f.certificate,
		signature.NewPRMMatchRepoDigestOrExact())
	if err != nil {
		return nil, err
	}
	evaluation, err := signature.NewPolicyContext(&signature.Policy{
		Default: signature.PolicyRequirements{signature.NewPRReject()},
		Transports: map[string]signature.PolicyTransportScopes{
			reference.Transport().Name(): {imageScope: {requirement}},
		},
	})
	if err != nil {
		return nil, err
	}
	image := &memoryImage{reference: reference, manifest: f.manifest, signatures: [][]byte{f.content}}
	return func() error {
		allowed, err := evaluation.IsRunningImageAllowed(context.Background(), image)
		if err == nil && !allowed {
			return errors.New("the policy does not allow the image")
		}
		return err
	}, nil
}

// memoryImage is an image in memory.
type memoryImage struct {
	reference  types.ImageReference
	manifest   []byte
	signatures [][]byte
}

var _ types.UnparsedImage = (*memoryImage)(nil)

// Reference implements types.UnparsedImage.
func (i *memoryImage) Reference() types.ImageReference { return i.reference }

// Manifest implements types.UnparsedImage.
func (i *memoryImage) Manifest(context.Context) ([]byte, string, error) {
	return i.manifest, "application/vnd.oci.image.manifest.v1+json", nil
}

// Signatures implements types.UnparsedImage.
func (i *memoryImage) Signatures(context.Context) ([][]byte, error) { return i.signatures, nil }
