// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/distribution/reference"
)

var (
	hostPattern = regexp.MustCompile(`^(?:` + reference.DomainRegexp.String() + `)$`)
	namePattern = regexp.MustCompile(`^(?:` + reference.NameRegexp.String() + `)$`)
	// wildcardPattern captures the domain and the port. The star stands for whole labels, and only for the first
	// ones.
	wildcardPattern = regexp.MustCompile(`^\*\.((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)(:[0-9]+)?$`)
)

// Scope is a set of images that a policy is for: see the package comment. Scopes are comparable; the zero value
// covers no image.
type Scope struct{ text string }

// String returns the scope as it is written in a policy. ParseScope reads it back.
func (s Scope) String() string { return s.text }

// ParseScope reads a scope (containers-policy.json(5), "docker:"), which has one spelling only: a canonical name in
// full (docker.io/library/busybox), no scheme, no trailing slash, a tag or a digest but not both. The error says how to
// write a scope that is spelt otherwise.
//
// busybox:5000 is the registry of that name, as it is in busybox:5000/app, not the image on docker.io.
func ParseScope(s string) (Scope, error) {
	scope, err := CanonicalScope(s)
	if err != nil {
		return Scope{}, err
	}
	if scope.text != s {
		return Scope{}, fmt.Errorf("scope %s: write it as %s", quote(s), quote(scope.text))
	}
	return scope, nil
}

// CanonicalScope returns the scope that a text means, however it is spelt. It is for scopes that were stored when
// other spellings were accepted.
func CanonicalScope(s string) (Scope, error) {
	switch {
	case s == "":
		return Scope{}, errors.New("a scope is empty")
	case len(s) > MaxReference:
		return Scope{}, fmt.Errorf("a scope is longer than %d bytes", MaxReference)
	case strings.Contains(s, "://"):
		return Scope{}, fmt.Errorf("scope %s: leave out the scheme", quote(s))
	case strings.HasSuffix(s, "/"):
		return Scope{}, fmt.Errorf("scope %s: leave out the slash at the end; a namespace covers what is below it", quote(s))
	case strings.Contains(s, "*"):
		return canonicalWildcard(s)
	}
	text, err := canonicalScope(s)
	return Scope{text}, err
}

func canonicalWildcard(s string) (Scope, error) {
	m := wildcardPattern.FindStringSubmatch(s)
	// Addresses have no subdomains: *.0.0.1 would pick hosts by the last bytes of an address.
	if m == nil || endsInNumber(m[1]) {
		return Scope{}, fmt.Errorf("scope %s: a wildcard is written *.example.com, in lower case and without a path", quote(s))
	}
	// A host of several labels stands for those below the domain.
	host, err := canonicalHost("x." + m[1] + m[2])
	if err != nil {
		return Scope{}, fmt.Errorf("scope %s: %w", quote(s), err)
	}
	return Scope{"*" + strings.TrimPrefix(host, "x")}, nil
}

// canonicalScope is for scopes other than wildcards.
func canonicalScope(s string) (string, error) {
	host, path, hasPath := strings.Cut(s, "/")
	switch isRepository := namePattern.MatchString(s); {
	case hostPattern.MatchString(host) && isHost(host) && (!hasPath || isRepository):
		host, err := canonicalHost(host)
		if err != nil {
			return "", fmt.Errorf("scope %s: %w", quote(s), err)
		}
		return strings.TrimSuffix(host+"/"+path, "/"), nil
	case isRepository && hasPath && !isHost(host):
		return dockerHub + "/" + s, nil
	default:
		return canonicalReference(s)
	}
}

// canonicalReference is for scopes with a tag or a digest.
func canonicalReference(s string) (string, error) {
	named, err := ParseImage(s)
	if err != nil {
		return "", fmt.Errorf("scope: %w", err)
	}
	if named, err = Canonical(named); err != nil {
		return "", fmt.Errorf("scope %s: %w", quote(s), err)
	}
	if digested, ok := named.(reference.Digested); ok {
		// The digest alone decides what is pulled: a tag in front of it would make this scope miss the same image
		// without the tag.
		return named.Name() + "@" + digested.Digest().String(), nil
	}
	return named.String(), nil
}

// ScopesOf returns the text of every scope that covers image, the most specific first, so that a lookup costs as
// much as the reference is deep. The list is empty only for a reference that ParseImage would refuse.
func ScopesOf(image reference.Named) []string {
	named, err := Canonical(image)
	if err != nil {
		return nil
	}
	var suffix string
	switch ref := named.(type) {
	case reference.Digested: // with or without a tag
		suffix = "@" + ref.Digest().String()
	case reference.Tagged:
		suffix = ":" + ref.Tag()
	}
	scopes := appendNames(nil, named.Name(), suffix)
	if name, ok := onDefaultPort(named.Name()); ok {
		scopes = appendNames(scopes, name, suffix)
	}
	return append(scopes, wildcardsOf(reference.Domain(named))...)
}

// appendNames appends the reference, the repository, the namespaces and the registry.
func appendNames(scopes []string, name, suffix string) []string {
	if suffix != "" {
		scopes = append(scopes, name+suffix)
	}
	for i := len(name); i >= 0; i = strings.LastIndexByte(name[:i], '/') {
		scopes = append(scopes, name[:i])
	}
	return scopes
}

// wildcardsOf returns the wildcards that cover a host, each time with the host's port before the one for any port.
func wildcardsOf(host string) []string {
	if strings.HasPrefix(host, "[") {
		return nil // an IPv6 address
	}
	domain, port, hasPort := strings.Cut(host, ":")
	if endsInNumber(domain) {
		return nil // an IPv4 address
	}
	var scopes []string
	for {
		_, parent, ok := strings.Cut(domain, ".")
		if !ok {
			return scopes
		}
		if hasPort {
			scopes = append(scopes, "*."+parent+":"+port)
		}
		scopes = append(scopes, "*."+parent)
		domain = parent
	}
}

// Index finds the values that are attached to the most specific scope of an image. The zero value is empty and
// ready to use. Lookups may run at the same time as each other, but not as Add.
type Index[T any] struct {
	values map[Scope][]T
}

// Add attaches a value to a scope, behind those that it already has.
func (x *Index[T]) Add(scope Scope, value T) {
	if x.values == nil {
		x.values = make(map[Scope][]T)
	}
	x.values[scope] = append(x.values[scope], value)
}

// Lookup returns the values of the most specific scope that covers image and has any, in the order in which they
// were added, and that scope. The order in which scopes were added does not matter. The values must not be changed.
func (x *Index[T]) Lookup(image reference.Named) (values []T, scope string, ok bool) {
	for _, text := range ScopesOf(image) {
		if values, ok := x.values[Scope{text}]; ok {
			return values, text, true
		}
	}
	return nil, "", false
}
