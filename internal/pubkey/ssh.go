// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package pubkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
)

// SSHFingerprint returns the fingerprint of the key as ssh-keygen writes it: "SHA256:" and unpadded base64. It is
// what clients of sigstore write as the ID of a key.
func (k *Key) SSHFingerprint() string {
	sum := sha256.Sum256(k.sshBlob())
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// sshCurves are the names of curves in SSH (RFC 5656 section 10.1).
var sshCurves = map[elliptic.Curve]string{
	elliptic.P256(): "nistp256", elliptic.P384(): "nistp384", elliptic.P521(): "nistp521",
}

// sshBlob returns the key as SSH encodes it (RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709 section 4).
func (k *Key) sshBlob() []byte {
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			return nil // not a point on the curve, which New has refused
		}
		return sshStrings([]byte("ecdsa-sha2-"+sshCurves[key.Curve]), []byte(sshCurves[key.Curve]), point)
	case *rsa.PublicKey:
		return sshStrings([]byte("ssh-rsa"), sshInteger(big.NewInt(int64(key.E))), sshInteger(key.N))
	default:
		return sshStrings([]byte("ssh-ed25519"), k.Ed25519())
	}
}

// sshStrings returns strings with their lengths (RFC 4251 section 5).
func sshStrings(all ...[]byte) []byte {
	var b cryptobyte.Builder
	for _, s := range all {
		b.AddUint32LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(s) })
	}
	encoded, _ := b.Bytes() // no key is 4 GiB long
	return encoded
}

// sshInteger returns the bytes of a positive number, of which the first bit is clear (RFC 4251 section 5, mpint).
func sshInteger(n *big.Int) []byte {
	if n.BitLen()%8 == 0 {
		return append([]byte{0}, n.Bytes()...)
	}
	return n.Bytes()
}
