// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package simplesigning reads the signed payload of an atomic container signature, containers-signature(5):
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
// The document, critical, image and identity have exactly the members shown, all of them required, in any order.
// optional is a required object too, but may lack its members and have others, which no decision may rest on.
// Member names are case-sensitive and occur once (see package strictjson for what else makes a document ambiguous).
// The manual page leaves "duplicate member" and "integer" to the reader; here a duplicate is refused at every level
// and a timestamp is an integer if its value is one, however it is written: 1483228800, 1483228800.0 and
// 1.4832288e9 are the same.
//
// Two statements of a payload are left to others: whether the digest is that of the image, and whether the
// docker-reference (here any text of bounded length) is a reference and names the image (package identity).
//
// Only a payload whose signature was verified may be read: Parse is not a way to look into unverified content.
package simplesigning

import (
	"time"

	"github.com/opencontainers/go-digest"
)

// Bounds of a payload. Real payloads have less than 1 KiB, three levels and no member but those of the format.
const (
	// MaxSize is the largest payload in bytes. It leaves room for optional members of other tools; what a decision
	// rests on fits 2 KiB.
	MaxSize = 128 << 10
	// MaxDepth is how deep objects and arrays may be nested. The format has three levels; the rest is for values of
	// unknown optional members, and small enough for any reader that recurses.
	MaxDepth = 16
	// MaxMembers is how many members an object may have.
	MaxMembers = 256
	// MaxDockerReference is the longest docker-reference in bytes. A reference that can be parsed has a host of at
	// most 253 characters and a port, a path of 255, a tag of 128 and a digest of 135.
	MaxDockerReference = 1024
)

// signatureType is the only value of critical.type, compared exactly.
const signatureType = "atomic container signature"

// Payload is what one signature states. A Payload is not changed after Parse returned it.
type Payload struct {
	// ManifestDigest is critical.image.docker-manifest-digest: sha256, sha384 or sha512, in lower-case hexadecimal
	// digits of the algorithm's length.
	ManifestDigest digest.Digest
	// DockerReference is critical.identity.docker-reference exactly as it was signed: remote text of 1 to
	// MaxDockerReference bytes that need not be a reference.
	DockerReference string
	// Creator is optional.creator exactly as it was signed (remote text; Red Hat's ends with a blank), nil if
	// absent.
	Creator *string
	// Timestamp is optional.timestamp in seconds since the epoch, nil if absent. It may be outside of what RFC 3339
	// can say: see Created.
	Timestamp *int64
	// Claims are all members flattened for display, see the constants of this package for names and bounds. Values
	// are escaped: no control or format character of the payload is left in them.
	Claims map[string]string
}

// The years 0001 to 9999 are those that RFC 3339 can write, in seconds since the epoch.
const (
	minCreated = -62135596800 // 0001-01-01T00:00:00Z
	maxCreated = 253402300799 // 9999-12-31T23:59:59Z
)

// Created returns the timestamp claim in UTC. It is false when there is none, or when RFC 3339, in which Kubernetes
// writes times, cannot represent it; the payload is valid even so.
func (p *Payload) Created() (time.Time, bool) {
	if p.Timestamp == nil || *p.Timestamp < minCreated || *p.Timestamp > maxCreated {
		return time.Time{}, false
	}
	return time.Unix(*p.Timestamp, 0).UTC(), true
}

// Error says which member of a payload is not acceptable and why. Its text is bounded and deterministic; what it
// quotes from the payload is escaped and cut to 80 bytes.
type Error struct {
	// Member is the path of the member, such as "critical.image", or empty for the document as a whole.
	Member string
	// Problem is one clause.
	Problem string
}

// Error implements the error interface.
func (e *Error) Error() string {
	if e.Member == "" {
		return "signed payload: " + e.Problem
	}
	return "signed payload: " + e.Member + ": " + e.Problem
}
