// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"slices"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// publicRoot is the ConfigMap for the trusted root of sigstore's public instance.
const (
	publicRoot = "sigstore-root"
	rootKey    = "trusted_root.json"
)

// patternPolicy collects what becomes of one policy of policy-controller or Kyverno.
type patternPolicy struct {
	converter   *Converter
	where, name string
	scopes      []assayv1alpha1.Scope
	keys        *keyList
}

func (c *Converter) newPatternPolicy(where, name string) *patternPolicy {
	return &patternPolicy{converter: c, where: where, name: name, keys: c.newKeyList(where)}
}

// addPatterns turns patterns for names of images into scopes.
func (p *patternPolicy) addPatterns(patterns []string, deep bool) {
	for _, pattern := range patterns {
		scope, wider, err := scopeOfPattern(pattern, deep)
		if err != nil {
			p.converter.note(true, p.where, "pattern %s is left out: %v", quote(pattern), err)
			continue
		}
		if wider {
			p.converter.note(true, p.where, "pattern %s becomes scope %s, which also covers the repositories further below", quote(pattern), quote(scope))
		}
		switch {
		case slices.Contains(p.scopes, assayv1alpha1.Scope(scope)):
		case len(p.scopes) == maxScopes:
			p.converter.note(true, p.where, "pattern %s is left out: a TrustPolicy has at most %d scopes", quote(pattern), maxScopes)
		default:
			p.scopes = append(p.scopes, assayv1alpha1.Scope(scope))
		}
	}
}

// leaveOpen records that there is no TrustPolicy for the images.
func (p *patternPolicy) leaveOpen(why string) {
	p.converter.leaveAllOpen(p.where, p.scopes, why)
}

// finish adds the TrustPolicies that ask for a number of the signers. Both originals compare the digest alone, and
// cosign names the repository.
func (p *patternPolicy) finish(required int) {
	total := len(p.keys.keys) + len(p.keys.signers)
	switch {
	case len(p.scopes) == 0:
		return
	case total == 0 || total < required:
		p.leaveOpen("the signers that can be carried over do not suffice")
		return
	case len(p.keys.keys) > maxKeys || len(p.keys.signers) > maxKeys || required > maxKeys:
		p.leaveOpen("it has more signers than a TrustPolicy can have")
		return
	}
	p.converter.note(false, p.where, "the original compares the digest alone; the TrustPolicy also refuses signatures that name another repository")
	if required < total || total == 1 {
		p.add(p.keys.keys, p.keys.signers, required)
		return
	}
	// Each has to sign. Two keys of one Secret would be two signers.
	for _, key := range p.keys.keys {
		p.add([]assayv1alpha1.TrustedKey{key}, nil, 1)
	}
	for i := range p.keys.signers {
		p.add(nil, p.keys.signers[i:i+1], 1)
	}
}

func (p *patternPolicy) add(keys []assayv1alpha1.TrustedKey, signers []assayv1alpha1.TrustedSigner, required int) {
	spec := assayv1alpha1.TrustPolicySpec{
		Scopes: p.scopes, Keys: keys, Signers: signers,
		SignedIdentity:    &assayv1alpha1.SignedIdentity{MatchPolicy: assayv1alpha1.MatchRepository},
		UnnamedSignatures: assayv1alpha1.UnnamedSignaturesAccept,
	}
	if required > 1 {
		spec.RequiredSignatures = int32(required) //nolint:gosec // at most maxKeys
	}
	p.converter.conjunctive = append(p.converter.conjunctive, len(p.converter.policies))
	p.converter.addPolicy(p.name, spec)
}

// root returns a reference to the ConfigMap with a trusted root, and says how to make it.
func (p *patternPolicy) root(name, of string) *assayv1alpha1.TrustSource {
	p.converter.note(false, p.where, "to create ConfigMap %s with the trusted root of %s: kubectl -n %s create configmap %s --from-file=%s",
		name, of, p.converter.options.Namespace, name, rootKey)
	return &assayv1alpha1.TrustSource{ConfigMapRef: &assayv1alpha1.KeySourceRef{Name: name, Key: rootKey}}
}

// secretKey adds the key that a Secret of the original holds.
func (p *patternPolicy) secretKey(namespace, secret, key string, log *assayv1alpha1.TransparencyLog) {
	if namespace != p.converter.options.Namespace {
		p.converter.note(false, p.where, "Secret %s is in namespace %s: create it in namespace %s too, with the public key alone",
			quote(secret), quote(namespace), p.converter.options.Namespace)
	}
	p.keys.keys = append(p.keys.keys, assayv1alpha1.TrustedKey{
		Name:            assayv1alpha1.EntryName(unique(p.keys.taken, objectName(secret), maxKeyName)),
		SecretRef:       &assayv1alpha1.KeySourceRef{Name: secret, Key: key},
		TransparencyLog: log,
	})
}

// conjoin gives policies of which all apply to an image the scopes of each other: of TrustPolicies, only those with the
// most specific scope apply.
func (c *Converter) conjoin() (policies []assayv1alpha1.TrustPolicy, notes []Note) {
	policies = slices.Clone(c.policies)
	holders := map[assayv1alpha1.Scope][]int{}
	scopes := make(map[int]*scopeSet, len(c.conjunctive))
	for _, i := range c.conjunctive {
		scopes[i] = newScopeSet(policies[i].Spec.Scopes)
		for _, scope := range policies[i].Spec.Scopes {
			holders[scope] = append(holders[scope], i)
		}
	}
	done := map[assayv1alpha1.Scope]bool{}
	for _, i := range c.conjunctive {
		for _, scope := range c.policies[i].Spec.Scopes {
			if done[scope] {
				continue
			}
			done[scope] = true
			for _, parent := range parents(string(scope)) {
				for _, wider := range holders[assayv1alpha1.Scope(parent)] {
					scopes[wider].add(scope)
				}
			}
		}
	}
	for _, i := range c.conjunctive {
		if scopes[i].full {
			notes = append(notes, Note{Where: "TrustPolicy " + policies[i].Name, Lost: true,
				Text: "it does not get all of the more specific scopes of other policies, because there are too many; its keys are not asked for there"})
		}
		policies[i].Spec.Scopes = scopes[i].list
	}
	return policies, notes
}

// scopeSet is the scopes of a TrustPolicy, in order, and no more than it can have.
type scopeSet struct {
	list []assayv1alpha1.Scope
	has  map[assayv1alpha1.Scope]bool
	full bool
}

func newScopeSet(scopes []assayv1alpha1.Scope) *scopeSet {
	s := &scopeSet{list: slices.Clone(scopes), has: map[assayv1alpha1.Scope]bool{}}
	for _, scope := range scopes {
		s.has[scope] = true
	}
	return s
}

func (s *scopeSet) add(scope assayv1alpha1.Scope) {
	switch {
	case s.has[scope]:
	case len(s.list) == maxScopes:
		s.full = true
	default:
		s.has[scope] = true
		s.list = append(s.list, scope)
	}
}
