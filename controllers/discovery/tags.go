// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"cmp"
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"k8s.io/utils/clock"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/assay-project/assay/internal/importstatus"
	"github.com/assay-project/assay/internal/safetext"
)

const (
	// tagInterval is how often a tag that workloads use is looked up again. Each waits up to a
	// tenth longer, so that those that were looked up together spread.
	tagInterval = 15 * time.Minute

	// firstRetry and maxRetry bound how long to wait after a lookup has failed: twice as long
	// each time.
	firstRetry = 30 * time.Second
	maxRetry   = time.Hour

	// lookupTimeout bounds a lookup. maxLookups of them run at the same time, and no more than
	// maxHostLookups for one host.
	lookupTimeout  = 30 * time.Second
	maxLookups     = 16
	maxHostLookups = 4
)

// Resolver looks up the digest of a tag.
type Resolver interface {
	// ResolveTag returns the digest that a tag has at present, by one request that it does not
	// repeat. An error may have a method RetryAfter() time.Duration, which says how long to wait
	// before the next attempt.
	ResolveTag(ctx context.Context, image reference.NamedTagged) (digest.Digest, error)
}

// tagState is what is known about a tag.
type tagState struct {
	digest   digest.Digest // empty while it is unknown
	due      time.Time     // of the next lookup
	failures int
	// failure is why the last lookup failed, empty when it did not.
	failure string
	running bool
}

// tags holds the digests of tags, by <repository>:<tag> in canonical form. It is safe for
// concurrent use.
type tags struct {
	resolver Resolver
	clock    clock.PassiveClock
	// changed is called when a lookup has changed a digest.
	changed func()

	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // Lookups outlive the reconciliation that starts them.
	byName  map[string]*tagState
	running int
	perHost map[string]int
	group   sync.WaitGroup
}

func newTags(resolver Resolver, now clock.PassiveClock, changed func()) *tags {
	return &tags{resolver: resolver, clock: now, changed: changed, byName: map[string]*tagState{}, perHost: map[string]int{}}
}

// run allows lookups until ctx ends, and then waits for those that run.
func (t *tags) run(ctx context.Context) error {
	t.mu.Lock()
	t.ctx = ctx
	t.mu.Unlock()
	t.changed()
	<-ctx.Done()
	t.group.Wait()
	return nil
}

// digestOf returns the digest of a tag, empty while it is unknown. stored are the entries that
// have the tag in their status: after a start, one of them is believed until the next lookup.
func (t *tags) digestOf(tag string, stored []string) digest.Digest {
	t.mu.Lock()
	defer t.mu.Unlock()
	state := t.byName[tag]
	if state == nil {
		state = &tagState{due: t.clock.Now()}
		if len(stored) == 1 {
			_, hex, _ := strings.Cut(stored[0], "@")
			state.digest = digest.Digest(hex)
			state.due = state.due.Add(spread(tag, tagInterval))
		}
		t.byName[tag] = state
	}
	return state.digest
}

// forget drops the tags that are not in use.
func (t *tags) forget(inUse map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for tag, state := range t.byName {
		if !inUse[tag] && !state.running {
			delete(t.byName, tag)
		}
	}
}

// lookUp starts the lookups that are due, in the order of the names, as far as there is room. It
// returns how long to wait until the next one is due, zero if there is none or the end of another
// will tell.
func (t *tags) lookUp(names []string) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx == nil || t.ctx.Err() != nil || t.resolver == nil {
		return 0
	}
	now := t.clock.Now()
	for _, name := range names {
		state := t.byName[name]
		if state == nil || state.running {
			continue
		}
		if left := state.due.Sub(now); left > 0 {
			if wait == 0 || left < wait {
				wait = left
			}
			continue
		}
		host, _, _ := strings.Cut(name, "/")
		if t.running < maxLookups && t.perHost[host] < maxHostLookups {
			t.running++
			t.perHost[host]++
			state.running = true
			t.group.Go(func() { t.resolve(t.ctx, name, host) })
		}
	}
	return wait
}

// resolve looks up one tag.
func (t *tags) resolve(ctx context.Context, name, host string) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found, err := t.ask(ctx, name)
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.changed() // There is room for another one.
	t.running--
	t.perHost[host]--
	if t.perHost[host] == 0 {
		delete(t.perHost, host)
	}
	state := t.byName[name]
	if state == nil {
		return
	}
	state.running = false
	now := t.clock.Now()
	if err != nil {
		// The digest that it had stays. A registry that is down takes nothing away.
		state.failures++
		state.failure = failureText(err)
		state.due = now.Add(retryAfter(err, state.failures))
		lookupsTotal.WithLabelValues("failed").Inc()
		logf.FromContext(ctx).V(1).Info("Cannot look up a tag", "image", name, "err", err.Error())
		return
	}
	state.failures, state.failure, state.digest = 0, "", found
	state.due = now.Add(tagInterval + spread(name, tagInterval/10))
	lookupsTotal.WithLabelValues("found").Inc()
}

// failed returns the tags whose last lookup failed, by name.
func (t *tags) failed() []importstatus.Tag {
	t.mu.Lock()
	defer t.mu.Unlock()
	var failed []importstatus.Tag
	for name, state := range t.byName {
		if state.failure != "" {
			failed = append(failed, importstatus.Tag{Image: name, Message: state.failure})
		}
	}
	slices.SortFunc(failed, func(a, b importstatus.Tag) int { return cmp.Compare(a.Image, b.Image) })
	return failed
}

// failureText returns the text of an error, safe to print whatever a registry has put into it.
func failureText(err error) string {
	return safetext.Escape(err.Error(), maxFailure)
}

// maxFailure bounds the text of a failed lookup, in bytes.
const maxFailure = 300

var errNotSHA256 = errors.New("the digest is not sha256")

func (t *tags) ask(ctx context.Context, name string) (digest.Digest, error) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return "", err
	}
	tagged, ok := named.(reference.NamedTagged)
	if !ok {
		return "", errors.New("there is no tag")
	}
	found, err := t.resolver.ResolveTag(ctx, tagged)
	if err == nil && !isSHA256(found) {
		err = errNotSHA256
	}
	return found, err
}

// isSHA256 reports whether a digest is a valid one of SHA-256, by which Images are named.
func isSHA256(d digest.Digest) bool {
	return d.Validate() == nil && d.Algorithm() == digest.SHA256
}

// retryAfter returns how long to wait after so many failures.
func retryAfter(err error, failures int) time.Duration {
	var told interface{ RetryAfter() time.Duration }
	if errors.As(err, &told) {
		if wait := told.RetryAfter(); wait > 0 {
			return min(wait, maxRetry)
		}
	}
	return min(firstRetry<<min(failures-1, 10), maxRetry)
}

// spread returns a duration below limit that depends on the name alone.
func spread(name string, limit time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return time.Duration(h.Sum32()) * time.Millisecond % limit
}
