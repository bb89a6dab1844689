// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"errors"
	"time"

	"github.com/opencontainers/go-digest"
)

// Format is a format of signatures: how one is parsed, what it means to trust a signer, and
// what a signed statement says. Implementations live below internal/signature, are
// stateless, and are registered there. They follow the rules of this package: no clock, no
// I/O, bounds before work, and the same result for the same input.
type Format interface {
	// Name is what messages and documents call the format.
	Name() string

	// Types are the values of signatures[].type that hold content of this format.
	Types() []string

	// Parse checks the form of a signature, within bounds and before any policy is looked
	// at. Nothing in the result is authenticated. It asks the budget before each heavy step:
	// one that takes many times as long as a usual signature. The error is an *Error.
	Parse(content []byte, budget *Budget) (Message, error)

	// IsKeyFile reports whether data looks like a file of public keys of this format, so
	// that a source of keys can be told apart by its content.
	IsKeyFile(data []byte) bool

	// ParseKeyFile reads a file of public keys. An error means that nothing in it can be
	// used, and the file has a cost all the same; what was skipped otherwise is in
	// KeyFile.Problems.
	ParseKeyFile(data []byte) (KeyFile, error)

	// NewTrust makes what a policy trusts from its key files. The order of files does not
	// matter. Files that another format has read are left out.
	NewTrust(files []NamedKeyFile) Trust
}

// Budget bounds the heavy steps that the signatures of one image may take together. The zero
// value allows none.
type Budget struct{ steps int }

// NewBudget returns what the signatures of one image may take together.
func NewBudget() *Budget { return &Budget{steps: maxHeavySteps} }

// Spend takes one heavy step from the budget, and reports whether there was one left.
func (b *Budget) Spend() bool {
	if b.steps == 0 {
		return false
	}
	b.steps--
	return true
}

// Message is a signature that was parsed. Nothing of it is authenticated.
type Message interface {
	// UnverifiedKeyID is the key that the content names as its maker: 0x and a fingerprint
	// or key ID in upper-case hexadecimal. Empty when none is named.
	UnverifiedKeyID() string
}

// KeyFile is a file of public keys that was parsed, or another entry of a policy that a format has
// made to be trusted, such as an identity. It is immutable.
type KeyFile interface {
	// Problems lists what was skipped while the file was read, bounded in number and length.
	Problems() []string

	// Cost is the processor time that parsing took, in microseconds by an estimate that is
	// the same for the same file.
	Cost() int
}

// NamedKeyFile is a key file with the entry of the policy that it belongs to.
type NamedKeyFile struct {
	Entry string
	File  KeyFile
}

// Trust is what one policy trusts in one format. It is immutable and safe for concurrent use.
type Trust interface {
	// Len is the number of signers. Without any, no signature can be authenticated.
	Len() int

	// Authenticate finds the trusted signer that made a message which the same format has
	// parsed. The error is an *Error.
	Authenticate(m Message, at Circumstances) (Signed, error)

	// Keys describes the keys of one of the files that the trust was made from, in a fixed
	// order, as all files together have them: a revocation in one file counts for the same
	// key in another.
	Keys(file KeyFile, now time.Time) []KeyStatus
}

// Circumstances are what, beside the content and the keys, decides whether a signature is
// accepted.
type Circumstances struct {
	// Now is the time at which keys and signatures are checked.
	Now time.Time
	// AcceptBeforeExpiry accepts signatures by expired keys that were made before the expiry.
	AcceptBeforeExpiry bool
	// Spend is asked for processor time, in microseconds by an estimate that is the same for the
	// same input, before each step that takes much of it. It reports whether the step may be done. Nil allows all.
	Spend func(microseconds int) bool
	// Digest of the image, empty when it is unknown. A signature that is for several images
	// states that it is for this one, if it is; that it is, the decision checks by itself.
	Digest digest.Digest
}

