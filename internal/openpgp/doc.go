// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package openpgp decides whether a blob is an OpenPGP message that a given
// set of certificates signed, and hands out the signed bytes only then.
//
// # The message
//
// An atomic container signature (containers-signature(5)) is a binary OpenPGP
// signed message. [ParseMessage] accepts exactly one shape of it:
//
//	message    = signed | compressed(signed) | compressed(compressed(signed))
//	signed     = one-pass signature (last = 1), literal data, signature
//
// and nothing before, between or after, at any level. Armor, cleartext
// signatures, detached signatures, encryption, marker and padding packets, the
// old "signature, literal" order and several signatures are refused: each of
// them gives one signature a second form, and verifiers that accept them have
// been made to read other bytes than those that were signed. Packet headers may
// be of the old and the new format, with partial and indeterminate lengths
// where RFC 9580 section 4.2 has them. File name, date and format octet of the
// literal are not signed and are ignored. Compression is none, ZIP, ZLIB or
// BZIP2. All sizes are checked before anything is hashed; see limits.go.
//
// The signature is a binary document signature (type 0x00; text signatures
// cover a normalised form of the bytes and are refused), of version 4 or 6 (RFC
// 9580 section 5.2.3), or of version 3 (section 5.2.2), which Red Hat's
// registry signatures have and which is accepted for RSA with SHA-2 only. It
// must agree with the one-pass packet on type, digest, algorithm, issuer and
// salt, and state every property at most once. Only the hashed area counts:
// nothing in the unhashed area but a hint at the issuer is read.
//
// # The key
//
// [ParseKeyFile] reads certificates (transferable public keys, RFC 9580 section
// 10.1) and verifies their self-signatures, subkey bindings and revocations
// once. What is left is immutable and has no date: [Certificate] and [Keyring]
// may be shared between goroutines, and a decision reads them at a time that
// the caller states. A key may sign when
//
//   - neither it nor its certificate is revoked. Every valid revocation counts,
//     hard or soft and whatever its date, behind its key or by itself in any of
//     the files of a keyring ([NewKeyringFromFiles]); a forged one does not. A
//     revocation by a designated revoker cannot be verified without the revoker's
//     key and counts unverified, because accepting a revoked key is the worse
//     mistake;
//   - its certificate has a self-signature in force: for version 4 the
//     certification of a user ID, or a direct-key signature that states key
//     flags, for version 6 a direct-key signature (RFC 9580 section 5.2.3.10).
//     GnuPG takes a direct-key signature without key flags as well, and as one
//     for every capability; Sequoia gives none to such a key. Here the stricter
//     rule holds, so that whoever revokes all user IDs of a key is not left with
//     one that signs;
//   - the newest valid self-signature (for a subkey: the newest valid binding)
//     gives it the capability to sign. A version 4 primary key with a certified
//     user ID may sign if no self-signature states key flags, as in GnuPG;
//   - as a subkey, it cross-certifies the certificate (signature type 0x19),
//     so that nobody can claim the subkey of another;
//   - neither it nor its primary key is expired, now and when it signed.
//
// The accepted identity is always the full fingerprint of the primary key. Key
// IDs and issuer fingerprints in a message only select which keys are tried.
//
// # Algorithms
//
// Signatures: RSA of at least 2048 bits, ECDSA (NIST P-256, P-384, P-521,
// brainpool, secp256k1), EdDSA, Ed25519 and Ed448; with SHA-2 or SHA-3 of at
// least 224 bits, and of at least the size that the curve asks for (RFC 9580
// section 5.2.3). Digests of MD5, SHA-1 and RIPEMD-160, DSA and ElGamal are
// refused.
//
// Self-signatures and bindings may use SHA-1, as those of Red Hat's release key
// 2 do. Collisions do not help there: the type of a signature is part of what is
// hashed (RFC 9580 section 5.2.4), so a colliding pair has the same type, and
// the holder of a key signs bindings and self-signatures over his own material
// only. The key itself is trusted because the operator configured it.
//
// # Cost
//
// Signatures on the slowest curve take 200 times as long as Ed25519's, so that
// the time for a key file is bounded by a budget that weighs each operation by
// its algorithm and the octets that it hashes (see limits.go). What is over
// budget is not verified, and a certificate that it belongs to cannot be used:
// it could have been a revocation. No clock is involved, and the same file always
// gives the same certificates.
//
// # Division of labour
//
// Keys are parsed by github.com/ProtonMail/go-crypto, which also computes Ed448
// and the curves that the standard library does not have; RSA, the NIST curves and
// Ed25519 are the standard library's. Framing, grammar, the signature packet, hashing and all policy
// are here, because that library judges keys at the time that the signature
// claims, ignores repeated subpackets, takes an issuer from the unhashed area
// and has no version 3 signatures.
package openpgp
