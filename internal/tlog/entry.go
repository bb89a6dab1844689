// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/assay-project/assay/internal/strictjson"
)

// maxTime is the last second that RFC 3339, in which Kubernetes writes times, can express.
const maxTime = 253402300799

// maxPromise bounds a promise in bytes: a signature by an RSA key of 8192 bits has 1024.
const maxPromise = 1024

var promiseLimits = strictjson.Limits{Size: 2 * MaxBody, Depth: 3, Members: 8}

// ParseEntry reads an entry as sigstore bundles write it, a TransparencyLogEntry in the JSON form of
// protocol buffers (sigstore_rekor.proto).
func ParseEntry(d *strictjson.Decoder) (*Entry, error) {
	e := &Entry{}
	var id, raw []byte
	var kind, version string
	indexed := false
	err := d.Known(strictjson.Fields{
		"logIndex": func() error {
			indexed = true
			return integer(d, &e.Index)
		},
		"logId": func() error {
			return d.Known(strictjson.Fields{"keyId": base64Bytes(d, &id)})
		},
		"kindVersion": func() error {
			return d.Known(strictjson.Fields{"kind": text(d, &kind), "version": text(d, &version)})
		},
		"integratedTime": func() error { return integer(d, &e.IntegratedTime) },
		"inclusionPromise": func() error {
			return d.Known(strictjson.Fields{"signedEntryTimestamp": base64Bytes(d, &e.Promise)})
		},
		"inclusionProof":    func() error { return e.parseProof(d) },
		"canonicalizedBody": base64Bytes(d, &raw),
	})
	if err != nil {
		return nil, err
	}
	// Protocol buffers leave out a number that is 0.
	if !indexed && e.Proof != nil && e.Proof.Index != 0 {
		return nil, errors.New("the log entry has no index")
	}
	if err := e.finish(id, raw); err != nil {
		return nil, err
	}
	if e.Body.Kind != kind || e.Body.Version != version {
		return nil, errors.New("the log entry is of another kind than the bundle says")
	}
	return e, nil
}

// ParsePromise reads the annotation dev.sigstore.cosign/bundle of a signature of cosign: an entry
// with a promise and without a proof. All members are required, and there are no others.
func ParsePromise(annotation []byte) (*Entry, error) {
	e := &Entry{}
	var raw []byte
	var id string
	seen := 0
	once := func(read func() error) func() error {
		return func() error {
			seen++
			return read()
		}
	}
	err := strictjson.Parse(annotation, promiseLimits, func(d *strictjson.Decoder) error {
		return d.Known(strictjson.Fields{
			"SignedEntryTimestamp": once(base64Lines(d, &e.Promise)),
			"Payload": once(func() error {
				return d.Known(strictjson.Fields{
					"body":           once(base64Lines(d, &raw)),
					"integratedTime": once(number(d, &e.IntegratedTime)),
					"logIndex":       once(number(d, &e.Index)),
					"logID":          once(text(d, &id)),
				})
			}),
		})
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("log entry: %w", err)
	case seen != 6 || len(e.Promise) == 0:
		return nil, errors.New("log entry: a member is missing")
	}
	idBytes, err := hex.DecodeString(id)
	if err != nil || id != strings.ToLower(id) {
		return nil, errors.New("log entry: the log ID is not in lower-case hexadecimal digits")
	}
	if err := e.finish(idBytes, raw); err != nil {
		return nil, err
	}
	return e, nil
}

// finish checks and sets what both forms of an entry have in common.
func (e *Entry) finish(id, raw []byte) (err error) {
	if e.LogID, err = ParseID(id); err != nil {
		return err
	}
	switch {
	case e.Index < 0:
		return errors.New("the log entry's index is negative")
	case e.IntegratedTime < 0 || e.IntegratedTime > maxTime:
		return errors.New("the log entry's time is out of range")
	case len(e.Promise) > maxPromise:
		return fmt.Errorf("the signed entry timestamp is larger than %d bytes", maxPromise)
	}
	if len(e.Promise) == 0 {
		e.Promise = nil
	}
	e.Body, err = ParseBody(raw)
	return err
}

func (e *Entry) parseProof(d *strictjson.Decoder) error {
	p := &Proof{}
	var root []byte
	var note string
	err := d.Known(strictjson.Fields{
		"logIndex": func() error { return integer(d, &p.Index) },
		"rootHash": base64Bytes(d, &root),
		"treeSize": func() error { return integer(d, &p.Size) },
		"hashes": func() error {
			return d.Elements(MaxProof, func() error {
				var hash []byte
				if err := base64Bytes(d, &hash)(); err != nil {
					return err
				}
				p.Hashes = append(p.Hashes, [len(p.Root)]byte{})
				return fixed(p.Hashes[len(p.Hashes)-1][:], hash)
			})
		},
		"checkpoint": func() error {
			return d.Known(strictjson.Fields{"envelope": text(d, &note)})
		},
	})
	if err != nil {
		return err
	}
	if err := fixed(p.Root[:], root); err != nil {
		return err
	}
	if note == "" {
		return errors.New("the proof has no checkpoint")
	}
	if p.Checkpoint, err = ParseCheckpoint(note); err != nil {
		return err
	}
	e.Proof = p
	return nil
}

// fixed copies a hash into its place.
func fixed(to, hash []byte) error {
	if len(hash) != len(to) {
		return fmt.Errorf("a hash of the proof does not have %d bytes", len(to))
	}
	copy(to, hash)
	return nil
}

// integer reads a number that may be written as a string.
func integer(d *strictjson.Decoder, to *int64) (err error) {
	*to, err = d.Integer()
	return err
}

// number returns what reads a number that must not be written as a string.
func number(d *strictjson.Decoder, to *int64) func() error {
	return func() error {
		if d.Kind() != strictjson.Number {
			_, err := d.Number()
			return err
		}
		return integer(d, to)
	}
}

// base64Lines returns what reads base64 that may be broken into lines.
func base64Lines(d *strictjson.Decoder, to *[]byte) func() error {
	return func() (err error) {
		*to, err = d.Base64Lines()
		return err
	}
}
