// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"errors"
	"time"

	"github.com/distribution/reference"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/refusals"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verdictcache"
	"github.com/assay-project/assay/internal/verify"
)

// ErrBusy is returned for an Image whose policies' keys another worker is parsing. It is
// evaluated again a little later, so that a policy whose keys take long occupies one worker
// and not all.
var ErrBusy = errors.New("the keys of a TrustPolicy that applies are being parsed")

// Evaluator decides about Images and remembers the verdicts for admission. It writes nothing
// to the API server.
type Evaluator struct {
	// Client reads Images, normally from a cache.
	Client client.Reader
	// Trust holds the policies and keys.
	Trust *trust.Store
	// Verifier makes the decision.
	Verifier *verify.Verifier
	// Verdicts gets every verdict, for the allowlist.
	Verdicts *verdictcache.Cache
	// Clock returns the present time.
	Clock clock.PassiveClock

	// OnIncomplete is called for each Image that QuickEffort did not suffice for; nil is nobody.
	OnIncomplete func(ctx context.Context, name string)

	// evaluating keeps two workers from evaluating one Image at the same time.
	evaluating keyedMutex
	// refused remembers refused signatures, so that an Image that is written again and again does
	// not have them verified each time.
	refused refusals.Cache
}

// Subject is an Image with what else its verdict depends on.
type Subject struct {
	Image  *imagev1.Image
	Inputs verdictcache.Inputs
	Trust  *trust.Snapshot
	Now    metav1.Time

	cached *imagecache.Image
}

// Evaluation is a verdict with what it was made from.
type Evaluation struct {
	Subject
	Verdict verify.Verdict
	Took    time.Duration
	// Counts: the verdict was recorded. An incomplete one is not where a complete one stands.
	Counts bool
	// Added: the verdict has put an entry on the allowlist that no Image had before.
	Added bool

	index verdictcache.Index
}

// Evaluate decides about an Image within an effort and records the verdict. It returns nil for an
// Image that no longer exists and for one that skip reports as done, and ErrBusy.
//
// Only one worker at a time evaluates an Image, so that the verdict that is recorded last
// was read last.
func (e *Evaluator) Evaluate(ctx context.Context, name types.NamespacedName, effort verify.Effort, skip func(*Subject) bool) (*Evaluation, error) {
	defer e.evaluating.lock(name.Name)()
	subject, err := e.read(ctx, name)
	if err != nil || subject == nil || skip(subject) {
		return nil, err
	}
	ref := verify.ParseReference(subject.Image.DockerImageReference)
	if subject.Trust.Busy(ref.Named) {
		return nil, ErrBusy
	}
	started := e.Clock.Now()
	in := gather(subject.cached, ref, subject.Trust, subject.Now.Time)
	in.Effort = effort
	memory := e.refused.Of(name.Name)
	in.Refusals = memory
	evaluation := &Evaluation{Subject: *subject, Verdict: e.Verifier.Check(in), index: indexOf(subject.cached, ref)}
	memory.Keep()
	evaluation.Took = e.Clock.Since(started)
	e.record(ctx, evaluation, effort)
	return evaluation, nil
}

// read returns an Image and the present policies and time, and nil for one that does not exist.
func (e *Evaluator) read(ctx context.Context, name types.NamespacedName) (*Subject, error) {
	cached := &imagecache.Image{}
	if err := e.Client.Get(ctx, name, cached); client.IgnoreNotFound(err) != nil {
		return nil, err
	} else if err != nil || !cached.DeletionTimestamp.IsZero() {
		e.Verdicts.Forget(name.Name)
		e.refused.Forget(name.Name)
		return nil, nil
	}
	snapshot, err := e.Trust.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return &Subject{
		Image: &cached.Image, Inputs: inputsOf(cached, &cached.Image), Trust: snapshot,
		Now: metav1.NewTime(e.Clock.Now().Truncate(time.Second)), cached: cached,
	}, nil
}

