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

// Evaluator evaluates Images and remembers the verdicts for admission. It writes nothing
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

	// Read returns a whole Image from the API server, nil if there is none. It is needed where the
	// cache leaves signatures out.
	Read func(ctx context.Context, name string) (*imagecache.Image, error)
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
	tags  []string
}

// Evaluate evaluates an Image within an effort and records the verdict. It returns nil for an
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
	if omitted := subject.cached.Omitted; omitted != nil && (omitted.Small || effort == verify.FullEffort) {
		if subject, err = e.whole(ctx, subject); err != nil || subject == nil {
			return nil, err
		}
		ref = verify.ParseReference(subject.Image.DockerImageReference)
	}
	started := e.Clock.Now()
	evaluation := &Evaluation{Subject: *subject, Verdict: e.check(subject, ref, effort)}
	evaluation.index = evaluation.indexOf(ref)
	evaluation.tags = e.verifiedTags(evaluation)
	evaluation.Took = e.Clock.Since(started)
	e.record(ctx, evaluation, effort)
	return evaluation, nil
}

// check makes the verdict.
func (e *Evaluator) check(s *Subject, ref verify.Reference, effort verify.Effort) verify.Verdict {
	in := gather(s.cached, ref, s.Trust, s.Now.Time)
	in.Effort = effort
	if s.cached.Omitted != nil {
		return e.Verifier.Postpone(in)
	}
	memory := e.refused.Of(s.Image.Name)
	in.Refusals = memory
	defer memory.Keep()
	return e.Verifier.Check(in)
}

// whole reads an Image whose signatures the cache leaves out. It may be newer than the cached one.
func (e *Evaluator) whole(ctx context.Context, s *Subject) (*Subject, error) {
	read, err := e.Read(ctx, s.Image.Name)
	if err != nil || read == nil || !read.DeletionTimestamp.IsZero() {
		return nil, err // The event of the deletion comes.
	}
	return &Subject{Image: &read.Image, Inputs: inputsOf(read, &read.Image), Trust: s.Trust, Now: s.Now, cached: read}, nil
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
		verdict.Tags = e.tags
	case incomplete && claimsVerified(e.Image):
		// What was verified before stays listed for a while after a start. A stored verdict only
		// makes that less: nobody gets an image listed by it.
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

// maxUnverifiedChildren bounds how many children are remembered of an index that is not verified. One
// for all platforms that Linux runs on, with an attestation for each, has 60.
const maxUnverifiedChildren = 128

// indexOf returns what an Image lists whose manifest is an index. It is empty for other Images,
// and where the digest of the manifest's bytes is not the one that the Image states. It is empty as
// well for an index that has more children than are remembered of one that nobody has signed.
func (e *Evaluation) indexOf(ref verify.Reference) verdictcache.Index {
	cached := e.cached
	if len(cached.Manifest.Children) == 0 || cached.Fault != nil || ref.Named == nil {
		return verdictcache.Index{}
	}
	if e.Verdict.Outcome != verify.Verified && len(cached.Manifest.Children) > maxUnverifiedChildren {
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
