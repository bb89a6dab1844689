// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	pgpecdsa "github.com/ProtonMail/go-crypto/openpgp/ecdsa"
	"github.com/ProtonMail/go-crypto/openpgp/eddsa"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

var errNotValid = errors.New("the signature is not valid")

// newFloor returns the contender with only the cryptography: the digest of the signed content, and
// the verification in crypto/rsa, crypto/ed25519 or crypto/ecdsa. Message and key are parsed
// before, and nothing else is checked: it is not a verifier, but the part that every verifier
// needs.
func newFloor(f fixture) (contender, error) {
	keys, err := openpgp.ReadKeyRing(bytes.NewReader(f.certificate))
	if err != nil {
		return nil, err
	}
	payload, s, err := readSigned(f.message)
	if err != nil {
		return nil, err
	}
	hash := s.Hash
	digest := func() []byte {
		h := hash.New()
		h.Write(payload)
		h.Write(s.HashSuffix)
		return h.Sum(nil)
	}
	switch key := keys[0].PrimaryKey.PublicKey.(type) {
	case *rsa.PublicKey:
		return rsaFloor(key, hash, digest, s.RSASignature.Bytes()), nil
	case *eddsa.PublicKey:
		const half = ed25519.SignatureSize / 2
		r, second := leftPad(s.EdDSASigR.Bytes(), half), leftPad(s.EdDSASigS.Bytes(), half)
		return ed25519Floor(key.X, digest, append(r, second...)), nil
	case *pgpecdsa.PublicKey:
		return ecdsaFloor(key, digest, s.ECDSASigR.Bytes(), s.ECDSASigS.Bytes())
	default:
		return nil, fmt.Errorf("no floor for keys of type %T", key)
	}
}

func rsaFloor(key *rsa.PublicKey, hash crypto.Hash, digest func() []byte, signature []byte) contender {
	signature = leftPad(signature, key.Size())
	return func() error {
		return rsa.VerifyPKCS1v15(key, hash, digest(), signature)
	}
}

func ed25519Floor(key ed25519.PublicKey, digest func() []byte, signature []byte) contender {
	return func() error {
		if !ed25519.Verify(key, digest(), signature) {
			return errNotValid
		}
		return nil
	}
}

func ecdsaFloor(pgpKey *pgpecdsa.PublicKey, digest func() []byte, r, s []byte) (contender, error) {
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), pgpKey.MarshalPoint())
	if err != nil {
		return nil, err
	}
	signature, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)})
	if err != nil {
		return nil, err
	}
	return func() error {
		if !ecdsa.VerifyASN1(key, digest(), signature) {
			return errNotValid
		}
		return nil
	}, nil
}

// leftPad restores the leading zeros that OpenPGP integers lack.
func leftPad(integer []byte, size int) []byte {
	padded := make([]byte, max(size, len(integer)))
	copy(padded[len(padded)-len(integer):], integer)
	return padded
}
