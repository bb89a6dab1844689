// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/safetext"
)

// Verifier evaluates images whose signatures are of a fixed set of formats. It does not
// change and is safe for concurrent use.
type Verifier struct {
	formats        map[string]Format // By type.
	supportedTypes string
}

// New returns a Verifier for formats, no two of which have a type in common.
func New(formats ...Format) *Verifier {
	v := &Verifier{formats: map[string]Format{}}
	var types []string
	for _, format := range formats {
		for _, name := range format.Types() {
			v.formats[name] = format
			types = append(types, name)
		}
	}
	slices.Sort(types)
	v.supportedTypes = strings.Join(types, ", ")
	return v
}

// Check decides whether an image is verified. It never returns Verified when no policy
// applies, when a policy has no keys, or when there are no signatures.
func (v *Verifier) Check(in Input) Verdict {
	policies := sortedByName(in.Policies)

	img := compareDigests(in.Image)
	c := checker{
		Verifier: v, now: in.Now, image: img, policies: policies, revokedKeys: in.RevokedKeys,
		effort: in.Effort, trustID: in.RevokedKeysID,
	}
	if in.canRecall() {
		c.refusals = in.Refusals
	}

	verdict := Verdict{Digest: img.digest, Signatures: make([]SignatureVerdict, len(in.Image.Signatures))}
	results := c.checkSignatures(in.Image.Signatures)
	for i := range results {
		verdict.Signatures[i] = results[i].verdict
		verdict.RecheckAt = earliest(verdict.RecheckAt, results[i].recheckAt)
		if results[i].panicked {
			verdict.RecoveredPanics++
		}
	}
	verdict.Cost, verdict.Incomplete = c.cost, c.incomplete
	verdict.Policies = make([]PolicyVerdict, len(policies))
	for i := range policies {
		verdict.Policies[i] = PolicyVerdict{
			Name: policies[i].Name, Scope: policies[i].Scope,
			Finding: in.Image.withUnavailable(evaluatePolicy(&policies[i], i, img, results)),
		}
	}
	verdict.Finding = evaluateImage(img, &in.Image, verdict.Policies)
	return verdict
}

// sortedByName returns the policies in the order of their names, without changing the argument.
func sortedByName(policies []Policy) []Policy {
	byName := func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) }
	if slices.IsSortedFunc(policies, byName) {
		return policies
	}
	return slices.SortedFunc(slices.Values(policies), byName)
}

// Postpone returns the verdict on an image whose signatures are not at hand. It is incomplete, and
// never verified.
func (v *Verifier) Postpone(in Input) Verdict {
	in.Image.Signatures = nil
	verdict := v.Check(in)
	verdict.Incomplete = true
	verdict.Finding = couldNotCheck(assayv1alpha1.ReasonOverBudget, "the image takes long to check and waits for its turn")
	for i := range verdict.Policies {
		verdict.Policies[i].Finding = verdict.Finding
	}
	return verdict
}

// evaluatePolicy decides whether the signatures satisfy the policy at index p of every result.
func evaluatePolicy(policy *Policy, p int, img imageFacts, results []signatureResult) Finding {
	if len(results) == 0 {
		return refused(assayv1alpha1.ReasonNoSignatures,
			fmt.Sprintf("the image has no signatures; %s requires %d%s", policy.label(), policy.required(), img.indexHint()))
	}
	signers := map[SignerID]struct{}{}
	for i := range results {
		if result := &results[i].policies[p]; result.Outcome == Verified {
			signers[result.signer.ID] = struct{}{}
		}
	}
	count := "signed by " + countSigners(signers) + "; " + policy.label() + " requires " + strconv.Itoa(policy.required())
	if len(signers) >= policy.required() {
		return Finding{Outcome: Verified, Reason: assayv1alpha1.ReasonVerified, Message: truncate(count)}
	}
	findings := make([]Finding, len(results))
	for i := range results {
		findings[i] = results[i].policies[p].Finding
	}
	// A signature that this version cannot check does not hide why the others are refused.
	supported := slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool {
		return f.Reason == assayv1alpha1.ReasonUnsupportedAlgorithm
	})
	if i := furthest(supported, (*Finding).finding, CouldNotCheck); i >= 0 {
		return supported[i]
	}
	if len(signers) > 0 {
		return refused(assayv1alpha1.ReasonInsufficientSignatures, count)
	}
	if i := furthest(supported, (*Finding).finding, Refused); i >= 0 {
		if supported[i].Reason == assayv1alpha1.ReasonIdentityMismatch {
			return otherNames(supported[i], policy, p, img, results)
		}
		return supported[i]
	}
	return findings[furthest(findings, (*Finding).finding, CouldNotCheck)]
}

