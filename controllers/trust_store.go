// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/distribution/reference"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/openpgp"
	"github.com/assay-project/assay/internal/verify"
)

// TrustStore holds every TrustPolicy with its keys parsed, ready to be looked up by
// image. It is made from the cache when it is asked for after something changed, so that
// what is read is never older than the event that made somebody ask.
type TrustStore struct {
	// Client reads TrustPolicies, Secrets and ConfigMaps, normally from a cache.
	Client client.Reader
	// Namespace is the operator's own, the only one in which keys are looked for.
	Namespace string

	changes atomic.Uint64
	mu      sync.Mutex
	current *trustSnapshot
}

// trustSnapshot is immutable.
type trustSnapshot struct {
	// change is the value of TrustStore.changes that the snapshot covers.
	change   uint64
	policies map[string]*trustedPolicy
	byScope  imageref.Index[*trustedPolicy]
	keyFiles map[keyFileID]*keyFile
}

// trustedPolicy is a TrustPolicy as it can be applied. Immutable.
type trustedPolicy struct {
	name       string
	uid        types.UID
	generation int64
	spec       *assayv1alpha1.TrustPolicySpec
	sources    []keySource
	keyring    *openpgp.Keyring
	// unavailable names the keys that could not be read, sorted.
	unavailable []string
	matcher     *imageref.Matcher
	scopes      []imageref.Scope
	// problem says why the policy cannot be applied as it is written.
	problem string
}

// Changed says that a TrustPolicy, Secret or ConfigMap has changed in the cache.
func (s *TrustStore) Changed() {
	s.changes.Add(1)
}

// snapshot returns the present state of the cache.
func (s *TrustStore) snapshot(ctx context.Context) (*trustSnapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change := s.changes.Load()
	if s.current != nil && s.current.change == change {
		return s.current, nil
	}
	next, err := s.build(ctx, s.current)
	if err != nil {
		return nil, err
	}
	next.change = change
	s.current = next
	return next, nil
}

func (s *TrustStore) build(ctx context.Context, previous *trustSnapshot) (*trustSnapshot, error) {
	if previous == nil {
		previous = &trustSnapshot{}
	}
	var list assayv1alpha1.TrustPolicyList
	if err := s.Client.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("listing TrustPolicies: %w", err)
	}
	slices.SortFunc(list.Items, func(a, b assayv1alpha1.TrustPolicy) int { return cmp.Compare(a.Name, b.Name) })

	next := &trustSnapshot{
		policies: make(map[string]*trustedPolicy, len(list.Items)),
		keyFiles: map[keyFileID]*keyFile{},
	}
	reader := &keyReader{client: s.Client, namespace: s.Namespace, previous: previous.keyFiles, seen: next.keyFiles}
	for i := range list.Items {
		item := &list.Items[i]
		policy, err := trust(ctx, reader, item, previous.policies[item.Name])
		if err != nil {
			return nil, fmt.Errorf("TrustPolicy %s: %w", item.Name, err)
		}
		next.policies[policy.name] = policy
		for _, scope := range policy.scopes {
			next.byScope.Add(scope, policy)
		}
	}
	return next, nil
}

// trust prepares a policy. The previous one is kept when neither the policy nor any of
// its keys has changed, and so is its keyring.
func trust(ctx context.Context, reader *keyReader, policy *assayv1alpha1.TrustPolicy, previous *trustedPolicy) (*trustedPolicy, error) {
	sources := make([]keySource, len(policy.Spec.Keys))
	for i := range policy.Spec.Keys {
		source, err := reader.read(ctx, policy, &policy.Spec.Keys[i])
		if err != nil {
			return nil, err
		}
		sources[i] = source
	}
	if previous != nil && previous.uid == policy.UID && previous.generation == policy.Generation && sameSources(previous.sources, sources) {
		return previous, nil
	}
	p := &trustedPolicy{
		name: policy.Name, uid: policy.UID, generation: policy.Generation,
		spec: policy.Spec.DeepCopy(), sources: sources,
	}
	p.readKeys()
	p.readRules()
	return p, nil
}

// sameSources reports whether two readings of a policy's keys found the same.
func sameSources(a, b []keySource) bool {
	return slices.EqualFunc(a, b, func(x, y keySource) bool {
		return x.name == y.name && slices.EqualFunc(x.files, y.files, func(f, g *keyFile) bool {
			return f == g || (f.parsed == nil && g.parsed == nil && *f == *g)
		})
	})
}

func (p *trustedPolicy) readKeys() {
	var files []*openpgp.KeyFile
	for _, source := range p.sources {
		available := true
		for _, file := range source.files {
			if file.parsed == nil {
				available = false
				continue
			}
			files = append(files, file.parsed)
		}
		if !available {
			p.unavailable = append(p.unavailable, source.name)
		}
	}
	slices.Sort(p.unavailable) // The order of spec.keys is to change no message.
	p.keyring = openpgp.NewKeyringFromFiles(files...)
}

func (p *trustedPolicy) readRules() {
	var problems []string
	for i, text := range p.spec.Scopes {
		scope, err := imageref.ParseScope(text)
		if err != nil {
			problems = append(problems, fmt.Sprintf("spec.scopes[%d]: %v", i, err))
			continue
		}
		p.scopes = append(p.scopes, scope)
	}
	matcher, err := imageref.NewMatcher(identityRule(p.spec.SignedIdentity))
	if err != nil {
		problems = append(problems, "spec.signedIdentity: "+err.Error())
	}
	p.matcher = matcher
	p.problem = strings.Join(problems, "; ")
}

// identityRule translates a policy's signedIdentity.
func identityRule(in *assayv1alpha1.SignedIdentity) imageref.Rule {
	if in == nil {
		return imageref.Rule{}
	}
	rule := imageref.Rule{Match: imageref.Match(in.MatchPolicy)}
	if in.ExactReference != nil {
		rule.DockerReference = in.ExactReference.Reference
	}
	if in.ExactRepository != nil {
		rule.DockerRepository = in.ExactRepository.Repository
	}
	if in.RemapIdentity != nil {
		rule.Prefix, rule.SignedPrefix = in.RemapIdentity.Prefix, in.RemapIdentity.SignedPrefix
	}
	return rule
}

// policiesFor returns the policies that apply to an image: all that have the most
// specific scope that covers it. None apply without a reference.
func (t *trustSnapshot) policiesFor(ref reference.Named) []verify.Policy {
	if ref == nil {
		return nil
	}
	found, scope, _ := t.byScope.Lookup(ref)
	policies := make([]verify.Policy, 0, len(found))
	for _, p := range found {
		policies = append(policies, p.apply(scope))
	}
	return policies
}

func (p *trustedPolicy) apply(scope string) verify.Policy {
	return verify.Policy{
		Name:               p.name,
		Scope:              scope,
		Keys:               p.keyring,
		UnavailableKeys:    p.unavailable,
		Identity:           p.matcher,
		Problem:            p.problem,
		RequiredSignatures: int(p.spec.RequiredSignatures),
		AcceptBeforeExpiry: p.spec.ExpiredKeys == assayv1alpha1.ExpiredKeysAcceptSignaturesBeforeExpiry,
	}
}
