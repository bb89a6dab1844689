// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package simplesigning parses the signed payload of an atomic container signature,
// containers-signature(5):
//
//	{
//	  "critical": {
//	    "type": "atomic container signature",
//	    "image": {"docker-manifest-digest": "sha256:…"},
//	    "identity": {"docker-reference": "registry.example.com/team/app:v1"}
//	  },
//	  "optional": {"creator": "atomic 2.0.0", "timestamp": 1483228800}
//	}
//
// The document, critical, image and identity have exactly the members shown, all of them required,
// in any order. optional is also required, but its members are not, and it may have others, which
// must not influence decisions. Member names are case-sensitive and occur once (see package
// strictjson for other ambiguities). The manual page does not define "duplicate member" and
// "integer". This package refuses duplicates at every level, and accepts a timestamp if its value
// is an integer in any notation: 1483228800, 1483228800.0 and 1.4832288e9 are the same.
//
// Callers check two statements of a payload: that the digest is that of the image, and that the
// docker-reference (here any text of bounded length) is a reference and names the image (package
// imageref).
//
// Callers must verify the signature before they parse a payload: Parse is not a way to inspect
// unverified content.
package simplesigning

import (
	"time"

	"github.com/opencontainers/go-digest"
)

// Bounds of a payload. Real payloads have less than 1 KiB, three levels and only the members of the
// format.
const (
	// MaxSize is the maximum size of a payload in bytes. It leaves room for optional members of
	// other tools; the required members fit into 2 KiB.
	MaxSize = 128 << 10
	// MaxDepth is the maximum nesting of objects and arrays. The format has three levels; the rest
	// is for values of unknown optional members, and small enough for any recursive reader.
	MaxDepth = 16
	// MaxMembers is the maximum number of members of an object.
	MaxMembers = 256
	// MaxDockerReference is the maximum length of a docker-reference in bytes. A valid reference
	// has a host of at most 253 characters and a port, a path of 255, a tag of 128 and a digest of
	// 135.
	MaxDockerReference = 1024
)

// signatureType is the only value of critical.type, compared exactly.
const signatureType = "atomic container signature"

// Payload is the statement of one signature. It is immutable.
type Payload struct {
	// ManifestDigest is critical.image.docker-manifest-digest: sha256, sha384 or sha512, in
	// lower-case hexadecimal digits of the algorithm's length.
	ManifestDigest digest.Digest
	// DockerReference is critical.identity.docker-reference exactly as signed: untrusted text of 1
	// to MaxDockerReference bytes that need not be a reference.
	DockerReference string
	// Creator is optional.creator exactly as signed (untrusted text; Red Hat's ends with a space),
	// nil if absent.
	Creator *string
	// Timestamp is optional.timestamp in seconds since the epoch, nil if absent. It may be outside
	// the range of RFC 3339: see Created.
	Timestamp *int64
	// Claims are all members, flattened for display; see the constants of this package for names
	// and bounds. Names and values are escaped: they have no control or format characters.
	Claims map[string]string
}

// The range of RFC 3339, the years 0001 to 9999, in seconds since the epoch.
const (
	minCreated = -62135596800 // 0001-01-01T00:00:00Z
	maxCreated = 253402300799 // 9999-12-31T23:59:59Z
)

// Created returns the timestamp claim in UTC. It returns false if there is none, or if RFC 3339,
// the time format of Kubernetes, cannot represent it; the payload is valid nevertheless.
func (p *Payload) Created() (time.Time, bool) {
	if p.Timestamp == nil || *p.Timestamp < minCreated || *p.Timestamp > maxCreated {
		return time.Time{}, false
	}
	return time.Unix(*p.Timestamp, 0).UTC(), true
}

// Error is the reason why a payload is refused. Its text is bounded and deterministic; quotes from
// the payload are escaped and truncated to 80 bytes.
type Error struct {
	// Member is the path of the member, such as "critical.image", or empty for the document as a
	// whole.
	Member string
	// Detail is one clause.
	Detail string
}

// Error implements the error interface.
func (e *Error) Error() string {
	if e.Member == "" {
		return "signed payload: " + e.Detail
	}
	return "signed payload: " + e.Member + ": " + e.Detail
}