// maxListedNames bounds the text of the names that one message lists, in bytes.
const maxListedNames = 300

// otherNames is the finding where all signatures are for other names than the image's: with
// several names, it lists them and says which one would match.
func otherNames(one Finding, policy *Policy, p int, img imageFacts, results []signatureResult) Finding {
	var names []string
	for i := range results {
		if r := &results[i].policies[p]; r.Reason == assayv1alpha1.ReasonIdentityMismatch {
			names = append(names, r.signedName)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) < 2 {
		return one
	}
	listed, more := "", 0
	for _, name := range names {
		quoted := safetext.Quote(name, maxListedNames/2)
		if len(quoted) > maxListedNames { // Mostly escapes.
			quoted = safetext.Quote(name, maxListedNames/8)
		}
		if listed != "" && len(listed)+len(quoted) > maxListedNames {
			more++
			continue
		}
		if listed != "" {
			listed += ", "
		}
		listed += quoted
	}
	if more > 0 {
		listed += fmt.Sprintf(" and %d more", more)
	}
	return refused(assayv1alpha1.ReasonIdentityMismatch,
		fmt.Sprintf("the image is signed as %s, but %s expects %s", listed, policy.Identity.Rule(), policy.Identity.Expected(img.reference)))
}

// withUnavailable is a finding about the signatures that are at hand, where others may exist.
func (in *Image) withUnavailable(f Finding) Finding {
	if in.Unavailable == "" || f.Outcome != Refused {
		return f
	}
	return couldNotCheck(assayv1alpha1.ReasonSignaturesUnavailable,
		fmt.Sprintf("%s; with the signatures at hand: %s: %s", in.Unavailable, f.Reason, f.Message))
}

// evaluateImage combines the findings of all policies: every one must be satisfied. A
// refusal is final whatever else could not be checked.
func evaluateImage(img imageFacts, in *Image, policies []PolicyVerdict) Finding {
	if img.err != nil {
		return refused(assayv1alpha1.ReasonInvalidImage, img.err.Error())
	}
	if len(policies) == 0 {
		return noTrustPolicy(in)
	}
	for _, outcome := range []Outcome{Refused, CouldNotCheck} {
		for i := range policies {
			if policies[i].Outcome == outcome {
				return policies[i].Finding
			}
		}
	}
	if len(policies) == 1 {
		return policies[0].Finding
	}
	return Finding{Outcome: Verified, Reason: assayv1alpha1.ReasonVerified,
		Message: fmt.Sprintf("the signatures satisfy all %d TrustPolicies that apply", len(policies))}
}

func noTrustPolicy(in *Image) Finding {
	if in.Reference.Named == nil {
		return couldNotCheck(assayv1alpha1.ReasonNoTrustPolicy,
			"no TrustPolicy can apply because dockerImageReference is empty; set it to the image's pull reference")
	}
	return couldNotCheck(assayv1alpha1.ReasonNoTrustPolicy,
		"no TrustPolicy has a scope that covers dockerImageReference; create one")
}

func countSigners(signers map[SignerID]struct{}) string {
	what := "key"
	for id := range signers {
		if id.Key == "" {
			what = "signer"
		}
	}
	if len(signers) != 1 {
		what += "s"
	}
	return strconv.Itoa(len(signers)) + " trusted " + what
}
