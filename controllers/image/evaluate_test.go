// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/signature/atomic"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verdictcache"
	"github.com/assay-project/assay/internal/verify"
)

// costlyFormat makes every signature cost more.
type costlyFormat struct {
	atomic.Format
	cost int
}

func (f costlyFormat) NewTrust(files []verify.NamedKeyFile) verify.Trust {
	return costlyTrust{f.Format.NewTrust(files), f.cost}
}

type costlyTrust struct {
	verify.Trust
	cost int
}

func (t costlyTrust) Authenticate(m verify.Message, at verify.Circumstances) (verify.Signed, error) {
	if !at.Spend(t.cost) {
		return nil, &verify.Error{Reason: assayv1alpha1.ReasonOverBudget, OverBudget: true}
	}
	return t.Trust.Authenticate(m, at)
}

// postponed is an evaluator with one Image that a quick effort does not suffice for.
type postponed struct {
	*testing.T
	*Evaluator
	reader *oneImage
	// whole is the Image as it is stored.
	whole *imagecache.Image
	// handed are the calls of OnIncomplete.
	handed []string
}

// newPostponed returns an evaluator whose only Image is signed by a trusted key, which costs so much
// beside its own cost.
func newPostponed(t *testing.T, cost int) *postponed {
	t.Helper()
	const created, signed = 1735689600, 1748736000
	key := pgp.Ed25519(4, created, "postponed")
	policy := assayv1alpha1.TrustPolicy{}
	policy.Name, policy.UID, policy.Generation = "team", "1", 1
	policy.Spec.Scopes = []assayv1alpha1.Scope{"registry.example.com"}
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{{Name: "key", Inline: string(pgp.Armor("PGP PUBLIC KEY BLOCK", key.Simple("key")))}}
	p := &postponed{T: t, whole: &imagecache.Image{Manifest: verify.ParseManifest([]byte(`{"schemaVersion":2,"config":{},"layers":[]}`), "")}}
	payload := fmt.Sprintf(`{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":%q},`+
		`"identity":{"docker-reference":"registry.example.com/app:v1"}},"optional":{}}`, p.whole.Manifest.Digest)
	p.whole.Name, p.whole.UID, p.whole.DockerImageReference = "app", "1", "registry.example.com/app:v1"
	p.whole.Signatures = []imagev1.ImageSignature{{Type: "atomic", Content: key.Message(key.Standard(pgp.TypeBinary, signed), []byte(payload))}}
	p.reader = &oneImage{policies: policies{policy}, image: p.whole}
	format := costlyFormat{cost: cost}
	p.Evaluator = &Evaluator{
		Client: p.reader, Trust: &trust.Store{Client: p.reader, Formats: []verify.Format{format}}, Verifier: verify.New(format),
		Verdicts: verdictcache.New(), Clock: clocktesting.NewFakePassiveClock(time.Unix(signed+3600, 0)),
		Read:         func(context.Context, string) (*imagecache.Image, error) { return p.whole, nil },
		OnIncomplete: func(_ context.Context, name string) { p.handed = append(p.handed, name) },
	}
	return p
}

// evaluate evaluates the Image, and compares whether it is on the allowlist then, whether the
// verdict counts, and who was told that it is not complete.
func (p *postponed) evaluate(what string, effort verify.Effort, listed, counts bool, handed ...string) *Evaluation {
	p.Helper()
	p.handed = nil
	e, err := p.Evaluate(p.Context(), types.NamespacedName{Name: "app"}, effort, func(*Subject) bool { return false })
	if err != nil || e == nil {
		p.Fatalf("%s: %v, %v", what, e, err)
	}
	if got := len(p.Verdicts.Entries(func(string) bool { return false })) == 1; got != listed {
		p.Errorf("%s: listed: %v, want %v", what, got, listed)
	}
	if e.Counts != counts || !slices.Equal(p.handed, handed) {
		p.Errorf("%s: counts: %v, handed over: %q, want %v, %q", what, e.Counts, p.handed, counts, handed)
	}
	return e
}

// pending returns what would be listed if the Image were verified.
func (p *postponed) pending() int { return len(p.Verdicts.Pending(func(string) bool { return false })) }

