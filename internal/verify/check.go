// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"cmp"
	"fmt"
	"slices"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// Check decides whether an image is verified. It never returns Verified when no policy
// applies, when a policy has no keys, or when there are no signatures.
func Check(in Input) Verdict {
	policies := slices.Clone(in.Policies)
	slices.SortFunc(policies, func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) })

	img := readImage(in.Image)
	c := checker{now: in.Now, image: img, policies: policies}

	v := Verdict{Digest: img.digest, Signatures: make([]SignatureVerdict, len(in.Image.Signatures))}
	results := make([]signatureResult, len(in.Image.Signatures))
	for i := range in.Image.Signatures {
		results[i] = c.checkSignature(&in.Image.Signatures[i])
		v.Signatures[i] = results[i].verdict
		v.RecheckAt = earliest(v.RecheckAt, results[i].recheckAt)
		if results[i].panicked {
			v.RecoveredPanics++
		}
	}
	v.Policies = make([]PolicyVerdict, len(policies))
	for i := range policies {
		v.Policies[i] = PolicyVerdict{
			Name: policies[i].Name, Scope: policies[i].Scope,
			Finding: judgePolicy(&policies[i], i, results),
		}
	}
	v.Finding = judgeImage(img, &in.Image, v.Policies)
	return v
}

// judgePolicy says whether the signatures satisfy the policy at index p of every result.
func judgePolicy(policy *Policy, p int, results []signatureResult) Finding {
	if len(results) == 0 {
		return refused(assayv1alpha1.ReasonNoSignatures,
			fmt.Sprintf("%s asks for a signature and the image has none; add one to signatures", policy.label()))
	}
	var signers []string
	findings := make([]Finding, len(results))
	for i := range results {
		findings[i] = results[i].findings[p]
		if findings[i].Outcome == Verified {
			signers = append(signers, results[i].claims[p].Fingerprint)
		}
	}
	slices.Sort(signers)
	signers = slices.Compact(signers)
	if len(signers) >= policy.required() {
		return Finding{Outcome: Verified, Reason: assayv1alpha1.ReasonVerified,
			Message: bound(fmt.Sprintf("signed by %s as %s asks", countKeys(len(signers)), policy.label()))}
	}
	if i := furthest(findings, CouldNotCheck); i >= 0 {
		return findings[i]
	}
	if len(signers) > 0 {
		return refused(assayv1alpha1.ReasonInsufficientSignatures,
			fmt.Sprintf("%s asks for signatures by %s and the image has valid ones by %d",
				policy.label(), countKeys(policy.required()), len(signers)))
	}
	return findings[furthest(findings, Refused)]
}

// judgeImage combines the findings of all policies: every one must be satisfied. A
// refusal is final whatever else could not be checked.
func judgeImage(img imageFacts, in *Image, policies []PolicyVerdict) Finding {
	if img.problem != "" {
		return refused(assayv1alpha1.ReasonInvalidImage, img.problem)
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
		Message: fmt.Sprintf("signed as all of the %d TrustPolicies that apply ask", len(policies))}
}

func noTrustPolicy(in *Image) Finding {
	if in.Reference.Named == nil {
		return couldNotCheck(assayv1alpha1.ReasonNoTrustPolicy,
			"dockerImageReference is empty, so that no TrustPolicy can apply; set it to the image's pull reference")
	}
	return couldNotCheck(assayv1alpha1.ReasonNoTrustPolicy,
		"no TrustPolicy has a scope that covers dockerImageReference; create one")
}

func countKeys(n int) string {
	if n == 1 {
		return "1 trusted key"
	}
	return fmt.Sprintf("%d trusted keys", n)
}
