// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package credentialprovider gets credentials of registries from programs, as kubelet does
// (KEP-2133): those of clouds, which exchange the identity of the machine or of the Pod for a
// password that lasts some hours.
//
// Which program is asked for which images is in a CredentialProviderConfig of
// kubelet.config.k8s.io/v1 (config.go, match.go). A program gets a CredentialProviderRequest of
// credentialprovider.kubelet.k8s.io/v1 on its standard input, and writes a
// CredentialProviderResponse to its standard output (run.go). Its answer is kept for as long and for
// as many images as it says.
//
// A program is trusted with its own environment, and with nothing of ours: what it writes is bounded
// in size and time, nothing of it gets into messages, and a failure concerns the images that it was
// asked for.
package credentialprovider

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/distribution/reference"
	"k8s.io/utils/clock"

	"github.com/assay-project/assay/internal/registry"
)

const (
	// maxCached bounds the answers that are kept. With more of them, all are asked for again.
	maxCached = 1024
	// failureRest is how long a program is not asked again for a registry after it failed.
	failureRest = 30 * time.Second
	// maxPrograms is how many programs run at the same time.
	maxPrograms = 4
)

// Keychain finds the credentials of images by programs. It is safe for concurrent use.
type Keychain struct {
	// Clock returns the present time; nil is the real clock.
	Clock clock.PassiveClock

	providers []*provider
	slots     chan struct{}
	once      sync.Once
}

// provider is a program, and what it answered.
type provider struct {
	name, program string
	args, env     []string
	matches       []pattern
	cacheDuration time.Duration
	timeout       time.Duration

	mu     sync.Mutex
	cached map[cacheKey]answer
	// asking has a lock for each registry that the program is being asked for.
	asking map[string]*registryLock
}

// registryLock lets one image of a registry ask at a time: the others may use its answer.
type registryLock struct {
	slot  chan struct{}
	users int
}

// cacheKey is what an answer is for: an image, a registry, or everything if both are empty.
type cacheKey struct{ image, registry string }

// answer is what a program answered. Its error has been made by this package.
type answer struct {
	auth    []entry
	err     *registry.Error
	expires time.Time
}

// entry is a credential, and the images that it is for.
type entry struct {
	key        string
	pattern    pattern
	credential registry.Credential
}

// Credential returns the credential for a repository, and false when no program has one. It may take
// a minute. The error is an *registry.Error.
func (k *Keychain) Credential(ctx context.Context, named reference.Named) (registry.Credential, bool, error) {
	k.once.Do(func() { k.slots = make(chan struct{}, maxPrograms) })
	image, err := splitImage(named.Name())
	if err != nil {
		return registry.Credential{}, false, nil // No pattern matches it.
	}
	var failed error
	for _, p := range k.providers {
		if !slices.ContainsFunc(p.matches, func(m pattern) bool { return m.matches(&image) }) {
			continue
		}
		a := p.get(ctx, k, named)
		if a.err != nil {
			failed = a.err
			continue
		}
		for i := range a.auth {
			if a.auth[i].pattern.matches(&image) {
				return a.auth[i].credential, true, nil
			}
		}
	}
	return registry.Credential{}, false, failed
}

func (k *Keychain) now() time.Time {
	if k.Clock == nil {
		return time.Now()
	}
	return k.Clock.Now()
}

// get returns what the program has answered for an image, or asks it.
func (p *provider) get(ctx context.Context, k *Keychain, named reference.Named) answer {
	host := reference.Domain(named)
	if a, ok := p.lookup(k.now(), named); ok {
		return a
	}
	unlock, err := p.lock(ctx, host)
	if err != nil {
		return answer{err: p.failure(host, errNotAsked, 0)}
	}
	defer unlock()
	// Another image may have asked meanwhile.
	if a, ok := p.lookup(k.now(), named); ok {
		return a
	}
	select {
	case k.slots <- struct{}{}:
		defer func() { <-k.slots }()
	case <-ctx.Done():
		return answer{err: p.failure(host, errNotAsked, 0)}
	}
	response, err := p.run(ctx, named.Name())
	now := k.now()
	if err != nil {
		if ctx.Err() != nil {
			return answer{err: p.failure(host, err, 0)} // Who asked has given up.
		}
		a := answer{err: p.failure(host, err, failureRest), expires: now.Add(failureRest)}
		p.keep(cacheKey{registry: host}, a, now)
		return a
	}
	a := answer{auth: response.entries()}
	duration := p.cacheDuration
	if response.CacheDuration != nil {
		duration = response.CacheDuration.Duration
	}
	if duration > 0 {
		a.expires = now.Add(duration)
		p.keep(response.key(named), a, now)
	}
	return a
}

// errNotAsked means that the context of a request ended before the program was run.
var errNotAsked = errors.New("was not asked in time")

// failure returns the error for the images of a registry. err is a clause about the program.
func (p *provider) failure(host string, err error, wait time.Duration) *registry.Error {
	return &registry.Error{
		Code: registry.Unauthorized, Host: host, Wait: wait,
		Detail: "has no credential: the credential provider " + p.name + " " + err.Error(),
	}
}

// lookup returns an answer that still counts.
func (p *provider) lookup(now time.Time, named reference.Named) (answer, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range []cacheKey{{image: named.Name()}, {registry: reference.Domain(named)}, {}} {
		if a, ok := p.cached[key]; ok && now.Before(a.expires) {
			if a.err != nil {
				again := *a.err
				again.Wait = a.expires.Sub(now)
				a.err = &again
			}
			return a, true
		}
	}
	return answer{}, false
}

func (p *provider) keep(key cacheKey, a answer, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.cached) >= maxCached {
		for key, old := range p.cached {
			if !now.Before(old.expires) {
				delete(p.cached, key)
			}
		}
	}
	if p.cached == nil || len(p.cached) >= maxCached {
		p.cached = map[cacheKey]answer{}
	}
	p.cached[key] = a
}

// lock waits until no other image of a registry asks the program.
func (p *provider) lock(ctx context.Context, host string) (unlock func(), err error) {
	p.mu.Lock()
	if p.asking == nil {
		p.asking = map[string]*registryLock{}
	}
	l := p.asking[host]
	if l == nil {
		l = &registryLock{slot: make(chan struct{}, 1)}
		p.asking[host] = l
	}
	l.users++
	p.mu.Unlock()
	leave := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		l.users--
		if l.users == 0 {
			delete(p.asking, host)
		}
	}
	select {
	case l.slot <- struct{}{}:
		return func() { <-l.slot; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

// sortEntries orders entries as kubelet tries them: by their keys, the last one first, so that a
// longer path comes before its beginning.
func sortEntries(entries []entry) {
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(b.key, a.key) })
}
