// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstoretest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Log is a transparency log of any kind.
type Log struct {
	Key    crypto.Signer
	ID     []byte
	Origin string
	// Index is the index that promises state, which is not that in the tree.
	Index int64
}

func newLog(t testing.TB, key crypto.Signer, origin string) *Log {
	t.Helper()
	l := &Log{Key: key, Origin: origin, Index: 1000, ID: Digest(crypto.SHA256, SPKI(t, key))}
	if public, ok := key.Public().(ed25519.PublicKey); ok {
		l.ID = Digest(crypto.SHA256, append([]byte(origin+"\n\x01"), public...))
	}
	return l
}

// NewLog makes a log with a key.
func NewLog(t testing.TB, key crypto.Signer, origin string) *Log {
	t.Helper()
	return newLog(t, key, origin)
}

// Promise returns a signed entry timestamp for a body.
func (l *Log) Promise(t testing.TB, body []byte) []byte {
	t.Helper()
	return Sign(t, l.Key, fmt.Appendf(nil, `{"body":%q,"integratedTime":%d,"logID":%q,"logIndex":%d}`,
		Base64(body), Time.Unix(), hex.EncodeToString(l.ID), l.Index))
}

// CosignBundle returns the annotation by which cosign states an entry and its promise.
func (l *Log) CosignBundle(t testing.TB, body []byte) Object {
	t.Helper()
	return Object{
		"SignedEntryTimestamp": Base64(l.Promise(t, body)),
		"Payload": Object{
			"body": Base64(body), "integratedTime": Time.Unix(), "logIndex": l.Index, "logID": hex.EncodeToString(l.ID),
		},
	}
}

// Entry returns an entry as bundles state it: with a proof, and from Rekor version 1 with a promise.
func (l *Log) Entry(t testing.TB, body []byte) Object {
	t.Helper()
	var kind struct{ Kind, APIVersion string }
	check(t, json.Unmarshal(body, &kind))
	entry := Object{
		"logIndex": fmt.Sprint(l.Index), "logId": Object{"keyId": Base64(l.ID)},
		"kindVersion":       Object{"kind": kind.Kind, "version": kind.APIVersion},
		"canonicalizedBody": Base64(body), "inclusionProof": l.Proof(t, body, 5, 8),
	}
	if _, v2 := l.Key.(ed25519.PrivateKey); v2 {
		entry["logIndex"] = "5"
	} else {
		entry["integratedTime"] = fmt.Sprint(Time.Unix())
		entry["inclusionPromise"] = Object{"signedEntryTimestamp": Base64(l.Promise(t, body))}
	}
	return entry
}

// Proof returns a proof for a body as leaf of a tree.
func (l *Log) Proof(t testing.TB, body []byte, index, size int) Object {
	t.Helper()
	leaves := make([][]byte, size)
	for i := range leaves {
		leaves[i] = fmt.Appendf(nil, "leaf %d", i)
	}
	leaves[index] = body
	hashes := []string{}
	for _, hash := range Path(index, leaves) {
		hashes = append(hashes, Base64(hash))
	}
	root := Base64(TreeHash(leaves))
	return Object{
		"logIndex": fmt.Sprint(index), "treeSize": fmt.Sprint(size), "rootHash": root, "hashes": hashes,
		"checkpoint": Object{"envelope": l.Checkpoint(t, fmt.Sprintf("%s\n%d\n%s\n", l.Origin, size, root))},
	}
}

// Checkpoint signs the text of a checkpoint.
func (l *Log) Checkpoint(t testing.TB, text string) string {
	t.Helper()
	name, _, _ := strings.Cut(l.Origin, " - ")
	return text + "\n" + NoteSignature(name, l.ID, Sign(t, l.Key, []byte(text)))
}

// NoteSignature is a signature line of a note.
func NoteSignature(name string, id, signature []byte) string {
	return "— " + name + " " + Base64(append(id[:4:4], signature...)) + "\n"
}

// TreeHash is the root hash of a tree (RFC 9162 section 2.1.1).
func TreeHash(leaves [][]byte) []byte {
	if len(leaves) == 1 {
		return Digest(crypto.SHA256, append([]byte{0}, leaves[0]...))
	}
	k := split(len(leaves))
	return Digest(crypto.SHA256, append(append([]byte{1}, TreeHash(leaves[:k])...), TreeHash(leaves[k:])...))
}

// Path is the path from a leaf to the root (RFC 9162 section 2.1.3.1).
func Path(index int, leaves [][]byte) [][]byte {
	if len(leaves) == 1 {
		return nil
	}
	k := split(len(leaves))
	if index < k {
		return append(Path(index, leaves[:k]), TreeHash(leaves[k:]))
	}
	return append(Path(index-k, leaves[k:]), TreeHash(leaves[:k]))
}

