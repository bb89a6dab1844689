// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"errors"
	"fmt"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
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
func ruleOf(values map[string]string) (rule imageref.Rule, fields []string, ok bool) {
	switch values["type"] {
	case "matchExact":
		return imageref.Rule{Match: imageref.MatchExact}, nil, true
	case "matchRepoDigestOrExact":
		return imageref.Rule{Match: imageref.MatchRepoDigestOrExact}, nil, true
	case "matchRepository":
		return imageref.Rule{Match: imageref.MatchRepository}, nil, true
	case "exactReference":
		return imageref.Rule{Match: imageref.ExactReference, DockerReference: values["dockerReference"]}, []string{"dockerReference"}, true
	case "exactRepository":
		return imageref.Rule{Match: imageref.ExactRepository, DockerRepository: values["dockerRepository"]}, []string{"dockerRepository"}, true
	case "remapIdentity":
		rule = imageref.Rule{Match: imageref.RemapIdentity, Prefix: values["prefix"], SignedPrefix: values["signedPrefix"]}
		return rule, []string{"prefix", "signedPrefix"}, true
	default:
		return rule, nil, false
	}
}

// signedIdentity writes a rule as the API has it.
func signedIdentity(rule imageref.Rule) (*assayv1alpha1.SignedIdentity, error) {
	if _, err := imageref.NewMatcher(rule); err != nil {
		return nil, err
	}
	for _, text := range []string{rule.DockerReference, rule.DockerRepository, rule.Prefix, rule.SignedPrefix} {
		if len(text) > maxScope {
			return nil, fmt.Errorf("a name is longer than %d bytes", maxScope)
		}
	}
	signed := &assayv1alpha1.SignedIdentity{MatchPolicy: assayv1alpha1.MatchPolicy(rule.Match)}
	switch rule.Match {
	case imageref.MatchRepoDigestOrExact:
		return nil, nil
	case imageref.ExactReference:
		signed.ExactReference = &assayv1alpha1.ExactReferenceIdentity{Reference: assayv1alpha1.ImageReference(rule.DockerReference)}
	case imageref.ExactRepository:
		// The API wants a name without the tag that containers-policy.json(5) ignores.
		named, err := imageref.ParseImage(rule.DockerRepository)
		if err != nil {
			return nil, err
		}
		signed.ExactRepository = &assayv1alpha1.ExactRepositoryIdentity{Repository: assayv1alpha1.Repository(named.Name())}
	case imageref.RemapIdentity:
		signed.RemapIdentity = &assayv1alpha1.RemapIdentityRule{
			Prefix: assayv1alpha1.NamePrefix(rule.Prefix), SignedPrefix: assayv1alpha1.NamePrefix(rule.SignedPrefix),
		}
	case imageref.MatchExact, imageref.MatchRepository:
	default:
		return nil, errors.New("the rule is not known")
	}
	return signed, nil
}
