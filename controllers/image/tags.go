// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"github.com/distribution/reference"

	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/verify"
)

// verifiedTags returns the tags of a verified image, as <repository>:<tag> in canonical form, for
// which the verdict is the same. What is signed for one tag does not hold for another, and a tag may
// have a scope of its own.
//
// The tags are those that discovery has resolved. They only select among images that are verified.
func (e *Evaluator) verifiedTags(evaluation *Evaluation) []string {
	entry, scope := "", ""
	if evaluation.Verdict.Outcome == verify.Verified && len(evaluation.Image.Status.Tags) > 0 {
		entry, scope = evaluation.entry()
	}
	if entry == "" {
		return nil
	}
	named, err := reference.ParseNamed(entry)
	if err != nil {
		return nil
	}
	in := gather(evaluation.cached, verify.Reference{Named: named}, evaluation.Trust, evaluation.Now.Time)
	in.Effort = verify.QuickEffort
	// Others cannot make it verified.
	verified := make([]verify.Signature, 0, len(in.Image.Signatures))
	for i := range in.Image.Signatures {
		if i < len(evaluation.Verdict.Signatures) && evaluation.Verdict.Signatures[i].Outcome == verify.Verified {
			verified = append(verified, in.Image.Signatures[i])
		}
	}
	in.Image.Signatures = verified
	var tags []string
	for _, tag := range evaluation.Image.Status.Tags {
		tagged, err := reference.WithTag(reference.TrimNamed(named), tag.Name)
		if err != nil || e.scopeOf(evaluation, tagged) != scope {
			continue
		}
		full, err := reference.WithDigest(tagged, evaluation.Verdict.Digest)
		if err != nil {
			continue
		}
		in.Image.Reference = verify.Reference{Named: full}
		if verdict := e.Verifier.Check(in); verdict.Outcome == verify.Verified {
			tags = append(tags, tagged.String())
		}
	}
	return tags
}

// scopeOf returns the scope that covers a tag without a digest.
func (e *Evaluator) scopeOf(evaluation *Evaluation, tagged reference.Named) string {
	canonical, err := imageref.Canonical(tagged)
	if err != nil {
		return ""
	}
	return evaluation.Trust.ScopeFor(canonical)
}
