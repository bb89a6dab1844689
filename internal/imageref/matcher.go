// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref

import (
	"errors"
	"fmt"
	"strings"

	"github.com/distribution/reference"
)

// Match names one of the signedIdentity rules of containers-policy.json(5). The zero value stands for
// MatchRepoDigestOrExact.
type Match string

// The signedIdentity rules of containers-policy.json(5); the package comment says what each of them compares.
const (
	MatchRepoDigestOrExact Match = "MatchRepoDigestOrExact"
	MatchExact             Match = "MatchExact"
	MatchRepository        Match = "MatchRepository"
	ExactReference         Match = "ExactReference"
	ExactRepository        Match = "ExactRepository"
	RemapIdentity          Match = "RemapIdentity"
)

// Rule is one of the six signedIdentity rules of containers-policy.json(5), as configured. Fields that its Match
// does not use have to be empty.
type Rule struct {
	Match Match
	// DockerReference is the reference that must have been signed, with a tag or digest, for ExactReference.
	DockerReference string
	// DockerRepository is the repository that must have been signed, for ExactRepository. A tag or digest is
	// accepted and ignored, as containers-policy.json(5) readers do.
	DockerRepository string
	// Prefix is what SignedPrefix replaces in the image's name, for RemapIdentity: a host[:port], a namespace or a
	// repository, each in full.
	Prefix string
	// SignedPrefix takes the place of Prefix.
	SignedPrefix string
}

// Matcher is a Rule that has been validated. It is immutable; its zero value matches nothing.
type Matcher struct {
	match        Match
	signed       reference.Named // what must have been signed, for ExactReference and ExactRepository
	prefix       string
	signedPrefix string
}

// NewMatcher validates r. The error begins with the field that is wrong, in the spelling of
// containers-policy.json(5), and says how to write it.
func NewMatcher(r Rule) (*Matcher, error) {
	if r.Match == "" {
		r.Match = MatchRepoDigestOrExact
	}
	if err := r.checkUnused(); err != nil {
		return nil, err
	}
	m := &Matcher{match: r.Match, prefix: r.Prefix, signedPrefix: r.SignedPrefix}
	var err error
	switch r.Match {
	case MatchRepoDigestOrExact, MatchExact, MatchRepository:
	case ExactReference:
		if m.signed, err = ParseImage(r.DockerReference); err != nil {
			return nil, fmt.Errorf("dockerReference: %w", err)
		}
		if reference.IsNameOnly(m.signed) {
			return nil, fmt.Errorf("dockerReference: %s has neither tag nor digest, so that no signature could match", quote(r.DockerReference))
		}
	case ExactRepository:
		if m.signed, err = ParseImage(r.DockerRepository); err != nil {
			return nil, fmt.Errorf("dockerRepository: %w", err)
		}
	case RemapIdentity:
		if err := checkPrefix(r.Prefix); err != nil {
			return nil, fmt.Errorf("prefix: %w", err)
		}
		if err := checkPrefix(r.SignedPrefix); err != nil {
			return nil, fmt.Errorf("signedPrefix: %w", err)
		}
	default:
		return nil, fmt.Errorf("type: %s is none of the signed-identity rules", quote(string(r.Match)))
	}
	return m, nil
}

// checkUnused refuses a field that the rule would ignore: its author expects it to count.
func (r Rule) checkUnused() error {
	for _, f := range [...]struct {
		name, value string
		rule        Match
	}{
		{"dockerReference", r.DockerReference, ExactReference},
		{"dockerRepository", r.DockerRepository, ExactRepository},
		{"prefix", r.Prefix, RemapIdentity},
		{"signedPrefix", r.SignedPrefix, RemapIdentity},
	} {
		if f.value != "" && r.Match != f.rule {
			return fmt.Errorf("%s: only %s uses it", f.name, f.rule)
		}
	}
	return nil
}

// checkPrefix accepts a host[:port], a namespace or a repository that is written in full.
func checkPrefix(s string) error {
	switch {
	case s == "":
		return errors.New("it is empty")
	case len(s) > MaxReference:
		return fmt.Errorf("it is longer than %d bytes", MaxReference)
	}
	host, _, hasPath := strings.Cut(s, "/")
	if !hostPattern.MatchString(host) || hasPath && !namePattern.MatchString(s) {
		return fmt.Errorf("%s is not a host[:port], namespace or repository, without a scheme, tag, digest or trailing slash", quote(s))
	}
	if full, ok := fullName(s); ok {
		return fmt.Errorf("%s has to be written in full, as %s", quote(s), quote(full))
	}
	return nil
}

// Match returns nil if signed, the docker-reference of a payload whose signature was verified, is one that the rule
// accepts for image. An empty text, of a signature that states no name, is never accepted.
// Otherwise the error says what the rule expects; its text is bounded and deterministic and quotes both references
// escaped. An image that is nil matches nothing, except with ExactReference and
// ExactRepository, which do not look at it.
func (m *Matcher) Match(image reference.Named, signed string) error {
	if m.isExactly(image, signed) {
		return nil
	}
	if signed == "" {
		return errors.New("the signature states no name of the image, and every signed-identity rule compares one; sign with the image's docker-reference, or set unnamedSignatures to Accept")
	}
	got, err := ParseImage(signed)
	if err != nil {
		return fmt.Errorf("the signed docker-reference is invalid: %w", err)
	}
	switch m.match {
	case ExactReference:
		return m.sameReference(m.signed, got)
	case ExactRepository:
		return m.sameRepository(m.signed, got)
	}
	if image == nil {
		return errors.New("there is no image reference to compare the signed docker-reference with")
	}
	switch m.match {
	case MatchExact:
		return m.sameReference(image, got)
	case MatchRepoDigestOrExact:
		return m.repoDigestOrExact(image, got)
	case MatchRepository:
		return m.sameRepository(image, got)
	case RemapIdentity:
		mapped, err := m.remap(image)
		if err != nil {
			return err
		}
		return m.repoDigestOrExact(mapped, got)
	default:
		return errors.New("no signed-identity rule is configured")
	}
}

