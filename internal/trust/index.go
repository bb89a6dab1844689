// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/imageref"
)

const (
	// ScopeIndex finds the Images that a scope covers: each is indexed under the scopes of
	// its reference, which are as many as the reference is deep.
	ScopeIndex = "assay.dev/scopes"
	// keySourceIndex finds the TrustPolicies that read a Secret or ConfigMap.
	keySourceIndex = "assay.dev/key-sources"
)

// RegisterIndexes registers the indexes by which Enqueuer and PoliciesReading find what a
// change affects.
func RegisterIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &imagecache.Image{}, ScopeIndex, scopesOfImage); err != nil {
		return fmt.Errorf("registering index %s: %w", ScopeIndex, err)
	}
	if err := indexer.IndexField(ctx, &assayv1alpha1.TrustPolicy{}, keySourceIndex, keySourcesOfPolicy); err != nil {
		return fmt.Errorf("registering index %s: %w", keySourceIndex, err)
	}
	return nil
}

func scopesOfImage(obj client.Object) []string {
	image, ok := obj.(*imagecache.Image)
	if !ok {
		return nil
	}
	ref, err := imageref.ParseImage(image.DockerImageReference)
	if err != nil {
		return nil
	}
	return imageref.ScopesOf(ref)
}

// keySourcesOfPolicy names the objects that a policy reads keys and roots from.
func keySourcesOfPolicy(obj client.Object) []string {
	policy, ok := obj.(*assayv1alpha1.TrustPolicy)
	if !ok {
		return nil
	}
	var sources []string
	add := func(secret, configMap *assayv1alpha1.KeySourceRef) {
		if secret != nil {
			sources = append(sources, sourceName(SecretKind, secret.Name, ""))
		}
		if configMap != nil {
			sources = append(sources, sourceName(ConfigMapKind, configMap.Name, ""))
		}
	}
	addAll := func(fields []rootsField) {
		for _, field := range fields {
			add(field.source.SecretRef, field.source.ConfigMapRef)
		}
	}
	for i := range policy.Spec.Keys {
		key := &policy.Spec.Keys[i]
		add(key.SecretRef, key.ConfigMapRef)
		addAll(logSources(key.TransparencyLog))
	}
	for i := range policy.Spec.Signers {
		addAll(signerSources(&policy.Spec.Signers[i]))
	}
	return sources
}

// PoliciesReading returns the TrustPolicies that read keys or roots from a Secret or ConfigMap.
func PoliciesReading(ctx context.Context, reader client.Reader, kind, name string) ([]assayv1alpha1.TrustPolicy, error) {
	var list assayv1alpha1.TrustPolicyList
	if err := reader.List(ctx, &list, client.MatchingFields{keySourceIndex: sourceName(kind, name, "")}); err != nil {
		return nil, fmt.Errorf("finding the TrustPolicies that read %s %s: %w", kind, name, err)
	}
	return list.Items, nil
}
