// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
)

// Policy is a TrustPolicy that applies to the image, with its keys at hand.
type Policy struct {
	// Name of the TrustPolicy, and the scope by which it applies.
	Name, Scope string
	// ID differs for policies that could come to different results about a signature, be it the
	// same policy with other keys; 0 if nothing is known about that.
	ID uint64
	// Label is what messages call the policy; empty means "TrustPolicy <name>".
	Label string
	// Trust is what the policy trusts in each format, by Format.Name.
	Trust map[string]Trust
	// UnavailableKeys names the keys that are missing or cannot be read, sorted. As long
	// as there are any, a signature is not refused because its key is unknown, expired or
	// incomplete: they may hold that key, or a newer copy of it.
	UnavailableKeys []string
	// AcceptUnnamed accepts signatures that state no name for the digest alone.
	AcceptUnnamed bool
	// Identity compares signed names with the image's reference.
	Identity *imageref.Matcher
	// Err says why the policy cannot be applied as it is written; nil when it can.
	Err error
	// RequiredSignatures is how many different signers must have signed; below 1 means 1.
	RequiredSignatures int
	// AcceptBeforeExpiry accepts signatures by expired keys that were made before the expiry.
	AcceptBeforeExpiry bool
}

// err returns why the policy cannot be applied, nil when it can.
func (p *Policy) err() error {
	if p.Err == nil && p.Identity == nil {
		return errors.New("it has no rule for signed names")
	}
	return p.Err
}

// hasSigners reports whether any key could be read.
func (p *Policy) hasSigners() bool {
	for _, trust := range p.Trust {
		if trust.Len() > 0 {
			return true
		}
	}
	return false
}

// keysUnavailable is the finding where the keys that could be read do not decide.
func (p *Policy) keysUnavailable() *Finding {
	f := couldNotCheck(assayv1alpha1.ReasonKeysUnavailable, p.label()+" has no keys")
	if len(p.UnavailableKeys) > 0 {
		f = couldNotCheck(assayv1alpha1.ReasonKeysUnavailable,
			fmt.Sprintf("no available key of %s verifies the signature; unavailable: %s",
				p.label(), strings.Join(p.UnavailableKeys, ", ")))
	}
	return &f
}

// noKeyFor is the finding for a signature of a format in which the policy has no keys, while it has
// some of another format.
func (p *Policy) noKeyFor(format Format, keyID string) *Finding {
	if len(p.UnavailableKeys) > 0 {
		return p.keysUnavailable()
	}
	var others []string
	for name, trust := range p.Trust {
		if trust.Len() > 0 {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	key := "the key that made the signature"
	if keyID != "" {
		key = "key " + keyID + ", which the signature names,"
	}
	f := refused(assayv1alpha1.ReasonUntrustedKey, fmt.Sprintf("%s has no key for signatures of format %s, only for %s; add %s if you trust its owner",
		p.label(), format.Name(), strings.Join(others, " and "), key))
	return &f
}

// unknownKey is the finding for a signature by a key that the policy does not have. keyID is
// the one that the signature names, empty for none.
func (p *Policy) unknownKey(keyID string) *Finding {
	if len(p.UnavailableKeys) > 0 {
		return p.keysUnavailable()
	}
	message := fmt.Sprintf("%s does not have the key that made the signature", p.label())
	if keyID != "" {
		message = fmt.Sprintf("%s does not have key %s, which the signature names", p.label(), keyID)
	}
	f := refused(assayv1alpha1.ReasonUntrustedKey, message+"; add the key if you trust its owner")
	return &f
}

// label returns what messages call the policy.
func (p *Policy) label() string {
	if p.Label != "" {
		return p.Label
	}
	return "TrustPolicy " + p.Name
}

// required returns the number of different signers that must have signed, at least 1.
func (p *Policy) required() int {
	return max(p.RequiredSignatures, 1)
}

// IdentityRule translates the signedIdentity of a TrustPolicy; nil is the default.
func IdentityRule(in *assayv1alpha1.SignedIdentity) imageref.Rule {
	if in == nil {
		return imageref.Rule{}
	}
	rule := imageref.Rule{Match: imageref.Match(in.MatchPolicy)}
	if in.ExactReference != nil {
		rule.DockerReference = string(in.ExactReference.Reference)
	}
	if in.ExactRepository != nil {
		rule.DockerRepository = string(in.ExactRepository.Repository)
	}
	if in.RemapIdentity != nil {
		rule.Prefix, rule.SignedPrefix = string(in.RemapIdentity.Prefix), string(in.RemapIdentity.SignedPrefix)
	}
	return rule
}
