// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgptest

import "slices"

// Key flags, RFC 9580 section 5.2.3.29.
const (
	FlagCertify = 0x01
	FlagSign    = 0x02
	FlagEncrypt = 0x0c
)

// Flags writes a key flags subpacket.
func Flags(flags byte) []byte { return Sub(SubKeyFlags, flags) }

// Certificate writes the packets of a certificate: the primary key, then parts from the functions
// below.
func (k *Key) Certificate(parts ...[]byte) []byte {
	return append(Packet(TagPublicKey, k.Body()), slices.Concat(parts...)...)
}

// Simple writes the certificate of a key that certifies and signs, with one user ID.
func (k *Key) Simple(userID string) []byte {
	direct := []byte(nil)
	if k.Version == 6 {
		direct = k.Direct(k.Standard(TypeDirectKey, k.Created, Flags(FlagCertify|FlagSign)))
	}
	cert := k.Standard(TypePositiveCert, k.Created, Flags(FlagCertify|FlagSign))
	return k.Certificate(direct, k.User(userID, cert))
}

// User writes a user ID with signatures by the key over it.
func (k *Key) User(id string, signatures ...Signature) []byte {
	out := Packet(TagUserID, []byte(id))
	for _, s := range signatures {
		hashed := UserID(id)
		if s.Version == 3 {
			hashed = []byte(id)
		}
		out = append(out, Packet(TagSignature, k.Sign(s, k.Hashed(), hashed))...)
	}
	return out
}

// Direct writes a signature by the key over itself: a direct-key signature or a revocation.
func (k *Key) Direct(s Signature) []byte {
	return Packet(TagSignature, k.Sign(s, k.Hashed()))
}

// Subkey writes a subkey with signatures by the key over both.
func (k *Key) Subkey(sub *Key, signatures ...Signature) []byte {
	out := Packet(TagPublicSubkey, sub.Body())
	for _, s := range signatures {
		out = append(out, Packet(TagSignature, k.Sign(s, k.Hashed(), sub.Hashed()))...)
	}
	return out
}

// Binding returns the usual binding of a signing subkey, with its cross-certification and further
// subpackets.
func (k *Key) Binding(sub *Key, created uint32, hashed ...[]byte) Signature {
	cross := sub.Sign(sub.Standard(TypePrimaryBinding, created), k.Hashed(), sub.Hashed())
	return k.Standard(TypeSubkeyBinding, created, append(hashed, Flags(FlagSign), Sub(SubEmbedded, cross...))...)
}
