// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package signature_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/verify"
)

// toy is a format that is as small as one can be: a signature is a JSON object with a
// statement, an Ed25519 signature of it and the fingerprint of the key; a key file is a JSON
// object with public keys. It shows all that a format has to bring along.
type toy struct{}

// toyKeyFilePrefix begins every key file.
const toyKeyFilePrefix = `{"toyKeys":`

// maxToySize bounds a signature and a key file, in bytes.
const maxToySize = 4096

// toySignature is the content of a signature.
type toySignature struct {
	Statement   []byte `json:"statement"`
	Signature   []byte `json:"signature"`
	Fingerprint string `json:"fingerprint"`
}

// toyStatement is what is signed.
type toyStatement struct {
	Digest  digest.Digest `json:"digest"`
	Name    string        `json:"name"`
	Created time.Time     `json:"created"`
}

// toyKeyFile is a file of public keys. They are the keys of one signer, whose keys change,
// if it says so, and else each is a signer of its own.
type toyKeyFile struct {
	Keys     []ed25519.PublicKey `json:"toyKeys"`
	OneOwner bool                `json:"oneOwner,omitempty"`
}

func (toy) Name() string    { return "toy" }
func (toy) Types() []string { return []string{"toy", "ToyV1"} }

func (s *toySignature) UnverifiedKeyID() string { return "0x" + s.Fingerprint }

func (toy) Parse(content []byte, _ *verify.Budget) (verify.Message, error) {
	s := &toySignature{}
	if len(content) > maxToySize || json.Unmarshal(content, s) != nil || len(s.Signature) != ed25519.SignatureSize {
		return nil, &verify.Error{Reason: assayv1alpha1.ReasonMalformedSignature, Detail: "the content is not a toy"}
	}
	return s, nil
}

func (toy) IsKeyFile(data []byte) bool { return bytes.HasPrefix(data, []byte(toyKeyFilePrefix)) }

func (f *toyKeyFile) Problems() []string { return nil }
func (f *toyKeyFile) Cost() int          { return len(f.Keys) }

func (toy) ParseKeyFile(data []byte) (verify.KeyFile, error) {
	file := &toyKeyFile{}
	if len(data) > maxToySize || json.Unmarshal(data, file) != nil {
		return &toyKeyFile{}, errors.New("the file does not hold toy keys")
	}
	for _, key := range file.Keys {
		if len(key) != ed25519.PublicKeySize {
			return &toyKeyFile{}, errors.New("a toy key has another size")
		}
	}
	return file, nil
}

func toyFingerprint(key ed25519.PublicKey) string { return fmt.Sprintf("%X", sha256.Sum256(key)) }

// toyTrust has the keys by their fingerprints.
type toyTrust map[string]toyTrusted

type toyTrusted struct {
	key ed25519.PublicKey
	id  verify.SignerID
}

func (toy) NewTrust(files []verify.NamedKeyFile) verify.Trust {
	trust := toyTrust{}
	for _, named := range files {
		file, ok := named.File.(*toyKeyFile)
		if !ok {
			continue
		}
		for _, key := range file.Keys {
			fingerprint := toyFingerprint(key)
			id := verify.SignerID{Entry: named.Entry}
			if !file.OneOwner {
				id.Key = fingerprint
			}
			// A key that several entries hold belongs to the first by name.
			if known, ok := trust[fingerprint]; !ok || id.Entry < known.id.Entry {
				trust[fingerprint] = toyTrusted{key: key, id: id}
			}
		}
	}
	return trust
}

func (t toyTrust) Len() int { return len(t) }

// Cost is what trying every key takes.
func (t toyTrust) Authenticate(m verify.Message, _ verify.Circumstances) (verify.Signed, error) {
	s, ok := m.(*toySignature)
	if !ok {
		return nil, errors.New("the message is no toy")
	}
	trusted, ok := t[s.Fingerprint]
	switch {
	case !ok:
		return nil, &verify.Error{
			Reason: assayv1alpha1.ReasonUntrustedKey, Detail: "the toy key is not trusted", UnknownKey: true, NeedsKey: true,
		}
	case !ed25519.Verify(trusted.key, s.Statement, s.Signature):
		return nil, &verify.Error{Reason: assayv1alpha1.ReasonInvalidSignature, Detail: "the toy signature is not valid"}
	}
	owner := verify.Entity{CommonName: trusted.id.Entry}
	return &toySigned{statement: s.Statement, signer: verify.Signer{
		ID: trusted.id, Fingerprints: []string{s.Fingerprint}, Subject: owner, Issuer: owner,
	}}, nil
}

func (t toyTrust) Keys(f verify.KeyFile, _ time.Time) (keys []verify.KeyStatus) {
	file, ok := f.(*toyKeyFile)
	if !ok {
		return nil
	}
	for _, key := range file.Keys {
		fingerprint := toyFingerprint(key)
		keys = append(keys, verify.KeyStatus{Fingerprint: fingerprint, Algorithm: "Ed25519", Unrevoked: []string{fingerprint}})
	}
	return keys
}

// toySigned is a signature by a trusted key.
type toySigned struct {
	statement []byte
	signer    verify.Signer
}

func (s *toySigned) Signer() *verify.Signer { return &s.signer }
func (s *toySigned) ValidUntil() time.Time  { return time.Time{} }

func (s *toySigned) Statement() (*verify.Statement, error) {
	var statement toyStatement
	if json.Unmarshal(s.statement, &statement) != nil || statement.Digest.Validate() != nil {
		return nil, errors.New("the statement is not that of a toy")
	}
	return &verify.Statement{
		Digest: statement.Digest, Name: statement.Name, Created: statement.Created,
		Claims: map[string]string{"digest": statement.Digest.String(), "name": statement.Name},
	}, nil
}
