// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"
	"strings"
	"time"
)

// maxRefusalAge bounds how long a refusal is taken from memory. Time alone may give a refused
// signature another reason without notice, as when its key expires after the signature did.
const maxRefusalAge = 5 * time.Minute

// Refusals remembers signatures of one image that were refused. Whoever may write an Image can
// have it evaluated as often as he likes, and each time its signatures would be verified.
//
// It is safe to go by it:
//
//   - It holds refusals alone. A signature that any policy accepts, or that could not be checked,
//     is always checked anew, so that nothing is ever verified because it was verified before.
//     The worst that a wrong entry could do is to refuse for maxRefusalAge.
//   - RefusalKey covers everything that a refusal depends on but the time: the content, its type
//     and the key that is asked for; the image's digest, reference and contradictions; every
//     policy that applies, with its keys; and all revoked keys. A change of trust changes the key.
//   - A refusal holds from the time at which it was made to the time at which the clock alone may
//     change it, and not before: a clock that was turned back finds nothing.
//   - What checking the signature took from the budgets of the image is taken again. The other
//     signatures of the image come to the same verdict as without the memory.
type Refusals interface {
	// Len is how many refusals are remembered. Without any, keys need not be computed.
	Len() int
	// Find returns what was remembered for a key, nil if there is nothing.
	Find(RefusalKey) *Refusal
	// Remember keeps a refusal.
	Remember(RefusalKey, *Refusal)
}

// RefusalKey identifies a signature together with everything that its refusal depends on.
type RefusalKey [sha256.Size]byte

// Refusal is a remembered result. It is immutable and made by this package alone.
type Refusal struct {
	from, until time.Time
	// steps and cost are what the check took from the budgets of the image.
	steps, cost int
	result      signatureResult
}

// Size is about what a refusal takes in memory, in bytes.
func (r *Refusal) Size() int {
	const fixed, perPolicy = 256, 96
	size := fixed + len(r.result.verdict.Message) + len(r.result.verdict.ClaimedKeyID)
	for i := range r.result.policies {
		size += perPolicy + len(r.result.policies[i].Message) + len(r.result.policies[i].signedName)
	}
	return size
}

// holds reports whether the refusal counts at a time.
func (r *Refusal) holds(now time.Time) bool {
	return r != nil && !now.Before(r.from) && now.Before(r.until)
}

// checkOrRecall is checkSignature for a checker that may have a memory.
func (c *checker) checkOrRecall(s *Signature, budget *Budget) signatureResult {
	if c.refusals == nil {
		return c.checkSignature(s, budget)
	}
	if c.refusals.Len() > 0 {
		if result, ok := c.recall(c.refusalKey(s), budget); ok {
			return result
		}
	}
	steps, cost := budget.steps, c.cost
	result := c.checkSignature(s, budget)
	if result.isRefusal() {
		c.refusals.Remember(c.refusalKey(s), &Refusal{
			from: c.now, until: earliest(c.now.Add(maxRefusalAge), result.recheckAt),
			steps: steps - budget.steps, cost: c.cost - cost, result: result.detached(),
		})
	}
	return result
}

// detached returns a copy that keeps no larger text in memory, such as the payload that a name is
// part of.
func (r *signatureResult) detached() signatureResult {
	copied := *r
	copied.verdict.ClaimedKeyID = strings.Clone(r.verdict.ClaimedKeyID)
	copied.policies = slices.Clone(r.policies)
	for i := range copied.policies {
		copied.policies[i].signedName = strings.Clone(r.policies[i].signedName)
	}
	return copied
}

// recall returns what is remembered of a signature. Where its check would not fit the budgets it
// has to be made, because it would end in another way.
func (c *checker) recall(key RefusalKey, budget *Budget) (result signatureResult, ok bool) {
	r := c.refusals.Find(key)
	if !r.holds(c.now) || r.steps > budget.steps || !c.spend(r.cost) {
		return signatureResult{}, false
	}
	budget.steps -= r.steps
	return r.result, true
}

// isRefusal reports whether every policy refuses the signature. Anything else is not remembered.
func (r *signatureResult) isRefusal() bool {
	for i := range r.policies {
		if r.policies[i].Outcome != Refused {
			return false
		}
	}
	return r.verdict.Outcome == Refused && r.verdict.Claims == nil && !r.panicked && !r.deferred
}

// refusalKey returns the key of a signature.
func (c *checker) refusalKey(s *Signature) (key RefusalKey) {
	if c.trustKey == nil {
		c.trustKey = c.hashTrust()
	}
	h := sha256.New()
	h.Write(c.trustKey)
	writeText(h, s.Type)
	writeText(h, s.PublicKeyID)
	writeText(h, string(s.Content))
	h.Sum(key[:0])
	return key
}

// hashTrust returns a digest of what is the same for all signatures.
func (c *checker) hashTrust() []byte {
	h := sha256.New()
	writeText(h, c.image.digest.String())
	writeText(h, c.image.undecided)
	reference, contradiction := "", ""
	if c.image.reference != nil {
		reference = c.image.reference.String()
	}
	if c.image.err != nil {
		contradiction = c.image.err.Error()
	}
	writeText(h, reference)
	writeText(h, contradiction)
	writeNumber(h, c.trustID)
	for i := range c.policies {
		writeText(h, c.policies[i].Name)
		writeNumber(h, c.policies[i].ID)
	}
	if c.image.index {
		writeText(h, "index")
	}
	return h.Sum(nil)
}

func writeText(h hash.Hash, text string) {
	writeNumber(h, uint64(len(text)))
	h.Write([]byte(text))
}

func writeNumber(h hash.Hash, n uint64) { h.Write(binary.BigEndian.AppendUint64(nil, n)) }
