// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package imageref compares the name that a signature speaks of with the name of an image, and finds the policies
// that a name is subject to. Both follow containers-policy.json(5).
//
// # Names
//
// Every reference is normalised first, as container tools do: busybox is docker.io/library/busybox, index.docker.io
// is docker.io. No default tag is added: busybox has no tag, and is not busybox:latest.
//
// # Canonical names
//
// A node pulls the same image by many spellings of its name, of which policies and admission must see one. Canonical
// returns it:
//
//	host     lower case; docker.io for the other hosts of Docker Hub; IPv4 addresses as four decimal numbers, IPv6
//	         addresses as in RFC 5952, not those that are IPv4 addresses mapped into IPv6
//	port     without leading zeros, and none for 443, the default of HTTPS; a host without dots other than localhost
//	         keeps it, because registry/app is docker.io/registry/app
//	path     library/ in front of a single component on docker.io
//
// ParseImage refuses what has no such form. Scopes are written in it. ScopesOf brings images into it, and so does the
// allowlist. Identities are not: containers-policy.json(5) compares them as text, and example.com, example.com:443 and
// EXAMPLE.COM are three names there.
//
// Port 80 is a port like others: a node speaks HTTPS to it. A node that is configured to speak HTTP to a registry
// reaches the same one by its name with port 80 and without a port, though. So an image under the former that no scope
// with the port covers is in the scopes of the latter.
//
// # Identities
//
// A Matcher is one of the six signedIdentity rules:
//
//	MatchExact              the references are equal and have a tag or digest; with both, both are equal
//	MatchRepoDigestOrExact  an image with a tag: as MatchExact; an image with a digest: the same repository, not a bare
//	                        name (the signed digest is compared elsewhere, with the image); an image with both: the
//	                        same repository, and the tag and digest that the signed reference states, if any
//	MatchRepository         the same repository; tags and digests do not count
//	ExactReference          the signed reference equals the configured one; what the image is called does not count
//	ExactRepository         the signed repository equals the configured one; what the image is called does not count
//	RemapIdentity           a prefix of the image's name is replaced, then as MatchRepoDigestOrExact
//
// # Scopes
//
// A Scope is what policies are attached to. From the most specific on:
//
//	registry.example.com:5000/team/app:v1      one reference, by tag or by digest
//	registry.example.com:5000/team/app         a repository, and every repository below it
//	registry.example.com:5000/team             a namespace: every repository below it
//	registry.example.com:5000                  a registry
//	*.example.com:5000                         every registry on that port below a domain
//	*.example.com                              every registry below a domain, on any port
//
// An image that has a tag and a digest is pulled by its digest, and its author could have put any
// tag before it. Its exact scope is therefore the one of its digest, and its tag selects no policy.
//
// Scopes have one spelling, the canonical one, and are found whichever way an image spells its name.
package imageref

import (
	// Digests in references are valid if their algorithm is linked in: which are must not
	// depend on who imports this package.
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/safetext"
)

// MaxReference is the longest reference in bytes: a host has at most 253 characters and a port, a path 255, a tag
// 128 and a digest 135.
const MaxReference = 1024

// maxQuoted is how many bytes of a reference a message quotes: enough for a digest behind a name of usual length.
const maxQuoted = 200

// ParseImage parses a reference and normalises it: name, name:tag, name@digest or name:tag@digest, where the name
// may be a short one. No tag is added, and the name is not made canonical. What is returned has a canonical form. The
// error's text is bounded and quotes the reference escaped.
func ParseImage(ref string) (reference.Named, error) {
	if len(ref) > MaxReference {
		return nil, fmt.Errorf("an image reference is longer than %d bytes", MaxReference)
	}
	if isImageID(ref) {
		return nil, fmt.Errorf("%s is the ID of an image, not a name", quote(ref))
	}
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return nil, fmt.Errorf("%s is not an image reference: %s", quote(ref), whyInvalid(ref, err))
	}
	// Package reference takes a host that is none, such as my_host.example.com, for the first component of a path
	// and returns a name without a host. Other programs pull from it as a host.
	if reference.Domain(named) == "" {
		return nil, fmt.Errorf("%s is not an image reference: its host is not a host name or address%s", quote(ref), underscore(ref))
	}
	if _, err := Canonical(named); errors.Is(err, reference.ErrNameTooLong) {
		return nil, fmt.Errorf("%s is not an image reference: %s", quote(ref), whyInvalid(ref, err))
	} else if err != nil {
		return nil, fmt.Errorf("%s is not an image reference: %w", quote(ref), err)
	}
	return named, nil
}

// isImageID reports whether a reference is what container runtimes take for the ID of an image that a node has, whole
// or cut short, before they take it for a name.
func isImageID(ref string) bool {
	algorithm, _, ok := strings.Cut(ref, ":")
	if ok && !strings.Contains(ref, "/") {
		return digest.Algorithm(algorithm).Available()
	}
	return len(ref) == 64 && strings.Trim(ref, "0123456789abcdef") == ""
}

// underscore explains the usual reason why a host is none.
func underscore(ref string) string {
	if host, _, _ := strings.Cut(ref, "/"); strings.Contains(host, "_") {
		return ": host names have no underscore"
	}
	return ""
}

// whyInvalid says in words of ours what is wrong with a reference: some errors of package reference quote it as it
// is.
func whyInvalid(ref string, err error) string {
	name, _, _ := strings.Cut(ref, "@")
	switch {
	case ref == "":
		return "it is empty"
	case errors.Is(err, reference.ErrNameTooLong):
		return fmt.Sprintf("the path is longer than %d characters", reference.RepositoryNameTotalLengthMax)
	case strings.Contains(ref, "://"):
		return "it starts with a scheme"
	case name != ref && isReference(name):
		return "the digest is not sha256, sha384 or sha512 with as many lower-case hexadecimal digits as it takes"
	case isReference(strings.ToLower(ref)):
		return "the repository name has upper-case letters"
	default:
		return "want [host[:port]/]path[:tag][@digest]"
	}
}

func isReference(s string) bool {
	_, err := reference.ParseNormalizedNamed(s)
	return err == nil
}

// quote quotes remote text for a message, as [safetext.Quote] does.
func quote(s string) string { return safetext.Quote(s, maxQuoted) }

// isHost reports whether the first component of a name is a host and not part of a path on docker.io.
func isHost(component string) bool {
	return component == "localhost" || strings.ContainsAny(component, ".:") || strings.ToLower(component) != component
}

// fullName returns how to write a name that leaves out docker.io or calls it by its former name, and false if the
// name is written in full. It is for hosts, namespaces and repositories without tag and digest.
func fullName(name string) (string, bool) {
	host, path, hasPath := strings.Cut(name, "/")
	switch {
	case !isHost(host) && !hasPath:
		return dockerHub + "/" + officialImages + name, true
	case !isHost(host):
		return dockerHub + "/" + name, true
	case host == "index.docker.io":
		return strings.TrimSuffix(dockerHub+"/"+path, "/"), true
	default:
		return "", false
	}
}
