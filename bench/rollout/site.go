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

// site is a registry with a lookaside store.
type site struct {
	name      string
	private   bool
	registry  *distribution.Registry
	lookaside *distribution.Lookaside
}

// newSite starts a registry that everybody may read, or one that asks for a credential.
func newSite(ctx context.Context, dir string, private bool) (s *site, err error) {
	s = &site{name: "public", private: private}
	options := distribution.Options{}
	if private {
		s.name, options.Username, options.Password = "private", username, password
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
	}}
	list := []client.Object{config, policy, s.secret("", corev1.SecretTypeOpaque, map[string][]byte{"release.asc": fixture.PublicKey(release)})}
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

// push pushes and signs an image, or an index with two platforms, and returns its reference. As skopeo
// does, it signs the index and what is in it.
func (s *site) push(ctx context.Context, repository string, index bool) (string, error) {
	var d digest.Digest
	var signed []digest.Digest
	var err error
	if index {
		d, signed, err = s.registry.PushIndex(ctx, repository, "v1", "amd64", "arm64")
	} else {
		d, err = s.registry.Push(ctx, repository, "v1")
	}
	if err != nil {
		return "", err
	}
	name := s.registry.Host + "/" + repository
	for _, each := range append(signed, d) {
		if err := s.lookaside.Add(repository, each, fixture.Signature(name, each, release).Content); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s:v1@%s", name, d), nil
}
