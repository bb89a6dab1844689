// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/distribution"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

const (
	username = "puller"
	password = "correct horse"
)

var release = fixture.Key("bench")

// site is a registry with a lookaside store, and a key of cosign.
type site struct {
	name      string
	private   bool
	registry  *distribution.Registry
	lookaside *distribution.Lookaside
	cosign    *fixture.CosignKey
	// public is the file of its public key.
	public []byte
}

// newSite starts a registry that everybody may read, or one that asks for a credential.
func newSite(ctx context.Context, dir string, private bool) (s *site, err error) {
	s = &site{name: "public", private: private}
	options := distribution.Options{}
	if private {
		s.name, options.Username, options.Password = "private", username, password
	}
	if s.cosign, err = fixture.NewCosignKey(); err != nil {
		return nil, err
	}
	if s.public, err = s.cosign.Public(); err != nil {
		return nil, err
	}
	options.Dir = filepath.Join(dir, s.name)
	store := filepath.Join(options.Dir, "lookaside")
	if err := os.MkdirAll(store, 0o755); err != nil {
		return nil, err
	}
	if s.lookaside, err = distribution.StartLookaside(store); err != nil {
		return nil, err
	}
	if s.registry, err = distribution.Start(ctx, options); err != nil {
		return nil, errors.Join(err, s.lookaside.Stop())
	}
	return s, nil
}

func (s *site) close() error { return errors.Join(s.registry.Stop(), s.lookaside.Stop()) }

// objects are what the operator needs to fetch signatures from the site and to trust them.
func (s *site) objects() []client.Object {
	config := &assayv1alpha1.RegistryConfig{ObjectMeta: metav1.ObjectMeta{Name: s.name}, Spec: assayv1alpha1.RegistryConfigSpec{
		Scopes: []assayv1alpha1.RegistryScope{assayv1alpha1.RegistryScope(s.registry.Host)}, Insecure: true, Lookaside: assayv1alpha1.StoreURL(s.lookaside.URL),
	}}
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: s.name}, Spec: assayv1alpha1.TrustPolicySpec{
		Scopes: []assayv1alpha1.Scope{assayv1alpha1.Scope(s.registry.Host)},
		Keys:   []assayv1alpha1.TrustedKey{{Name: "release", SecretRef: &assayv1alpha1.KeySourceRef{Name: s.name}}},
		// cosign signs no tag, and bundles of it have no name.
		SignedIdentity:    &assayv1alpha1.SignedIdentity{MatchPolicy: assayv1alpha1.MatchRepository},
		UnnamedSignatures: assayv1alpha1.UnnamedSignaturesAccept,
	}}
	list := []client.Object{config, policy, s.secret("", corev1.SecretTypeOpaque, map[string][]byte{
		"release.asc": fixture.PublicKey(release), "cosign.pub": s.public,
	})}
	if s.private {
		login := map[string]any{"auths": map[string]any{s.registry.Host: map[string]string{"username": username, "password": password}}}
		data, _ := json.Marshal(login) // Strings always become JSON.
		pull := s.secret("-pull", corev1.SecretTypeDockerConfigJson, map[string][]byte{corev1.DockerConfigJsonKey: data})
		config.Spec.Credentials = &assayv1alpha1.RegistryCredentials{SecretRef: assayv1alpha1.ObjectRef{Name: pull.Name}}
		list = append(list, pull)
	}
	return list
}

func (s *site) secret(suffix string, kind corev1.SecretType, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: manager.Namespace, Name: s.name + suffix}, Type: kind, Data: data}
}

// kind is a kind of image and of signature.
type kind struct {
	name  string
	index bool
	// derived: the index itself is not signed, and counts because its images are.
	derived bool
	// sign stores the signature of a manifest.
	sign func(s *site, ctx context.Context, repository string, d digest.Digest) error
}

// kinds are those of the site. The credential makes the difference for all alike, so that only two are
// measured with it.
func (s *site) kinds() []kind {
	list := []kind{{name: "image", sign: (*site).signOpenPGP}, {name: "index", index: true, sign: (*site).signOpenPGP}}
	if s.private {
		return list
	}
	return append(list,
		kind{name: "index of signed images", index: true, derived: true, sign: (*site).signOpenPGP},
		kind{name: "attachment of cosign", sign: (*site).attach},
		kind{name: "bundle of cosign", sign: (*site).attachBundle},
	)
}

// push pushes and signs an image, or an index with two platforms, and returns its reference. As skopeo
// does, it signs what is in an index too.
func (s *site) push(ctx context.Context, repository string, k kind) (string, error) {
	var d digest.Digest
	var signed []digest.Digest
	var err error
	if k.index {
		d, signed, err = s.registry.PushIndex(ctx, repository, "v1", "amd64", "arm64")
	} else {
		d, err = s.registry.Push(ctx, repository, "v1")
	}
	if err != nil {
		return "", err
	}
	if !k.derived {
		signed = append(signed, d)
	}
	for _, each := range signed {
		if err := k.sign(s, ctx, repository, each); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s/%s:v1@%s", s.registry.Host, repository, d), nil
}

func (s *site) signOpenPGP(_ context.Context, repository string, d digest.Digest) error {
	return s.lookaside.Add(repository, d, fixture.Signature(s.registry.Host+"/"+repository, d, release).Content)
}

func (s *site) attach(ctx context.Context, repository string, d digest.Digest) error {
	payload, signature, err := s.cosign.Sign(s.registry.Host+"/"+repository, d)
	if err != nil {
		return err
	}
	return s.registry.Attach(ctx, repository, d, payload, signature)
}

func (s *site) attachBundle(ctx context.Context, repository string, d digest.Digest) error {
	bundle, err := s.cosign.Bundle(d)
	if err != nil {
		return err
	}
	return s.registry.AttachBundle(ctx, repository, d, bundle)
}
