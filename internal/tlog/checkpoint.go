// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Bounds of a checkpoint.
const (
	// MaxCheckpoint is the largest checkpoint in bytes. Those of Rekor have less than 300, and each
	// witness adds some 120.
	MaxCheckpoint = 16 << 10
	// maxCheckpointLines and maxSignatureLines bound the two parts of a checkpoint.
	maxCheckpointLines = 16
	maxSignatureLines  = 64
	// keyHashSize is the length of the key hash in front of a signature.
	keyHashSize = 4
)

// Checkpoint is a signed note in which a log states the size and the root hash of its tree. Nothing
// of it can be trusted until a signature was verified.
type Checkpoint struct {
	// Origin identifies the log. Rekor version 1 writes a host name, " - " and the tree's ID.
	Origin string
	Size   int64
	Root   [sha256.Size]byte

	text       string // what is signed, with the final line feed
	signatures []noteSignature
}

// noteSignature is one signature line of a note.
type noteSignature struct {
	name      string
	keyHash   [keyHashSize]byte
	signature []byte
}

// ParseCheckpoint reads a checkpoint (C2SP tlog-checkpoint): three lines or more, an empty one, and
// one signature line or more.
func ParseCheckpoint(note string) (*Checkpoint, error) {
	const signaturePrefix = "— "
	if len(note) > MaxCheckpoint {
		return nil, fmt.Errorf("the checkpoint is larger than %d bytes", MaxCheckpoint)
	}
	text, tail, ok := strings.Cut(note, "\n\n")
	if !ok || strings.IndexFunc(note, isControl) >= 0 || !strings.HasPrefix(tail, signaturePrefix) || !strings.HasSuffix(tail, "\n") {
		return nil, errors.New("the checkpoint is not a signed note")
	}
	c := &Checkpoint{text: text + "\n"}
	if err := c.parseText(text); err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(tail, "\n"), "\n")
	if len(lines) > maxSignatureLines {
		return nil, fmt.Errorf("the checkpoint has more than %d signatures", maxSignatureLines)
	}
	for _, line := range lines {
		rest, ok := strings.CutPrefix(line, signaturePrefix)
		name, encoded, spaced := strings.Cut(rest, " ")
		raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if !ok || !spaced || !isKeyName(name) || err != nil || len(raw) <= keyHashSize {
			return nil, errors.New("a signature line of the checkpoint is malformed")
		}
		s := noteSignature{name: name, signature: raw[keyHashSize:]}
		copy(s.keyHash[:], raw)
		c.signatures = append(c.signatures, s)
	}
	return c, nil
}

// isControl reports whether a character cannot be in a note.
func isControl(r rune) bool { return r < ' ' && r != '\n' }

// isKeyName reports whether a signature line can begin with a name.
func isKeyName(name string) bool {
	return name != "" && !strings.ContainsRune(name, '+') && strings.IndexFunc(name, unicode.IsSpace) < 0
}

// parseText reads the part of a checkpoint that is signed.
func (c *Checkpoint) parseText(text string) error {
	lines := strings.Split(text, "\n")
	if len(lines) < 3 || len(lines) > maxCheckpointLines {
		return fmt.Errorf("the checkpoint does not have 3 to %d lines", maxCheckpointLines)
	}
	if lines[0] == "" {
		return errors.New("the checkpoint has no origin")
	}
	c.Origin = lines[0]
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return errors.New("the checkpoint's tree size is not a decimal number")
	}
	c.Size = int64(size)
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != len(c.Root) {
		return errors.New("the checkpoint's root hash is not 32 bytes of base64")
	}
	copy(c.Root[:], root)
	return nil
}

// signedBy reports whether the log that an entry names has signed the checkpoint, and every signature
// in its name by its key is right. Other signatures, of witnesses and of keys that nobody knows, do
// not count and do no harm.
func (c *Checkpoint) signedBy(l *Log, entryLog ID, v2 bool) bool {
	signed := false
	for _, s := range c.signatures {
		if [keyHashSize]byte(entryLog[:keyHashSize]) != s.keyHash || !c.names(s.name, v2) {
			continue
		}
		if !l.Key.Verify([]byte(c.text), s.signature) {
			return false
		}
		signed = true
	}
	return signed
}

// names reports whether a signature's name is that of the checkpoint's origin: the same for Rekor
// version 2; version 1 appends the ID of the tree to the origin.
func (c *Checkpoint) names(name string, v2 bool) bool {
	if c.Origin == name {
		return true
	}
	return !v2 && strings.HasPrefix(c.Origin, name+" - ")
}
