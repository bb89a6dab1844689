// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/assay-project/assay/internal/pubkey"
)

// MaxLogs is the largest number of logs of one kind that a policy can name.
const MaxLogs = 64

// ID identifies a log: the SHA-256 digest of its SubjectPublicKeyInfo, or for the Ed25519 keys of
// Rekor version 2 that of its origin and key (C2SP signed-note).
type ID [sha256.Size]byte

// String returns the ID in lower-case hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads the bytes of a log ID.
func ParseID(b []byte) (ID, error) {
	var id ID
	if len(b) != len(id) {
		return id, fmt.Errorf("the log ID does not have %d bytes", len(id))
	}
	copy(id[:], b)
	return id, nil
}

// Period is a closed interval of time: both ends belong to it. A zero end is open.
type Period struct {
	Start, End time.Time
}

// Contains reports whether t is within the period.
func (p Period) Contains(t time.Time) bool {
	return (p.Start.IsZero() || !t.Before(p.Start)) && (p.End.IsZero() || !t.After(p.End))
}

// Log is a transparency log that is trusted.
type Log struct {
	ID  ID
	Key *pubkey.Key
	// Valid is when the log may have signed.
	Valid Period
	// Derived is true for a log of which only the key was configured, so that ID is that of its
	// SubjectPublicKeyInfo. A log with an Ed25519 key then answers to the ID of any origin.
	Derived bool
}

// NewLog returns a log of which only the key is known.
func NewLog(key *pubkey.Key) *Log {
	return &Log{ID: ID(key.ID()), Key: key, Derived: true}
}

// Find returns the log with an ID, or nil. The origin is what the entry's checkpoint claims, which
// the signature on the checkpoint has to confirm; it is empty when there is no checkpoint.
func Find(logs []*Log, id ID, origin string) *Log {
	for _, l := range logs {
		if l.ID == id || l.Derived && origin != "" && l.Key.Ed25519() != nil && noteID(origin, l.Key) == id {
			return l
		}
	}
	return nil
}

// noteID is the ID of an Ed25519 key in signed notes: the first bytes of it are the key hash that
// signature lines carry.
func noteID(name string, key *pubkey.Key) ID {
	var b bytes.Buffer
	b.WriteString(name)
	b.WriteString("\n\x01") // 0x01: Ed25519
	b.Write(key.Ed25519())
	return sha256.Sum256(b.Bytes())
}

// Proof is what the log's tree says about an entry.
type Proof struct {
	// Index of the entry in the tree, and the size of the tree.
	Index, Size int64
	// Root is the hash of the whole tree, Hashes the path to it.
	Root   [sha256.Size]byte
	Hashes [][sha256.Size]byte
	// Checkpoint is the text that the log signed.
	Checkpoint *Checkpoint
}

// Entry is an entry of a log as a signature carries it. Nothing of it can be trusted before Verify.
type Entry struct {
	LogID ID
	// Index is the entry's number in the log, over all of the log's trees. It is verified if the entry
	// has a promise, and for Rekor version 2, whose logs have one tree.
	Index int64
	// IntegratedTime is when the log says that it took the entry, in seconds since the epoch. It is
	// signed by the promise alone.
	IntegratedTime int64
	// Body is the canonical entry.
	Body *Body
	// Promise is the signed entry timestamp, nil if there is none.
	Promise []byte
	// Proof is nil if there is none.
	Proof *Proof
}

// Errors of Verify. Their text is one clause.
var (
	ErrNoEvidence = errors.New("the log entry has neither a promise nor a proof")
	ErrPromise    = errors.New("the signed entry timestamp is not by the log, or is for another entry")
	ErrCheckpoint = errors.New("the checkpoint is not signed by the log")
	ErrRoot       = errors.New("the proof is for another tree than the checkpoint")
	ErrInclusion  = errors.New("the proof does not lead from the entry to the root of the tree")
	ErrV2Proof    = errors.New("an entry of Rekor version 2 needs a proof")
	ErrV2Promise  = errors.New("an entry of Rekor version 2 cannot have a promise")
	ErrV2Index    = errors.New("an entry of Rekor version 2 has the index of its proof")
)

// Verify checks everything that the entry carries against the log, which must be the one that
// Find returned for it. It returns the time at which the log took the entry, or the zero time when
// no promise confirms it. The caller still has to compare the body with the signature, and the
// log's validity with the trusted time.
func (e *Entry) Verify(l *Log) (time.Time, error) {
	switch {
	case e.Body.V2() && e.Promise != nil:
		return time.Time{}, ErrV2Promise
	case e.Body.V2() && e.Proof == nil:
		return time.Time{}, ErrV2Proof
	case e.Body.V2() && e.Index != e.Proof.Index:
		return time.Time{}, ErrV2Index
	case e.Promise == nil && e.Proof == nil:
		return time.Time{}, ErrNoEvidence
	}
	if e.Proof != nil {
		if err := e.verifyProof(l); err != nil {
			return time.Time{}, err
		}
	}
	if e.Promise == nil {
		return time.Time{}, nil
	}
	if !l.Key.Verify(e.promised(), e.Promise) {
		return time.Time{}, ErrPromise
	}
	return time.Unix(e.IntegratedTime, 0).UTC(), nil
}

func (e *Entry) verifyProof(l *Log) error {
	p := e.Proof
	if !p.Checkpoint.signedBy(l, e.LogID, e.Body.V2()) {
		return ErrCheckpoint
	}
	if p.Checkpoint.Size != p.Size || p.Checkpoint.Root != p.Root {
		return ErrRoot
	}
	if !Included(LeafHash(e.Body.raw), p.Index, p.Size, p.Root, p.Hashes) {
		return ErrInclusion
	}
	return nil
}

// Origin returns the origin that the entry's checkpoint claims, empty if there is none.
func (e *Entry) Origin() string {
	if e.Proof == nil {
		return ""
	}
	return e.Proof.Checkpoint.Origin
}

// Signatures returns how many signatures of the log Verify checks at most.
func (e *Entry) Signatures() int {
	n := 0
	if e.Promise != nil {
		n++
	}
	if e.Proof != nil {
		n++
	}
	return n
}

// Indexed reports whether Verify confirms the entry's index.
func (e *Entry) Indexed() bool { return e.Promise != nil || e.Body.V2() }