// Signed is a signature by a trusted signer. What it states is not parsed before Statement
// is called.
type Signed interface {
	// Signer is who made the signature.
	Signer() *Signer

	// ValidUntil is the earliest time at which the clock alone may change the result; zero
	// for never.
	ValidUntil() time.Time

	// Statement parses what was signed. The error says why it is not the statement that the
	// format asks for.
	Statement() (*Statement, error)
}

// SignerID identifies a signer within a policy: the entry of the policy and the key that
// matched. Signatures count as many times as their signers have different IDs. A format
// leaves Key empty where the entry stands for an identity whose keys change.
type SignerID struct {
	Entry, Key string
}

// Signer is who made a signature.
type Signer struct {
	ID SignerID

	// Fingerprints are the names by which issuedTo.publicKeyID may ask for the signer, in
	// upper-case hexadecimal. The first is the one that is reported.
	Fingerprints []string

	// Subject is who signed, and Issuer who vouches for that.
	Subject, Issuer Entity
}

// PublicKeyID is the signer's key as issuedTo.publicKeyID has it; empty when there is none.
func (s *Signer) PublicKeyID() string {
	if len(s.Fingerprints) == 0 {
		return ""
	}
	return "0x" + s.Fingerprints[0]
}

// Entity is a person, a program or an organization. Both names are escaped and bounded.
type Entity struct {
	CommonName, Organization string
}

// Statement is what a signature states about an image.
type Statement struct {
	// Digest of the image's manifest.
	Digest digest.Digest
	// Name is the signed docker-reference, empty when the format states none.
	Name string
	// Claims are all signed claims, flattened, bounded in number and length.
	Claims map[string]string
	// Created is when the signature was made; zero when the format does not say.
	Created time.Time
}

// KeyStatus describes a trusted key at a given time.
type KeyStatus struct {
	// Fingerprint in upper-case hexadecimal.
	Fingerprint string
	// UserID is whose key it is, escaped; empty when the format does not say.
	UserID string
	// Algorithm, for example Ed25519 or RSA-4096.
	Algorithm string
	// Created is zero when the format does not say.
	Created time.Time
	// Expires is when the key can no longer sign; zero for never.
	Expires time.Time
	// NextChange is the earliest time at which the clock alone changes the status; zero for never.
	NextChange time.Time
	// Err says why the key cannot verify signatures now; nil when it can.
	Err *Error
	// Revoked are the fingerprints, among the key and its subkeys, that a revocation names.
	// Unrevoked are those by which a signature can be as far as revocations go.
	Revoked, Unrevoked []string
}

// Error says why a signature is not accepted, or a key not usable. The same input gives the
// same Error.
type Error struct {
	// Reason is one of the constants in api/v1alpha1.
	Reason string

	// Detail is one clause for people: bounded, with no time and no unescaped remote text.
	Detail string

	// KeyID is what the content says about its key, as Message.UnverifiedKeyID has it.
	KeyID string

	// Unsupported: the algorithm or version is unknown, so that the signature could not be
	// checked. It is not refused.
	Unsupported bool

	// OverBudget: Parse was refused a heavy step, so that a larger budget may change the answer.
	OverBudget bool

	// UnknownKey: the key that made the signature is not among those that are trusted.
	UnknownKey bool

	// NeedsKey: a key that is missing, or a newer copy of one that is at hand, may change the
	// answer.
	NeedsKey bool

	// NotBefore is the time before which the clock alone cannot change the answer; zero when
	// it will not, or not predictably.
	NotBefore time.Time
}

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

// finding is what an error of a format means for a signature. An error of another type
// would be a refusal as well.
func (e *Error) finding() Finding {
	if e.Unsupported || e.OverBudget {
		return couldNotCheck(e.Reason, e.Detail)
	}
	return refused(e.Reason, e.Detail)
}

// asError returns the *Error that a format returned.
func asError(err error, reason string) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Reason: reason, Detail: "the content is malformed"}
}