// record remembers a verdict, and hands an Image over that needs more effort. An incomplete verdict
// takes the place of a complete one only if something has changed: the Image, trust or the time.
func (e *Evaluator) record(ctx context.Context, evaluation *Evaluation, effort verify.Effort) {
	name, now := evaluation.Image.Name, evaluation.Now.Time
	quick := evaluation.Verdict.Incomplete && effort == verify.QuickEffort
	_, complete := e.Verdicts.Current(name, evaluation.Image.UID, evaluation.Inputs, evaluation.Trust.Revision())
	if !quick || !complete || e.Verdicts.IsDue(name, now) {
		verdict := evaluation.forAllowlist(quick)
		evaluation.Counts = true
		evaluation.Added = e.Verdicts.Record(name, verdict)
	}
	if quick && e.OnIncomplete != nil {
		e.OnIncomplete(ctx, name)
	}
}

// Current reports whether the last verdict on an Image is on exactly this state, by these policies
// and keys, and whether the clock cannot have changed it. It may be incomplete.
func (e *Evaluator) Current(s *Subject) bool {
	current, _ := e.Verdicts.Current(s.Image.Name, s.Image.UID, s.Inputs, s.Trust.Revision())
	return current && !e.Verdicts.IsDue(s.Image.Name, s.Now.Time)
}

// Postponed reports whether the last verdict on an Image is on exactly this state, by these policies
// and keys, and incomplete: it is in the hands of OnIncomplete.
func (e *Evaluator) Postponed(s *Subject) bool {
	current, complete := e.Verdicts.Current(s.Image.Name, s.Image.UID, s.Inputs, s.Trust.Revision())
	return current && !complete && !e.Verdicts.IsDue(s.Image.Name, s.Now.Time)
}

// Evaluated reports whether the last verdict on an Image is on exactly this state, by whatever
// policies and keys and at whatever time.
func (e *Evaluator) Evaluated(s *Subject) bool {
	return e.Verdicts.IsOf(s.Image.Name, s.Image.UID, s.Inputs)
}

// forAllowlist returns what the cache of verdicts keeps.
func (e *Evaluation) forAllowlist(incomplete bool) verdictcache.Verdict {
	verdict := verdictcache.Verdict{
		UID: e.Image.UID, Inputs: e.Inputs, Revision: e.Trust.Revision(), RecheckAt: e.Verdict.RecheckAt, Incomplete: incomplete,
		Cost:  e.Verdict.Cost,
		Index: e.index,
	}
	switch {
	case e.Verdict.Outcome == verify.Verified:
		verdict.Entry, verdict.Scope = e.entry()
	case incomplete:
		verdict.Pending, verdict.Scope = e.entry()
	}
	return verdict
}

// entry returns <repository>@<digest> in canonical form, by which Pods name a verified image.
// It is empty when other policies apply to that name than those that the Image was verified
// by, as they do for the other tags of a repository when one tag has a scope.
func (e *Evaluation) entry() (entry, scope string) {
	named := verify.ParseReference(e.Image.DockerImageReference).Named
	if named == nil || len(e.Verdict.Policies) == 0 {
		return "", ""
	}
	digested, err := reference.WithDigest(reference.TrimNamed(named), e.Verdict.Digest)
	if err != nil {
		return "", ""
	}
	canonical, err := imageref.Canonical(digested)
	if err != nil {
		return "", ""
	}
	scope = e.Verdict.Policies[0].Scope
	if e.Trust.ScopeFor(canonical) != scope {
		return "", ""
	}
	return canonical.String(), scope
}

// indexOf returns what an Image lists whose manifest is an index. It is empty for other Images,
// and where the digest of the manifest's bytes is not the one that the Image states.
func indexOf(cached *imagecache.Image, ref verify.Reference) verdictcache.Index {
	if len(cached.Manifest.Children) == 0 || cached.Fault != nil || ref.Named == nil {
		return verdictcache.Index{}
	}
	stated := verify.Image{Name: cached.Name, Reference: ref, Manifest: cached.Manifest}.Digest()
	if stated == "" || stated != cached.Manifest.Digest {
		return verdictcache.Index{}
	}
	digested, err := reference.WithDigest(reference.TrimNamed(ref.Named), stated)
	if err != nil {
		return verdictcache.Index{}
	}
	canonical, err := imageref.Canonical(digested)
	if err != nil {
		return verdictcache.Index{}
	}
	return verdictcache.Index{Name: canonical.String(), Children: cached.Manifest.Children}
}