// Expected says which signed names the rule accepts for an image, in a bounded text that quotes the
// image escaped. An image that is nil has none, except with ExactReference and ExactRepository.
func (m *Matcher) Expected(image reference.Named) string {
	switch m.match {
	case ExactReference:
		return quote(m.signed.String())
	case ExactRepository:
		return "the repository " + quote(m.signed.Name())
	}
	if image == nil {
		return "an image with a reference"
	}
	switch m.match {
	case MatchRepository:
		return "the repository " + quote(image.Name())
	case RemapIdentity:
		mapped, err := m.remap(image)
		if err != nil {
			return "no name: " + err.Error()
		}
		return expectedDigestOrExact(mapped)
	case MatchRepoDigestOrExact:
		return expectedDigestOrExact(image)
	default:
		return quote(image.String())
	}
}

// expectedDigestOrExact is Expected for what repoDigestOrExact accepts.
func expectedDigestOrExact(image reference.Named) string {
	_, hasDigest := image.(reference.Digested)
	tagged, hasTag := image.(reference.Tagged)
	switch {
	case hasDigest && hasTag:
		return quote(image.Name()+":"+tagged.Tag()) + " or the repository with the image's digest"
	case hasDigest:
		return "the repository " + quote(image.Name()) + " with a tag or digest"
	case hasTag:
		return quote(image.String())
	default:
		return "a tag or digest in the image's own reference, " + quote(image.String())
	}
}

// Rule returns the name of the rule.
func (m *Matcher) Rule() Match { return m.match }

// isExactly reports whether the signed text is the image's reference letter by letter, under a rule that this
// satisfies. It is the usual case and spares parsing, most of the cost of Match. It is sound because image came out of
// ParseImage, whose results are spelt in full: parsing the same text again would give the same reference.
func (m *Matcher) isExactly(image reference.Named, signed string) bool {
	if m.match != MatchExact && m.match != MatchRepoDigestOrExact {
		return false
	}
	return image != nil && len(signed) <= MaxReference && !reference.IsNameOnly(image) && image.String() == signed
}

// sameReference compares names, tags and digests. A reference that is only a name equals none, not even itself.
func (m *Matcher) sameReference(want, got reference.Named) error {
	if reference.IsNameOnly(want) {
		return fmt.Errorf("the image %s has neither tag nor digest, one of which %s needs", quote(want.String()), m.match)
	}
	if got.String() != want.String() {
		return m.mismatch(got, quote(want.String())+m.tagHint(want, got))
	}
	return nil
}

// tagHint returns what to do about a signed name that lacks nothing but a tag, as cosign signs it; empty for others.
func (m *Matcher) tagHint(want, got reference.Named) string {
	isImage := m.match == MatchExact || m.match == MatchRepoDigestOrExact
	if !isImage || got.Name() != want.Name() || !reference.IsNameOnly(got) {
		return ""
	}
	return "; a name without a tag, as cosign signs it, needs MatchRepository"
}

// sameRepository compares names.
func (m *Matcher) sameRepository(want, got reference.Named) error {
	if got.Name() != want.Name() {
		return m.mismatch(got, "the repository "+quote(want.Name()))
	}
	return nil
}

// repoDigestOrExact compares whole references for an image with a tag alone. For one with a
// digest the repository must agree, and so must whatever the signed reference states of a tag
// that the image has. No tool signs a tag and a digest together, and admission asks people to
// write both. Where the image has no tag, any will do: the signed digest is compared
// elsewhere, with the image itself.
func (m *Matcher) repoDigestOrExact(image, got reference.Named) error {
	tagged, hasTag := image.(reference.Tagged)
	digested, hasDigest := image.(reference.Digested)
	if !hasDigest {
		return m.sameReference(image, got)
	}
	if got.Name() != image.Name() || reference.IsNameOnly(got) {
		return m.mismatch(got, "the repository "+quote(image.Name())+" with a tag or digest"+m.tagHint(image, got))
	}
	if !hasTag {
		return nil
	}
	if signed, ok := got.(reference.Tagged); ok && signed.Tag() != tagged.Tag() {
		return m.mismatch(got, quote(image.Name()+":"+tagged.Tag()))
	}
	if signed, ok := got.(reference.Digested); ok && signed.Digest() != digested.Digest() {
		return m.mismatch(got, quote(image.Name()+"@"+digested.Digest().String()))
	}
	return nil
}

// remap replaces the prefix in an image's name where it ends at a slash or is the whole name; an image that does
// not have it is left as it is. A host is not a prefix of the same host with a port.
func (m *Matcher) remap(image reference.Named) (reference.Named, error) {
	rest, ok := strings.CutPrefix(image.Name(), m.prefix)
	if !ok || rest != "" && rest[0] != '/' {
		return image, nil
	}
	text := m.signedPrefix + rest + strings.TrimPrefix(image.String(), image.Name())
	// A repository mapped onto a bare host, or onto docker.io without a namespace, has no name that could have been
	// signed.
	mapped, err := ParseImage(text)
	if err != nil || mapped.String() != text {
		return nil, fmt.Errorf("with signedPrefix for prefix the image is %s, which is not a reference in full", quote(text))
	}
	return mapped, nil
}

// mismatch sets what was signed against what was wanted.
func (m *Matcher) mismatch(got reference.Named, want string) error {
	return fmt.Errorf("the signature is for %s, but %s expects %s", quote(got.String()), m.match, want)
}
