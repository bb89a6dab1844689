// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package openpgp verifies that a blob is an OpenPGP message signed by one of a given set of
// certificates. Only then does it return the signed bytes.
//
// # The message
//
// An atomic container signature (containers-signature(5)) is a binary OpenPGP signed message.
// [ParseMessage] accepts exactly one form:
//
//	message    = signed | compressed(signed) | compressed(compressed(signed))
//	signed     = one-pass signature (last = 1), literal data, signature
//
// and nothing before, between or after, at any level. It refuses armor, cleartext signatures,
// detached signatures, encryption, marker and padding packets, the old "signature, literal" order
// and multiple signatures. Each of them gives a signature a second form, and verifiers that accept
// them have been tricked into reading bytes other than the signed ones. Packet headers may use the
// old and the new format, with partial and indeterminate lengths where RFC 9580 section 4.2 allows
// them. File name, date and format octet of the literal are not signed and are ignored. Compression
// is none, ZIP, ZLIB or BZIP2. All sizes are checked before anything is hashed; see limits.go.
//
// The signature is a binary document signature (type 0x00). Text signatures cover a normalized form
// of the bytes and are refused. Its version is 4 or 6 (RFC 9580 section 5.2.3), or 3 (section
// 5.2.2) for RSA with SHA-2 only, which Red Hat's registry signatures use. It must agree with the
// one-pass packet on type, digest, algorithm, issuer and salt, and state each property at most
// once. Only the hashed area counts: from the unhashed area only a hint about the issuer is read.
//
// # The key
//
// [ParseKeyFile] reads certificates (transferable public keys, RFC 9580 section 10.1) and verifies
// their self-signatures, subkey bindings and revocations once. The result is immutable and
// independent of the clock: [Certificate] and [Keyring] may be shared between goroutines, and the
// caller passes the time at which they are evaluated. A key may sign when
//
//   - neither it nor its certificate is revoked. Every valid revocation counts, hard or soft and
//     regardless of its date, after its key or standalone in any file of a keyring
//     ([NewKeyringFromFiles]). A forged one does not. A revocation by a designated revoker cannot
//     be verified without the revoker's key and counts unverified, because accepting a revoked key
//     is the worse mistake;
//   - its certificate has a self-signature in force: for version 4 the certification of a user ID,
//     or a direct-key signature that states key flags, for version 6 a direct-key signature (RFC
//     9580 section 5.2.3.10). GnuPG also accepts a direct-key signature without key flags and
//     grants the key every capability; Sequoia grants it none. This package follows the stricter
//     rule, so that a key whose user IDs are all revoked does not sign;
//   - the newest valid self-signature (for a subkey: the newest valid binding) gives it the
//     capability to sign. A version 4 primary key with a certified user ID may sign if no
//     self-signature states key flags, as in GnuPG;
//   - as a subkey, it cross-certifies the certificate (signature type 0x19), so that nobody can
//     claim another owner's subkey;
//   - neither it nor its primary key is expired now or had expired when it signed.
//
// The accepted identity is always the full fingerprint of the primary key. Key IDs and issuer
// fingerprints in a message only select which keys are tried.
//
// # Algorithms
//
// Signatures: RSA of at least 2048 bits, ECDSA (NIST P-256, P-384, P-521, brainpool, secp256k1),
// EdDSA, Ed25519 and Ed448; with SHA-2 or SHA-3 of at least 224 bits, and of at least the size that
// the curve requires (RFC 9580 section 5.2.3). Digests of MD5, SHA-1 and RIPEMD-160, DSA and
// ElGamal are refused.
//
// ML-DSA-65 with Ed25519 and ML-DSA-87 with Ed448 (RFC 9980), in keys and signatures of version 6
// and with digests of at least 256 bits. The signature of each of both keys must be valid. SLH-DSA
// is not supported: its signatures have up to 30 KiB, twice what a signature packet may have here,
// and no program signs images with it.
//
// Self-signatures and bindings may use SHA-1, as those of Red Hat's release key 2 do. Collisions do
// not help an attacker there: the hash covers the type of a signature (RFC 9580 section 5.2.4), so
// a colliding pair has the same type, and a key holder signs bindings and self-signatures over
// their own material only. The key itself is trusted because the operator configured it.
//
// # Cost
//
// Verifying a signature on the slowest curve takes 200 times as long as with Ed25519. A budget
// therefore bounds the time for a key file: it weighs each operation by its algorithm and the
// octets that it hashes (see limits.go). Signatures over budget are not verified, and their
// certificate cannot be used: one of them could have been a revocation. No clock is involved, so
// the same file always gives the same certificates.
//
// # Division of labor
//
// github.com/ProtonMail/go-crypto parses keys and implements Ed448 and the curves that the standard
// library lacks, and github.com/cloudflare/circl implements ML-DSA. The standard library implements RSA, the NIST curves and Ed25519. This package
// implements framing, grammar, the signature packet, hashing and all policy, because go-crypto
// evaluates keys at the time that the signature claims, ignores repeated subpackets, takes an
// issuer from the unhashed area and does not support version 3 signatures.
package openpgp
