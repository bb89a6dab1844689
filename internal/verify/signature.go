// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"time"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// checker holds what is the same for every signature of an image.
type checker struct {
	*Verifier
	now         time.Time
	image       imageFacts
	policies    []Policy
	revokedKeys map[string]string

	// noBudget is what signatures have that may not take heavy steps.
	noBudget Budget

	// effort bounds the work, and cost is what authenticating signatures has cost so far, by
	// Circumstances.Spend.
	effort Effort
	cost   int
	// incomplete: the effort did not suffice to check a signature.
	incomplete bool

	// refusals is nil where nothing is remembered. trustID and trustKey identify what the refusal
	// of any signature depends on; the latter is computed when it is first needed.
	refusals Refusals
	trustID  uint64
	trustKey []byte
}

// spend adds to the cost, and reports whether that is within the bound.
func (c *checker) spend(cost int) bool {
	if cost > c.effort.maxCost()-c.cost {
		c.incomplete = true
		return false
	}
	c.cost += cost
	return true
}

// signatureResult is what came of one signature: under each policy, and as a whole.
type signatureResult struct {
	verdict  SignatureVerdict
	policies []policyResult
	// recheckAt is the earliest time at which the clock alone may change the result.
	recheckAt time.Time
	panicked  bool
	// deferred: the budget did not allow a heavy step.
	deferred bool
}

// policyResult is what came of one signature under one policy. signer and claims are nil
// unless the outcome is Verified.
type policyResult struct {
	Finding
	signer *Signer
	claims *Claims
	// signedName is the name in a signature that got as far as having it compared, by a trusted
	// signer and for the image's digest.
	signedName string
}

// checkSignature checks one signature against every policy. A panic in a parser refuses
// this signature alone: one blob must not take the operator or another verdict with it.
func (c *checker) checkSignature(s *Signature, budget *Budget) (result signatureResult) {
	defer func() {
		if recover() != nil {
			result = c.sameForAll(refused(assayv1alpha1.ReasonMalformedSignature,
				"the content made the verifier fail; please report it with the content"))
			result.panicked = true
		}
	}()
	a := attempt{checker: c, signature: s, budget: budget}
	if f := a.runAll(signatureChecks); f != nil {
		result = c.sameForAll(*f)
	} else {
		result = c.checkPolicies(&a)
	}
	result.verdict.ClaimedKeyID, result.deferred = a.keyID, a.deferred
	return result
}

// checkSignatures checks all signatures. Those that take heavy steps come last, so that they
// hide none of the others, and share a budget.
func (c *checker) checkSignatures(signatures []Signature) []signatureResult {
	results := make([]signatureResult, len(signatures))
	for i := range signatures {
		results[i] = c.checkOrRecall(&signatures[i], &c.noBudget)
	}
	budget := &Budget{steps: c.effort.heavySteps()}
	for i := range signatures {
		if results[i].deferred && budget.steps > 0 {
			results[i] = c.checkOrRecall(&signatures[i], budget)
		}
		c.incomplete = c.incomplete || results[i].deferred
	}
	return results
}

// checkPolicies makes the checks that depend on the policy, for each.
func (c *checker) checkPolicies(a *attempt) signatureResult {
	result := signatureResult{policies: make([]policyResult, len(c.policies))}
	for i := range c.policies {
		under := *a
		under.policy = &c.policies[i]
		if f := under.runAll(policyChecks); f != nil {
			result.policies[i].Finding = *f
			if under.statement != nil {
				result.policies[i].signedName = under.statement.Name
			}
		} else {
			result.policies[i] = under.accept()
		}
		result.recheckAt = earliest(result.recheckAt, under.recheckAt)
	}
	result.verdict = combine(result.policies)
	return result
}

// sameForAll is the result of a signature that fails before any policy is looked at.
func (c *checker) sameForAll(f Finding) signatureResult {
	result := signatureResult{verdict: SignatureVerdict{Finding: f}, policies: make([]policyResult, len(c.policies))}
	for i := range result.policies {
		result.policies[i].Finding = f
	}
	return result
}

// combine makes one verdict for a signature out of those under each policy: it is verified
// when any policy accepts it, and refused when all refuse it.
func combine(results []policyResult) SignatureVerdict {
	for _, outcome := range []Outcome{Verified, CouldNotCheck, Refused} {
		if i := furthest(results, (*policyResult).finding, outcome); i >= 0 {
			return SignatureVerdict{Finding: results[i].Finding, Claims: results[i].claims}
		}
	}
	return SignatureVerdict{}
}

// accept is the result of a signature that has passed all checks.
func (a *attempt) accept() policyResult {
	signer := a.signed.Signer()
	keyID := signer.PublicKeyID()
	who := keyID
	switch subject := signer.Subject; {
	case subject.CommonName != "" && subject.Organization != "":
		who = subject.CommonName + " (" + subject.Organization + ")"
	case subject.CommonName != "":
		who = subject.CommonName + " (" + keyID + ")"
	}
	return policyResult{
		Finding: Finding{Outcome: Verified, Reason: assayv1alpha1.ReasonVerified,
			Message: truncate("signed by " + who + ", trusted by " + a.policy.label())},
		signer: signer,
		claims: &Claims{
			Identity:    a.statement.Name,
			Signed:      a.statement.Claims,
			Created:     a.statement.Created.UTC(),
			PublicKeyID: keyID,
			Subject:     signer.Subject,
			Issuer:      signer.Issuer,
		},
	}
}
