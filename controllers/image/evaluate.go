// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"errors"
	"hash/fnv"
	"sync"
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

	// evaluating keeps two workers from evaluating one Image at the same time.
	evaluating stripedMutex
	// refused remembers refused signatures, so that an Image that is written again and again does
	// not have them verified each time.
	refused refusals.Cache
}

// Evaluation is a verdict with what it was made from.
type Evaluation struct {
	Image   *imagev1.Image
	Trust   *trust.Snapshot
	Now     metav1.Time
	Verdict verify.Verdict
	Took    time.Duration

	index verdictcache.Index
}

// Evaluate decides about an Image and records the verdict. It returns nil for an Image that
// no longer exists and for one that skip reports as done, and ErrBusy.
//
// Only one worker at a time evaluates an Image, so that the verdict that is recorded last
// was read last.
func (e *Evaluator) Evaluate(ctx context.Context, name types.NamespacedName,
	skip func(*imagev1.Image, *trust.Snapshot, time.Time) bool) (*Evaluation, error) {
	defer e.evaluating.lock(name.Name)()
	cached := &imagecache.Image{}
	if err := e.Client.Get(ctx, name, cached); client.IgnoreNotFound(err) != nil {
		return nil, err
	} else if err != nil || !cached.DeletionTimestamp.IsZero() {
		e.Verdicts.Forget(name.Name)
		e.refused.Forget(name.Name)
		return nil, nil
	}
	image := &cached.Image
	snapshot, err := e.Trust.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	now := metav1.NewTime(e.Clock.Now().Truncate(time.Second))
	if skip(image, snapshot, now.Time) {
		return nil, nil
	}
	ref := verify.ParseReference(image.DockerImageReference)
	if snapshot.Busy(ref.Named) {
		return nil, ErrBusy
	}
	started := e.Clock.Now()
	in := gather(cached, ref, snapshot, now.Time)
	memory := e.refused.Of(image.Name)
	in.Refusals = memory
	evaluation := &Evaluation{
		Image: image, Trust: snapshot, Now: now,
		Verdict: e.Verifier.Check(in),
		index:   indexOf(cached, ref),
	}
	memory.Keep()
	evaluation.Took = e.Clock.Since(started)
	e.Verdicts.Record(image.Name, evaluation.forAllowlist())
	return evaluation, nil
}

// Current reports whether an Image was evaluated in exactly this state, by these policies and
// keys.
func (e *Evaluator) Current(image *imagev1.Image, snapshot *trust.Snapshot) bool {
	return e.Verdicts.Current(image.Name, image.UID, image.ResourceVersion, snapshot.Revision())
}

// forAllowlist returns what the cache of verdicts keeps.
func (e *Evaluation) forAllowlist() verdictcache.Verdict {
	verdict := verdictcache.Verdict{
		UID: e.Image.UID, ResourceVersion: e.Image.ResourceVersion, Revision: e.Trust.Revision(), RecheckAt: e.Verdict.RecheckAt,
		Index: e.index,
	}
	if e.Verdict.Outcome == verify.Verified {
		verdict.Entry, verdict.Scope = e.entry()
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

// stripedMutex locks by name. Names share locks, which bounds their number. The zero value is
// ready to use.
type stripedMutex [64]sync.Mutex

// lock waits for the lock of a name, and returns the function that releases it.
func (m *stripedMutex) lock(name string) (unlock func()) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	stripe := &m[h.Sum32()%uint32(len(m))]
	stripe.Lock()
	return stripe.Unlock
}
