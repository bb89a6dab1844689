// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/assay-project/assay/internal/strictjson"
)

// payloadType is the only value of critical.type, compared exactly.
const payloadType = "cosign container image signature"

// maxReference is the longest docker-reference in bytes. A reference that can be parsed has a host of
// at most 253 characters and a port, a path of 255, a tag of 128 and a digest of 135.
const maxReference = 1024

// Statement is what a signature says about one image.
type Statement struct {
	// Name is the docker-reference, or the name of an in-toto subject, exactly as it was signed:
	// remote text of at most 1024 bytes that need not be a reference. Empty if none is stated.
	Name string
	// Digests of the manifest: an algorithm, a colon, and lower-case hexadecimal digits. At least one
	// of sha256, sha384 and sha512.
	Digests []string
}

// digestHashes maps the algorithms of digests.
var digestHashes = map[string]crypto.Hash{
	"sha256": crypto.SHA256,
	"sha384": crypto.SHA384,
	"sha512": crypto.SHA512,
}

// digestNames is the opposite of digestHashes.
var digestNames = map[crypto.Hash]string{
	crypto.SHA256: "sha256",
	crypto.SHA384: "sha384",
	crypto.SHA512: "sha512",
}

// digestText returns a digest as it is written.
func digestText(hash crypto.Hash, digest []byte) string {
	return digestNames[hash] + ":" + hex.EncodeToString(digest)
}

// validDigest reports whether digits are those of a digest by the algorithm.
func validDigest(algorithm, digits string) bool {
	hash, ok := digestHashes[algorithm]
	if !ok || len(digits) != 2*hash.Size() {
		return false
	}
	return strings.IndexFunc(digits, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'f')
	}) < 0
}

// payloadReader reads the payload of cosign: containers-signature(5) with a type of its own, and an
// optional member that may be null.
type payloadReader struct {
	*strictjson.Decoder
	claims    *claims
	statement Statement
}

// parsePayload reads an authenticated payload and adds what it says to the claims.
func parsePayload(payload []byte, c *claims) ([]Statement, *Error) {
	r := &payloadReader{claims: c}
	err := strictjson.Parse(payload, contentLimits, func(d *strictjson.Decoder) error {
		r.Decoder = d
		return r.exactly("the payload", strictjson.Fields{"critical": r.critical, "optional": r.optional})
	})
	if err != nil {
		return nil, fail(MalformedPayload, "signed payload: "+err.Error())
	}
	return []Statement{r.statement}, nil
}

// exactly reads an object that has all of the members and no other.
func (r *payloadReader) exactly(what string, members strictjson.Fields) error {
	seen := 0
	err := r.Object(func(name string) error {
		read, ok := members[name]
		if !ok {
			return errors.New(what + " has an unknown member " + strictjson.Quote(name))
		}
		seen++
		return read()
	})
	if err == nil && seen != len(members) {
		return errors.New(what + " lacks a member")
	}
	return err
}

func (r *payloadReader) critical() error {
	return r.exactly("critical", strictjson.Fields{
		"type": func() error {
			text, err := r.String()
			if err == nil && text != payloadType {
				return fmt.Errorf("critical.type is %s and not %q", strictjson.Quote(text), payloadType)
			}
			r.claims.add("critical.type", text)
			return err
		},
		"image": func() error {
			return r.exactly("critical.image", strictjson.Fields{"docker-manifest-digest": r.digest})
		},
		"identity": func() error {
			return r.exactly("critical.identity", strictjson.Fields{"docker-reference": r.reference})
		},
	})
}

func (r *payloadReader) digest() error {
	text, err := r.String()
	if err != nil {
		return err
	}
	algorithm, digits, _ := strings.Cut(text, ":")
	if !validDigest(algorithm, digits) {
		return errors.New("critical.image.docker-manifest-digest is no digest by sha256, sha384 or sha512")
	}
	r.statement.Digests = []string{text}
	r.claims.add("critical.image.docker-manifest-digest", text)
	return nil
}

func (r *payloadReader) reference() error {
	text, err := r.String()
	if err != nil {
		return err
	}
	if text == "" || len(text) > maxReference {
		return fmt.Errorf("critical.identity.docker-reference does not have 1 to %d bytes", maxReference)
	}
	r.statement.Name = text
	r.claims.add("critical.identity.docker-reference", text)
	return nil
}

// optional reads what a signer may add. cosign writes null where there is nothing.
func (r *payloadReader) optional() error {
	if r.Kind() == strictjson.Null {
		return r.Skip()
	}
	return r.Object(func(name string) error { return r.claims.addValue("optional."+name, r.Decoder) })
}
