// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
)

// identityOptions are the options for the accepted signed names.
type identityOptions struct {
	matchPolicy     string
	exactReference  string
	exactRepository string
	remapPrefix     string
	remapSigned     string
}

// matchPolicies are the rules in the order of the documentation.
var matchPolicies = []string{
	string(assayv1alpha1.MatchRepoDigestOrExact),
	string(assayv1alpha1.MatchExact),
	string(assayv1alpha1.MatchRepository),
	string(assayv1alpha1.ExactReference),
	string(assayv1alpha1.ExactRepository),
	string(assayv1alpha1.RemapIdentity),
}

func (o *identityOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.matchPolicy, "match-policy", matchPolicies[0], "`RULE` that compares the signed name with --image: "+oneOf(matchPolicies))
	flags.StringVar(&o.exactReference, "exact-reference", "", "for ExactReference: the `REFERENCE` that must have been signed")
	flags.StringVar(&o.exactRepository, "exact-repository", "", "for ExactRepository: the `REPOSITORY` that must have been signed")
	flags.StringVar(&o.remapPrefix, "remap-prefix", "", "for RemapIdentity: the `PREFIX` of the image's name to replace")
	flags.StringVar(&o.remapSigned, "remap-signed-prefix", "", "for RemapIdentity: the `PREFIX` that replaces it in the signed name")
}

// matcher returns the matcher of the rule. It refuses options of other rules, which would have no
// effect.
func (o *identityOptions) matcher() (*imageref.Matcher, error) {
	if !slices.Contains(matchPolicies, o.matchPolicy) {
		return nil, usagef("--match-policy must be %s, and is %q", oneOf(matchPolicies), o.matchPolicy)
	}
	// field is the name of the option in package imageref.
	options := []struct{ flag, value, field, rule string }{
		{"--exact-reference", o.exactReference, "dockerReference", string(assayv1alpha1.ExactReference)},
		{"--exact-repository", o.exactRepository, "dockerRepository", string(assayv1alpha1.ExactRepository)},
		{"--remap-prefix", o.remapPrefix, "prefix", string(assayv1alpha1.RemapIdentity)},
		{"--remap-signed-prefix", o.remapSigned, "signedPrefix", string(assayv1alpha1.RemapIdentity)},
	}
	for _, option := range options {
		switch isFor := o.matchPolicy == option.rule; {
		case isFor && option.value == "":
			return nil, usagef("--match-policy %s needs %s", option.rule, option.flag)
		case !isFor && option.value != "":
			return nil, usagef("%s is for --match-policy %s, and the rule is %s", option.flag, option.rule, o.matchPolicy)
		}
	}
	matcher, err := imageref.NewMatcher(imageref.Rule{
		Match:            imageref.Match(o.matchPolicy),
		DockerReference:  o.exactReference,
		DockerRepository: o.exactRepository,
		Prefix:           o.remapPrefix,
		SignedPrefix:     o.remapSigned,
	})
	if err == nil {
		return matcher, nil
	}
	// The error begins with the name of the field.
	field, problem, _ := strings.Cut(err.Error(), ": ")
	for _, option := range options {
		if option.field == field {
			return nil, usagef("%s: %s", option.flag, problem)
		}
	}
	return nil, usagef("--match-policy %s: %w", o.matchPolicy, err)
}

// oneOf lists words as "a, b or c".
func oneOf(words []string) string {
	last := len(words) - 1
	return fmt.Sprintf("%s or %s", strings.Join(words[:last], ", "), words[last])
}
