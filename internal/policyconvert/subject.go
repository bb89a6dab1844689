// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// The API's rules for identities.
var (
	issuerForm   = regexp.MustCompile(`^https?://[^/\s]+\S*$`)
	emailForm    = regexp.MustCompile(`^[^@*\s]+@[^@*\s]+$`)
	uriForm      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:[^\s*]+$`)
	prefixForm   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://[^/@\s*]+/([^\s*]*[/@])?$`)
	hostnameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)
)

const (
	maxText  = 1024
	maxEmail = 320
)

func checkIssuer(issuer string) error {
	if len(issuer) > maxText || !issuerForm.MatchString(issuer) {
		return fmt.Errorf("the OIDC issuer %s is no URL", quote(issuer))
	}
	return nil
}

func checkEmail(email string) error {
	if len(email) > maxEmail || !emailForm.MatchString(email) {
		return fmt.Errorf("%s is no email address", quote(email))
	}
	return nil
}

func checkHostname(name string) error {
	if len(name) > 253 || !hostnameForm.MatchString(name) {
		return fmt.Errorf("%s is no host name", quote(name))
	}
	return nil
}

// exactSubject returns the subject that is equal to a text. The originals compare it with names of every type, and a
// TrustPolicy with those of one.
func exactSubject(text string) (assayv1alpha1.FulcioSubject, error) {
	switch {
	case len(text) <= maxEmail && !strings.ContainsAny(text, ":/!") && emailForm.MatchString(text):
		return assayv1alpha1.FulcioSubject{Email: assayv1alpha1.EmailAddress(text)}, nil
	case len(text) <= maxText && uriForm.MatchString(text):
		return assayv1alpha1.FulcioSubject{URI: text}, nil
	case len(text) <= maxEmail && strings.Contains(text, "!") && !strings.ContainsAny(text, ":/*"):
		return assayv1alpha1.FulcioSubject{Username: text}, nil
	default:
		return assayv1alpha1.FulcioSubject{}, fmt.Errorf("the subject %s is neither an email address nor a URI nor a username", quote(text))
	}
}

// identity is who signed, as policy-controller and Kyverno have it.
type identity struct {
	issuer, subject             string
	issuerRegExp, subjectRegExp string
	// wildcards says that the subject and the issuer may have some.
	wildcards bool
}

// signer returns an identity that is exact. Everything else is an error with a suggestion.
func (id identity) signer() (*assayv1alpha1.FulcioSigner, error) {
	switch {
	case id.subjectRegExp != "":
		return nil, fmt.Errorf("the subject is the regular expression %s, and a TrustPolicy has none%s", quote(id.subjectRegExp), suggest(regexpPrefix(id.subjectRegExp)))
	case id.issuerRegExp != "":
		return nil, fmt.Errorf("the issuer is the regular expression %s: add a signer for each issuer", quote(id.issuerRegExp))
	case id.issuer == "" || id.subject == "":
		return nil, errors.New("it accepts any issuer or any subject, and a TrustPolicy needs both")
	case id.wildcards && strings.ContainsAny(id.issuer, "*?"):
		return nil, fmt.Errorf("the issuer %s has wildcards: add a signer for each issuer", quote(id.issuer))
	case id.wildcards && strings.Contains(id.subject, "*"):
		prefix, _, _ := strings.Cut(id.subject, "*")
		return nil, fmt.Errorf("the subject %s has wildcards, and a TrustPolicy has none%s", quote(id.subject), suggest(prefix))
	}
	if err := checkIssuer(id.issuer); err != nil {
		return nil, err
	}
	subject, err := exactSubject(id.subject)
	if err != nil {
		return nil, err
	}
	return &assayv1alpha1.FulcioSigner{OIDCIssuer: id.issuer, Subject: subject}, nil
}

// regexpPrefix returns the text with which everything begins that an anchored expression matches.
func regexpPrefix(expression string) string {
	if len(expression) > maxText {
		return ""
	}
	text, anchored := strings.CutPrefix(expression, "^")
	compiled, err := regexp.Compile(text)
	if err != nil || !anchored {
		return ""
	}
	prefix, _ := compiled.LiteralPrefix()
	return prefix
}

// suggest names the uriPrefix that is nearest to a text, if there is one.
func suggest(prefix string) string {
	prefix = prefix[:strings.LastIndexAny(prefix, "/@")+1]
	if len(prefix) > maxText || !prefixForm.MatchString(prefix) {
		return ": add a signer for each subject"
	}
	return fmt.Sprintf(": see if uriPrefix %s is what you mean, or add a signer for each subject", quote(prefix))
}

// scopeOfPattern turns a pattern for names of images into a scope. deep says that one star matches slashes too.
// wider says that the scope covers more than the pattern, so that more images need a signature.
func scopeOfPattern(pattern string, deep bool) (scope string, wider bool, err error) {
	if rest, ok := strings.CutPrefix(pattern, "index.docker.io/"); ok {
		pattern = "docker.io/" + rest
	}
	name := pattern
	for _, end := range []string{"@sha256:**", "@sha256:*", "@**", "@*", ":**", ":*"} {
		if cut, ok := strings.CutSuffix(name, end); ok {
			name = cut
			break
		}
	}
	for again := true; again; {
		again = false
		for _, end := range []string{"/**", "/*"} {
			if cut, ok := strings.CutSuffix(name, end); ok {
				wider = wider || end == "/*" && !deep
				name, again = cut, true
			}
		}
	}
	if host, _, _ := strings.Cut(name, "/"); strings.HasPrefix(host, "*.") && host != name {
		return "", false, errors.New("a scope with a wildcard has no path; list the registries")
	}
	if strings.ContainsAny(strings.TrimPrefix(name, "*."), "*?") {
		return "", false, errors.New("its wildcards are not those of a scope; list the repositories")
	}
	scope, respelt, err := readScope(name)
	if respelt != "" {
		scope = respelt
	}
	return scope, wider, err
}
