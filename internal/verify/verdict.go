// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/safetext"
)

// Outcome is the result of a check. The zero value is not verified.
type Outcome int

const (
	// CouldNotCheck: something is missing. The content is neither trusted nor refused.
	CouldNotCheck Outcome = iota
	// Refused: looking again at the same content with the same keys gives the same answer.
	Refused
	// Verified: every check passed.
	Verified
)

// String returns verified, refused or could not be checked.
func (o Outcome) String() string {
	switch o {
	case Verified:
		return "verified"
	case Refused:
		return "refused"
	default:
		return "could not be checked"
	}
}

// Conditions gives the statuses of the conditions Complete and Failed: True, False or
// Unknown, as Kubernetes spells them.
func (o Outcome) Conditions() (complete, failed string) {
	switch o {
	case Verified:
		return "True", "False"
	case Refused:
		return "False", "True"
	default:
		return "Unknown", "Unknown"
	}
}

// MaxMessageLength bounds every message, in bytes: 128 signatures with two conditions
// each must stay small beside the signatures themselves.
const MaxMessageLength = 512

// Finding is an outcome with its reason, one of the constants in api/v1alpha1, and a
// message for people. Messages are deterministic and hold no unescaped remote text.
type Finding struct {
	Outcome Outcome
	Reason  string
	Message string
}

// Verdict is Check's result for an image.
type Verdict struct {
	Finding

	// Digest is the image's digest, empty when it is unknown or contradictory.
	Digest digest.Digest

	// Signatures holds one verdict for each signature of the input, in its order.
	Signatures []SignatureVerdict

	// Policies holds one finding for each policy of the input, sorted by name.
	Policies []PolicyVerdict

	// RecheckAt is the earliest time at which the verdict may change without any other
	// event: a key or a signature expires, or a signature's time comes. Zero means never.
	RecheckAt time.Time

	// Cost is about what authenticating the signatures takes, in microseconds by an estimate that
	// is the same for the same input.
	Cost int

	// Incomplete: the effort did not suffice to check every signature. With QuickEffort, a
	// verdict with FullEffort may differ; a verified image stays verified by it.
	Incomplete bool

	// RecoveredPanics counts signatures that made the verifier fail. They are refused,
	// and each is a bug worth a report.
	RecoveredPanics int
}

// VerifiedSignatures returns the number of signatures that are verified.
func (v *Verdict) VerifiedSignatures() int {
	n := 0
	for i := range v.Signatures {
		if v.Signatures[i].Outcome == Verified {
			n++
		}
	}
	return n
}

// SignatureVerdict is Check's result for one signature.
type SignatureVerdict struct {
	Finding

	// ClaimedKeyID is the key that the content names as its maker: 0x and a fingerprint or
	// key ID in upper-case hexadecimal. It is not authenticated. Empty when none is named.
	ClaimedKeyID string

	// Claims is nil unless the signature is verified.
	Claims *Claims
}

// Claims is what a verified signature says, and who says it.
type Claims struct {
	// Identity is the signed docker-reference, empty when the format states none.
	Identity string
	// Signed are the flattened claims, bounded in number and length.
	Signed map[string]string
	// Created is when the signature was made, as the format knows it; zero when it does not.
	Created time.Time
	// PublicKeyID is 0x and the fingerprint of the signer's key in upper-case hexadecimal.
	PublicKeyID string
	// Subject is who signed, and Issuer who vouches for that. Names are escaped.
	Subject, Issuer Entity
}

// PolicyVerdict is Check's result for one policy.
type PolicyVerdict struct {
	Finding

	// Name and Scope are those of the policy.
	Name, Scope string
}

// stages orders the reasons by how far a signature came before it stopped. Where
// several signatures or policies disagree, the reason that came furthest helps most:
// "expired" says more than "made by another key".
var stages = func() map[string]int {
	m := map[string]int{}
	for _, check := range Checks() {
		for _, reason := range check.Reasons {
			if m[reason] == 0 {
				m[reason] = len(m) + 1
			}
		}
	}
	return m
}()

// furthest returns the index of the finding with the given outcome whose reason came
// furthest, or -1 when there is none. Each of the results has one finding.
func furthest[R any](results []R, findingOf func(*R) *Finding, outcome Outcome) int {
	best := -1
	for i := range results {
		f := findingOf(&results[i])
		if f.Outcome != outcome {
			continue
		}
		if best < 0 || f.isFurther(findingOf(&results[best])) {
			best = i
		}
	}
	return best
}

func (f *Finding) finding() *Finding { return f }

// isFurther orders findings by stage, and those of one stage by their text, so that the
// order of signatures does not choose among them.
func (f *Finding) isFurther(other *Finding) bool {
	if a, b := stages[f.Reason], stages[other.Reason]; a != b {
		return a > b
	}
	return f.Message < other.Message
}

func refused(reason, message string) Finding {
	return Finding{Outcome: Refused, Reason: reason, Message: truncate(message)}
}

func couldNotCheck(reason, message string) Finding {
	return Finding{Outcome: CouldNotCheck, Reason: reason, Message: truncate(message)}
}

// truncate shortens a message to MaxMessageLength.
func truncate(message string) string {
	return safetext.TruncateWithEllipsis(message, MaxMessageLength)
}

// earliest returns the earlier of two times, where zero means never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
