// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"errors"
	"fmt"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/identity"
)

// readIdentity reads the signedIdentity of a requirement (containers-policy.json(5)). The default is nil, because it
// is the API's as well. invalid means that readers of the original refuse it, err that a TrustPolicy cannot say it.
func readIdentity(m members) (signed *assayv1alpha1.SignedIdentity, invalid, err error) {
	if _, ok := m["signedIdentity"]; !ok {
		return nil, nil, nil
	}
	object, invalid := m.object("signedIdentity")
	if invalid != nil {
		return nil, invalid, nil
	}
	values := map[string]string{}
	for _, name := range object.names() {
		if values[name], invalid = object.text(name); invalid != nil {
			return nil, inside("signedIdentity", invalid), nil
		}
	}
	rule, fields, ok := ruleOf(values)
	if !ok {
		return nil, fmt.Errorf("signedIdentity: type %s is not known", quote(values["type"])), nil
	}
	if invalid := object.onlyKnown(append(fields, "type")...); invalid != nil {
		return nil, inside("signedIdentity", invalid), nil
	}
	for _, field := range fields {
		if values[field] == "" {
			return nil, fmt.Errorf("signedIdentity: %s is missing", field), nil
		}
	}
	signed, err = signedIdentity(rule)
	return signed, nil, inside("signedIdentity", err)
}

// ruleOf returns the rule of a signedIdentity and the members that it needs beside its type.
func ruleOf(values map[string]string) (rule identity.Rule, fields []string, ok bool) {
	switch values["type"] {
	case "matchExact":
		return identity.Rule{Match: identity.MatchExact}, nil, true
	case "matchRepoDigestOrExact":
		return identity.Rule{Match: identity.MatchRepoDigestOrExact}, nil, true
	case "matchRepository":
		return identity.Rule{Match: identity.MatchRepository}, nil, true
	case "exactReference":
		return identity.Rule{Match: identity.ExactReference, DockerReference: values["dockerReference"]}, []string{"dockerReference"}, true
	case "exactRepository":
		return identity.Rule{Match: identity.ExactRepository, DockerRepository: values["dockerRepository"]}, []string{"dockerRepository"}, true
	case "remapIdentity":
		rule = identity.Rule{Match: identity.RemapIdentity, Prefix: values["prefix"], SignedPrefix: values["signedPrefix"]}
		return rule, []string{"prefix", "signedPrefix"}, true
	default:
		return rule, nil, false
	}
}

// signedIdentity writes a rule as the API has it.
func signedIdentity(rule identity.Rule) (*assayv1alpha1.SignedIdentity, error) {
	if _, err := identity.NewMatcher(rule); err != nil {
		return nil, err
	}
	for _, text := range []string{rule.DockerReference, rule.DockerRepository, rule.Prefix, rule.SignedPrefix} {
		if len(text) > maxScope {
			return nil, fmt.Errorf("a name is longer than %d bytes", maxScope)
		}
	}
	signed := &assayv1alpha1.SignedIdentity{MatchPolicy: assayv1alpha1.MatchPolicy(rule.Match)}
	switch rule.Match {
	case identity.MatchRepoDigestOrExact:
		return nil, nil
	case identity.ExactReference:
		signed.ExactReference = &assayv1alpha1.ExactReferenceIdentity{Reference: rule.DockerReference}
	case identity.ExactRepository:
		// The API wants a name without the tag that containers-policy.json(5) ignores.
		named, err := identity.ParseImage(rule.DockerRepository)
		if err != nil {
			return nil, err
		}
		signed.ExactRepository = &assayv1alpha1.ExactRepositoryIdentity{Repository: named.Name()}
	case identity.RemapIdentity:
		signed.RemapIdentity = &assayv1alpha1.RemapIdentityRule{Prefix: rule.Prefix, SignedPrefix: rule.SignedPrefix}
	case identity.MatchExact, identity.MatchRepository:
	default:
		return nil, errors.New("the rule is not known")
	}
	return signed, nil
}
