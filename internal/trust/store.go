// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/distribution/reference"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/verify"
)

// Store holds every TrustPolicy, ready to be looked up by image. A snapshot is made from the
// cache when one is asked for after a change, so that it is never older than the event that
// made somebody ask.
type Store struct {
	// Client reads TrustPolicies, Secrets and ConfigMaps, normally from a cache.
	Client client.Reader
	// Namespace is the operator's own, the only one in which keys are looked for.
	Namespace string
	// Formats are those in which keys are read.
	Formats []verify.Format

	changes atomic.Uint64
	mu      sync.Mutex
	current *Snapshot
}

// Snapshot is every TrustPolicy at one time. It is immutable.
type Snapshot struct {
	revision    uint64
	policies    map[string]*Policy
	byScope     imageref.Index[*Policy]
	revokedKeys map[string]string
	// revokedID is another one for other revokedKeys.
	revokedID uint64
	contents  contentCache
}

// Invalidate makes the next snapshot be read from the cache: a TrustPolicy, Secret or
// ConfigMap has changed in it.
func (s *Store) Invalidate() {
	s.changes.Add(1)
}

// Snapshot returns the present state of the cache. It parses no keys and waits for none.
func (s *Store) Snapshot(ctx context.Context) (*Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	revision := s.changes.Load()
	if s.current != nil && s.current.revision == revision {
		return s.current, nil
	}
	next, err := s.build(ctx, s.current)
	if err != nil {
		return nil, err
	}
	next.revision = revision
	s.current = next
	return next, nil
}

func (s *Store) build(ctx context.Context, previous *Snapshot) (*Snapshot, error) {
	if previous == nil {
		previous = &Snapshot{}
	}
	var list assayv1alpha1.TrustPolicyList
	if err := s.Client.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("listing TrustPolicies: %w", err)
	}
	slices.SortFunc(list.Items, func(a, b assayv1alpha1.TrustPolicy) int { return cmp.Compare(a.Name, b.Name) })

	next := &Snapshot{
		policies:    make(map[string]*Policy, len(list.Items)),
		revokedKeys: map[string]string{},
		contents:    newContentCache(),
	}
	reader := &reader{
		client: s.Client, namespace: s.Namespace, formats: s.Formats,
		previous: &previous.contents, seen: &next.contents,
	}
	for i := range list.Items {
		item := &list.Items[i]
		policy, err := s.readPolicy(ctx, reader, item, previous.policies[item.Name])
		if err != nil {
			return nil, fmt.Errorf("TrustPolicy %s: %w", item.Name, err)
		}
		next.add(policy)
	}
	next.revokedID = previous.revokedID
	if next.revokedID == 0 || !maps.Equal(previous.revokedKeys, next.revokedKeys) {
		next.revokedID = nextID()
	}
	return next, nil
}

// readPolicy prepares a policy. The previous one is kept, with its parsed keys, when neither
// the policy nor any of its keys has changed.
func (s *Store) readPolicy(ctx context.Context, reader *reader, policy *assayv1alpha1.TrustPolicy, previous *Policy) (*Policy, error) {
	sources := make([]Source, len(policy.Spec.Keys))
	signers := make([]Source, len(policy.Spec.Signers))
	var err error
	for i := range policy.Spec.Keys {
		if sources[i], err = reader.readKey(ctx, policy, &policy.Spec.Keys[i]); err != nil {
			return nil, err
		}
	}
	for i := range policy.Spec.Signers {
		if signers[i], err = reader.readSigner(ctx, policy, &policy.Spec.Signers[i]); err != nil {
			return nil, err
		}
	}
	if previous != nil && previous.UID == policy.UID && previous.Generation == policy.Generation &&
		sameSources(previous.Sources, sources) && sameSources(previous.Signers, signers) {
		return previous, nil
	}
	return newPolicy(policy, sources, signers, s.Formats), nil
}

// add adds a policy. Policies come in the order of their names.
func (t *Snapshot) add(policy *Policy) {
	t.policies[policy.Name] = policy
	for _, scope := range policy.Scopes {
		t.byScope.Add(scope, policy)
	}
	for _, key := range policy.Spec.RevokedKeys {
		fingerprint := strings.ToUpper(string(key.Fingerprint))
		if _, ok := t.revokedKeys[fingerprint]; !ok {
			t.revokedKeys[fingerprint] = policy.Name
		}
	}
}

// Revision grows with each change of policies and keys.
func (t *Snapshot) Revision() uint64 { return t.revision }

// Policy returns a policy by name, nil when there is none.
func (t *Snapshot) Policy(name string) *Policy { return t.policies[name] }

// Policies returns all policies, sorted by name.
func (t *Snapshot) Policies() []*Policy {
	policies := make([]*Policy, 0, len(t.policies))
	for _, name := range slices.Sorted(maps.Keys(t.policies)) {
		policies = append(policies, t.policies[name])
	}
	return policies
}

// RevokedKeys returns the fingerprints that any policy lists in revokedKeys, in upper-case
// hexadecimal, each with the name of the first such policy. It must not be changed.
func (t *Snapshot) RevokedKeys() map[string]string { return t.revokedKeys }

// RevokedKeysID returns a number that is another one for other RevokedKeys, and never 0.
func (t *Snapshot) RevokedKeysID() uint64 { return t.revokedID }

// PoliciesFor returns the policies that apply to an image: all that have the most specific
// scope that covers it. None apply without a reference. Keys that nobody has needed yet are
// parsed.
func (t *Snapshot) PoliciesFor(ref reference.Named) []verify.Policy {
	found, scope := t.lookup(ref)
	policies := make([]verify.Policy, 0, len(found))
	for _, p := range found {
		policies = append(policies, p.apply(scope))
	}
	return policies
}

// Busy reports whether somebody else is parsing keys of a policy that applies to an image,
// so that PoliciesFor would wait.
func (t *Snapshot) Busy(ref reference.Named) bool {
	found, _ := t.lookup(ref)
	return slices.ContainsFunc(found, (*Policy).busy)
}

// ScopeFor returns the most specific scope that covers an image, empty for none.
func (t *Snapshot) ScopeFor(ref reference.Named) string {
	_, scope := t.lookup(ref)
	return scope
}

// IsDiscovered reports whether Images are made for an image that workloads refer to: policies
// apply to it, and none of them says otherwise.
func (t *Snapshot) IsDiscovered(ref reference.Named) bool {
	found, _ := t.lookup(ref)
	return len(found) > 0 && !slices.ContainsFunc(found, func(p *Policy) bool {
		return p.Spec.Discovery == assayv1alpha1.DiscoveryDisabled
	})
}

func (t *Snapshot) lookup(ref reference.Named) (policies []*Policy, scope string) {
	if ref == nil {
		return nil, ""
	}
	policies, scope, _ = t.byScope.Lookup(ref)
	return policies, scope
}