// TestIncompleteVerdicts checks what an incomplete verdict does before and after a complete one.
func TestIncompleteVerdicts(t *testing.T) {
	for _, omitted := range []bool{false, true} {
		t.Run(fmt.Sprint("omitted: ", omitted), func(t *testing.T) {
			p := newPostponed(t, 10_000)
			p.whole.Status.Conditions = []metav1.Condition{{Type: assayv1alpha1.VerifiedCondition, Status: metav1.ConditionTrue}}
			const handed = "app"
			if omitted {
				cached := p.whole.DeepCopy()
				cached.Omitted = &imagecache.Omitted{
					Inputs: imagecache.InputsOf(cached.Signatures), State: imagecache.StateOf(cached.Signatures),
				}
				cached.Signatures = nil
				p.reader.image = cached
			} else {
				// One that costs as much as is allowed before the good one.
				other := p.whole.Signatures[0]
				other.IssuedTo = &imagev1.SignatureSubject{PublicKeyID: "0x0000000000000000"}
				p.whole.Signatures = []imagev1.ImageSignature{other, p.whole.Signatures[0]}
			}
			e := p.evaluate("a first look", verify.QuickEffort, false, true, handed)
			if e.Verdict.Reason != assayv1alpha1.ReasonOverBudget || !p.Postponed(&e.Subject) || !p.Current(&e.Subject) || p.pending() != 1 {
				t.Errorf("%s (%s), %d pending", e.Verdict.Outcome, e.Verdict.Reason, p.pending())
			}
			e = p.evaluate("all effort", verify.FullEffort, true, true)
			if e.Verdict.Outcome != verify.Verified || !e.Added || p.Postponed(&e.Subject) {
				t.Errorf("%s (%s): %s, added: %v", e.Verdict.Outcome, e.Verdict.Reason, e.Verdict.Message, e.Added)
			}
			p.evaluate("another look", verify.QuickEffort, true, false, handed)

			p.Trust.Invalidate()
			p.evaluate("a change of trust", verify.QuickEffort, false, true, handed)
			p.evaluate("all effort again", verify.FullEffort, true, true)
			p.reader.image.DockerImageReference, p.whole.DockerImageReference = "registry.example.com/app:v2", "registry.example.com/app:v2"
			p.evaluate("another reference", verify.QuickEffort, false, true, handed)
			if e := p.evaluate("all effort at last", verify.FullEffort, false, true); e.Verdict.Reason != assayv1alpha1.ReasonIdentityMismatch {
				t.Errorf("%s (%s)", e.Verdict.Outcome, e.Verdict.Reason)
			}
		})
	}
}

// TestSmallImagesAreRead checks that an Image with few signatures is read where the cache has no room
// for them, and does not wait for those that take long.
func TestSmallImagesAreRead(t *testing.T) {
	p := newPostponed(t, 0)
	p.reader.image = p.whole.DeepCopy()
	p.reader.image.Omitted = &imagecache.Omitted{Inputs: imagecache.InputsOf(p.whole.Signatures), Small: true}
	p.reader.image.Signatures = nil
	if e := p.evaluate("a first look", verify.QuickEffort, true, true); e.Verdict.Outcome != verify.Verified {
		t.Errorf("%s (%s)", e.Verdict.Outcome, e.Verdict.Reason)
	}
}

// TestOnlyVerifiedImagesArePending checks that an Image that takes long keeps nothing listed unless
// it was verified.
func TestOnlyVerifiedImagesArePending(t *testing.T) {
	p := newPostponed(t, 10_000)
	p.reader.image = p.whole.DeepCopy()
	p.reader.image.Omitted, p.reader.image.Signatures = &imagecache.Omitted{}, nil
	p.evaluate("a first look", verify.QuickEffort, false, true, "app")
	if got := p.pending(); got != 0 {
		t.Errorf("%d entries are pending", got)
	}
}

// TestImageThatGoesBeforeItIsRead checks that an Image whose signatures are left out, and that is
// gone when they are read, has no verdict.
func TestImageThatGoesBeforeItIsRead(t *testing.T) {
	p := newPostponed(t, 10_000)
	p.reader.image = p.whole.DeepCopy()
	p.reader.image.Omitted = &imagecache.Omitted{}
	going := p.whole.DeepCopy()
	going.DeletionTimestamp = &metav1.Time{Time: p.Clock.Now()}
	for _, read := range []*imagecache.Image{nil, going} {
		p.Read = func(context.Context, string) (*imagecache.Image, error) { return read, nil }
		e, err := p.Evaluate(t.Context(), types.NamespacedName{Name: "app"}, verify.FullEffort, func(*Subject) bool { return false })
		if e != nil || err != nil {
			t.Errorf("got %v, %v, want no evaluation", e, err)
		}
	}
}