// split returns the greatest power of two that is less than n.
func split(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}

// body returns an entry of a kind.
func body(t testing.TB, kind, version string, spec Object) []byte {
	t.Helper()
	return JSON(t, Object{"kind": kind, "apiVersion": version, "spec": spec})
}

// HashedRekord1 is an entry of Rekor version 1 for a signature over a message. verifier is PEM.
func HashedRekord1(t testing.TB, message, signature, verifier []byte) []byte {
	t.Helper()
	return body(t, "hashedrekord", "0.0.1", Object{
		"data":      Object{"hash": Object{"algorithm": "sha256", "value": hex.EncodeToString(Digest(crypto.SHA256, message))}},
		"signature": Object{"content": Base64(signature), "publicKey": Object{"content": Base64(verifier)}},
	})
}

// DSSE1 is an entry of Rekor version 1 for an envelope.
func DSSE1(t testing.TB, payload, signature, verifier []byte) []byte {
	t.Helper()
	return body(t, "dsse", "0.0.1", Object{
		"envelopeHash": Object{"algorithm": "sha256", "value": strings.Repeat("0", 64)},
		"payloadHash":  Object{"algorithm": "sha256", "value": hex.EncodeToString(Digest(crypto.SHA256, payload))},
		"signatures":   []Object{{"signature": Base64(signature), "verifier": Base64(verifier)}},
	})
}

// InToto2 is an older entry of Rekor version 1 for an envelope.
func InToto2(t testing.TB, payload, signature, verifier []byte) []byte {
	t.Helper()
	return body(t, "intoto", "0.0.2", Object{"content": Object{
		"envelope": Object{"payloadType": "application/vnd.in-toto+json", "signatures": []Object{
			{"sig": Base64([]byte(Base64(signature))), "publicKey": Base64(verifier)},
		}},
		"payloadHash": Object{"algorithm": "sha256", "value": hex.EncodeToString(Digest(crypto.SHA256, payload))},
	}})
}

// HashedRekord2 is an entry of Rekor version 2. member is x509Certificate or publicKey, and der the one or the other.
func HashedRekord2(t testing.TB, message, signature []byte, member string, der []byte) []byte {
	t.Helper()
	how := algorithmOf(t, member, der)
	return body(t, "hashedrekord", "0.0.2", Object{"hashedRekordV002": Object{
		"data":      Object{"algorithm": how.digest, "digest": Base64(Digest(how.hash, message))},
		"signature": signature2(signature, member, der, how.details),
	}})
}

// DSSE2 is an entry of Rekor version 2 for an envelope.
func DSSE2(t testing.TB, payload, signature []byte, member string, der []byte) []byte {
	t.Helper()
	return body(t, "dsse", "0.0.2", Object{"dsseV002": Object{
		"payloadHash": Object{"algorithm": "SHA2_256", "digest": Base64(Digest(crypto.SHA256, payload))},
		"signatures":  []Object{signature2(signature, member, der, algorithmOf(t, member, der).details)},
	}})
}

func signature2(signature []byte, member string, der []byte, details string) Object {
	return Object{"content": Base64(signature), "verifier": Object{
		"keyDetails": details, member: Object{"rawBytes": Base64(der)},
	}}
}

// algorithm2 is how Rekor version 2 calls an algorithm, and the hash function that goes with it.
type algorithm2 struct {
	details, digest string
	hash            crypto.Hash
}

// algorithmOf returns the algorithm of a key or certificate: P-256 if it is not on a larger curve.
func algorithmOf(t testing.TB, member string, der []byte) algorithm2 {
	t.Helper()
	var public crypto.PublicKey
	if member == "publicKey" {
		public, _ = x509.ParsePKIXPublicKey(der)
	} else if c, err := x509.ParseCertificate(der); err == nil {
		public = c.PublicKey
	}
	key, _ := public.(*ecdsa.PublicKey)
	switch {
	case key != nil && key.Curve == elliptic.P384():
		return algorithm2{"PKIX_ECDSA_P384_SHA_384", "SHA2_384", crypto.SHA384}
	case key != nil && key.Curve == elliptic.P521():
		return algorithm2{"PKIX_ECDSA_P521_SHA_512", "SHA2_512", crypto.SHA512}
	default:
		return algorithm2{"PKIX_ECDSA_P256_SHA_256", "SHA2_256", crypto.SHA256}
	}
}
