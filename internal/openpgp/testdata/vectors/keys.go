// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package vectors

import (
	"crypto/elliptic"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// Keys that sign. Alice is trusted; Mallory is not.
var (
	alice   = pgp.Ed25519(4, keyTime, "alice")
	mallory = pgp.Ed25519(4, keyTime, "mallory")
	signing = pgp.Ed25519(4, keyTime, "alice's signing subkey")

	rsa1024 = pgp.RSA(keyTime, 1024, "rsa1024")
	rsa2048 = pgp.RSA(keyTime, 2048, "rsa2048")
	rsa4096 = pgp.RSA(keyTime, 4096, "rsa4096")
	eddsa   = pgp.EdDSA(keyTime, "eddsa")
	ed448   = pgp.Ed448(4, keyTime, "ed448")
	p256    = pgp.ECDSA(4, keyTime, elliptic.P256(), "p256")
	p384    = pgp.ECDSA(4, keyTime, elliptic.P384(), "p384")
	p521    = pgp.ECDSA(4, keyTime, elliptic.P521(), "p521")
	v6      = pgp.Ed25519(6, keyTime, "v6")
	v6ed448 = pgp.Ed448(6, keyTime, "v6-ed448")
	v6sub   = pgp.Ed25519(6, keyTime, "v6 subkey")
	mldsa65 = pgp.MLDSA65(keyTime, "mldsa65")
	mldsa87 = pgp.MLDSA87(keyTime, "mldsa87")
	unborn  = pgp.Ed25519(4, now+day, "unborn")
)

const (
	uid   = "Alice (test key) <alice@example.invalid>"
	flags = pgp.FlagCertify | pgp.FlagSign
)

// cert returns a certification of Alice's user ID.
func cert(created uint32, hashed ...[]byte) pgp.Signature {
	return alice.Standard(pgp.TypePositiveCert, created, hashed...)
}

// aliceWith writes Alice's certificate with the given parts.
func aliceWith(parts ...[]byte) []byte { return alice.Certificate(parts...) }

func aliceUser() []byte { return alice.User(uid, cert(keyTime, pgp.Flags(flags))) }

func expires(seconds uint32) []byte { return pgp.Sub32(pgp.SubKeyExpires, seconds) }

// certificates returns the binary certificates, by file name.
func certificates() map[string][]byte {
	all := map[string][]byte{
		"alice":    aliceWith(aliceUser()),
		"rsa1024":  rsa1024.Simple("RSA-1024"),
		"rsa2048":  rsa2048.Simple("RSA-2048"),
		"rsa4096":  rsa4096.Simple("RSA-4096"),
		"eddsa":    eddsa.Simple("EdDSA"),
		"ed448":    ed448.Simple("Ed448"),
		"p256":     p256.Simple("P-256"),
		"p384":     p384.Simple("P-384"),
		"p521":     p521.Simple("P-521"),
		"v6":       v6.Simple("version 6"),
		"v6-ed448": v6ed448.Simple("version 6, Ed448"),
		"mldsa65":  mldsa65.Simple("ML-DSA-65"),
		"mldsa87":  mldsa87.Simple("ML-DSA-87"),
		"unborn":   unborn.Simple("from the future"),
		"mldsa-subkey": v6.Certificate(
			v6.Direct(v6.Standard(pgp.TypeDirectKey, keyTime, pgp.Flags(pgp.FlagCertify))),
			v6.Subkey(mldsa65, v6.Binding(mldsa65, keyTime))),
	}
	for _, some := range []map[string][]byte{selfSignatureKeys(), expiryKeys(), revokedKeys(), subkeyKeys()} {
		for name, certificate := range some {
			all[name] = certificate
		}
	}
	return all
}

// selfSignatureKeys are Alice with variations of her user ID.
func selfSignatureKeys() map[string][]byte {
	badCert := pgp.Packet(pgp.TagSignature, alice.Sign(cert(keyTime, pgp.Flags(flags)), alice.Hashed(), pgp.UserID("Bob")))
	sha1 := cert(keyTime, pgp.Flags(flags))
	sha1.Digest = pgp.SHA1
	rsaSHA1 := rsa2048.Standard(pgp.TypePositiveCert, keyTime, pgp.Flags(flags))
	rsaSHA1.Digest = pgp.SHA1
	revokedUser := alice.User(uid, alice.Standard(pgp.TypeCertRevocation, keyTime+day), cert(keyTime, pgp.Flags(flags)))
	subkey := alice.Subkey(signing, alice.Binding(signing, keyTime))
	rsaV3 := pgp.Signature{Version: 3, Type: pgp.TypePositiveCert, Digest: pgp.SHA1, Created: keyTime}
	return map[string][]byte{
		"no-user-id":         aliceWith(),
		"user-id-unsigned":   aliceWith(alice.User(uid)),
		"user-id-bad-cert":   aliceWith(alice.User(uid), badCert),
		"user-id-by-mallory": aliceWith(pgp.Packet(pgp.TagUserID, []byte(uid)), malloryCert()),
		"cert-sha1-short":    aliceWith(alice.User(uid, sha1)),
		"cert-sha1":          rsa2048.Certificate(rsa2048.User(uid, rsaSHA1)),
		"cert-v3":            rsa2048.Certificate(rsa2048.User(uid, rsaV3)),
		"cert-no-flags":      aliceWith(alice.User(uid, cert(keyTime))),
		"cert-certify-only":  aliceWith(alice.User(uid, cert(keyTime, pgp.Flags(pgp.FlagCertify)))),
		"cert-flags-dropped": aliceWith(alice.User(uid, cert(keyTime, pgp.Flags(flags)), cert(keyTime+day, pgp.Flags(pgp.FlagCertify)))),
		"cert-flags-twice":   aliceWith(alice.User(uid, cert(keyTime, pgp.Flags(flags), pgp.Flags(flags)))),
		"cert-critical":      aliceWith(alice.User(uid, cert(keyTime, pgp.Flags(flags), pgp.Sub(pgp.Critical|100, 1)))),
		"cert-expired":       aliceWith(alice.User(uid, cert(keyTime, pgp.Flags(flags), pgp.Sub32(pgp.SubExpires, day)))),
		"cert-in-future":     aliceWith(alice.User(uid, cert(now+day, pgp.Flags(flags)))),
		"direct-key-only":    aliceWith(direct(pgp.Flags(flags))),
		"v6-no-direct-key":   v6.Certificate(v6.User(uid, v6.Standard(pgp.TypePositiveCert, keyTime, pgp.Flags(flags)))),
		"v6-no-flags":        v6.Certificate(v6.Direct(v6.Standard(pgp.TypeDirectKey, keyTime))),
		"user-id-revoked":    aliceWith(revokedUser),
		"user-id-certified-again": aliceWith(alice.User(uid, alice.Standard(pgp.TypeCertRevocation, keyTime+day),
			cert(keyTime, pgp.Flags(flags)), cert(keyTime+2*day, pgp.Flags(flags)))),
		"direct-key-no-flags":          aliceWith(direct()),
		"direct-key-no-flags-user-id":  aliceWith(direct(), alice.User(uid, cert(keyTime))),
		"direct-key-no-flags-subkey":   aliceWith(direct(), subkey),
		"direct-key-certify-subkey":    aliceWith(direct(pgp.Flags(pgp.FlagCertify)), subkey),
		"user-id-revoked-direct":       aliceWith(direct(), revokedUser),
		"user-id-revoked-direct-flags": aliceWith(direct(pgp.Flags(flags)), revokedUser),
	}
}

// direct writes a direct-key signature of Alice.
func direct(hashed ...[]byte) []byte {
	return alice.Direct(alice.Standard(pgp.TypeDirectKey, keyTime, hashed...))
}

// malloryCert returns a certification of Alice's user ID by Mallory.
func malloryCert() []byte {
	s := mallory.Standard(pgp.TypePositiveCert, keyTime, pgp.Flags(flags))
	return pgp.Packet(pgp.TagSignature, mallory.Sign(s, alice.Hashed(), pgp.UserID(uid)))
}

// expiryKeys are Alice with expiration times.
func expiryKeys() map[string][]byte {
	return map[string][]byte{
		"expired":                aliceWith(alice.User(uid, cert(keyTime, pgp.Flags(flags), expires(year+180*day)))),
		"expired-before-signing": aliceWith(alice.User(uid, cert(keyTime, pgp.Flags(flags), expires(day)))),
		"extended": aliceWith(alice.User(uid, cert(keyTime, pgp.Flags(flags), expires(day)),
			cert(keyTime+2*day, pgp.Flags(flags), expires(10*year)))),
		"extended-for-ever": aliceWith(alice.User(uid, cert(keyTime, pgp.Flags(flags), expires(day)),
			cert(keyTime+2*day, pgp.Flags(flags)))),
		"shortened": aliceWith(alice.User(uid, cert(keyTime, pgp.Flags(flags)),
			cert(keyTime+2*day, pgp.Flags(flags), expires(year)))),
		"expired-by-direct-key": aliceWith(
			alice.Direct(alice.Standard(pgp.TypeDirectKey, keyTime, expires(year))), aliceUser()),
		"expiry-unhashed": aliceWith(alice.User(uid, unhashed(cert(keyTime, pgp.Flags(flags)), expires(day)))),
		"expired-with-subkey": aliceWith(alice.User(uid, cert(keyTime, pgp.Flags(flags), expires(year))),
			alice.Subkey(signing, alice.Binding(signing, keyTime))),
	}
}

// unhashed adds subpackets to the unhashed area.
func unhashed(s pgp.Signature, area ...[]byte) pgp.Signature {
	for _, sub := range area {
		s.Unhashed = append(s.Unhashed, sub...)
	}
	return s
}

// revokedKeys are Alice with revocations of the primary key.
func revokedKeys() map[string][]byte {
	const revocationReason, superseded, compromised = 29, 1, 2
	revoke := func(created uint32, hashed ...[]byte) []byte {
		return alice.Direct(alice.Standard(pgp.TypeKeyRevocation, created, hashed...))
	}
	forged := alice.Standard(pgp.TypeKeyRevocation, sigTime)
	return map[string][]byte{
		"revoked":             aliceWith(revoke(sigTime+day, pgp.Sub(revocationReason, compromised)), aliceUser()),
		"revoked-superseded":  aliceWith(revoke(sigTime+day, pgp.Sub(revocationReason, superseded)), aliceUser()),
		"revoked-in-future":   aliceWith(revoke(now+year), aliceUser()),
		"revoked-critical":    aliceWith(revoke(sigTime, pgp.Sub(pgp.Critical|100)), aliceUser()),
		"revoked-misplaced":   aliceWith(aliceUser(), revoke(sigTime)),
		"revocation-forged":   aliceWith(byMallory(forged), aliceUser()),
		"revocation-by-other": aliceWith(byMallory(mallory.Standard(pgp.TypeKeyRevocation, sigTime)), aliceUser()),
		"revoked-by-designated": aliceWith(
			byMallory(mallory.Standard(pgp.TypeKeyRevocation, sigTime)), direct(revoker()), aliceUser()),
		"revocable-by-mallory":       aliceWith(direct(revoker()), aliceUser()),
		"revoked-by-mallory-minimal": aliceWith(byMallory(mallory.Standard(pgp.TypeKeyRevocation, sigTime))),
		// Without their keys, as gpg --gen-revoke writes them.
		"revocation":              revoke(sigTime + day),
		"revocation-forged-alone": byMallory(forged),
		"revocation-designated":   byMallory(mallory.Standard(pgp.TypeKeyRevocation, sigTime)),
		"revocation-of-mallory":   mallory.Direct(mallory.Standard(pgp.TypeKeyRevocation, sigTime)),
	}
}

// byMallory writes a signature by Mallory over Alice's key.
func byMallory(s pgp.Signature) []byte {
	return pgp.Packet(pgp.TagSignature, mallory.Sign(s, alice.Hashed()))
}

// revoker writes the subpacket that designates Mallory as a revoker.
func revoker() []byte {
	return pgp.Sub(pgp.SubRevocationKey, append([]byte{0x80, 27}, mallory.Fingerprint()...)...)
}

// subkeyKeys are Alice with a primary key that only certifies and a signing subkey.
func subkeyKeys() map[string][]byte {
	user := alice.User(uid, cert(keyTime, pgp.Flags(pgp.FlagCertify)))
	good := alice.Binding(signing, keyTime)
	with := func(subkey []byte) []byte { return aliceWith(user, subkey) }
	noCross := alice.Standard(pgp.TypeSubkeyBinding, keyTime, pgp.Flags(pgp.FlagSign))
	foreign := signing.Sign(signing.Standard(pgp.TypePrimaryBinding, keyTime), mallory.Hashed(), signing.Hashed())
	wrongType := signing.Sign(signing.Standard(pgp.TypeSubkeyBinding, keyTime), alice.Hashed(), signing.Hashed())
	expiring := signing.Sign(signing.Standard(pgp.TypePrimaryBinding, keyTime, pgp.Sub32(pgp.SubExpires, day)),
		alice.Hashed(), signing.Hashed())
	v6Cross := v6sub.Sign(v6sub.Standard(pgp.TypePrimaryBinding, keyTime), v6.Hashed(), v6sub.Hashed())
	return map[string][]byte{
		"subkey":                  with(alice.Subkey(signing, good)),
		"subkey-cross-unhashed":   with(alice.Subkey(signing, unhashed(noCross, cross(signing)))),
		"subkey-no-cross":         with(alice.Subkey(signing, noCross)),
		"subkey-cross-foreign":    with(alice.Subkey(signing, unhashed(noCross, pgp.Sub(pgp.SubEmbedded, foreign...)))),
		"subkey-cross-wrong-type": with(alice.Subkey(signing, unhashed(noCross, pgp.Sub(pgp.SubEmbedded, wrongType...)))),
		"subkey-cross-expired":    with(alice.Subkey(signing, unhashed(noCross, pgp.Sub(pgp.SubEmbedded, expiring...)))),
		"subkey-no-flags":         with(alice.Subkey(signing, unhashed(alice.Standard(pgp.TypeSubkeyBinding, keyTime), cross(signing)))),
		"subkey-encrypts":         with(alice.Subkey(signing, alice.Standard(pgp.TypeSubkeyBinding, keyTime, pgp.Flags(pgp.FlagEncrypt)))),
		"subkey-unbound":          with(alice.Subkey(signing)),
		"subkey-bound-by-mallory": with(mallory.Subkey(signing, mallory.Binding(signing, keyTime))),
		"subkey-expired":          with(alice.Subkey(signing, alice.Binding(signing, keyTime, expires(year+180*day)))),
		"subkey-revoked":          with(alice.Subkey(signing, alice.Standard(pgp.TypeSubkeyRevocation, sigTime+day), good)),
		"subkey-revoked-bound-again": with(alice.Subkey(signing, alice.Standard(pgp.TypeSubkeyRevocation, keyTime+day), good,
			alice.Binding(signing, keyTime+2*day))),
		"subkey-weak": with(alice.Subkey(rsa1024, alice.Binding(rsa1024, keyTime))),
		"stolen-subkey": mallory.Certificate(
			mallory.User("Mallory", mallory.Standard(pgp.TypePositiveCert, keyTime, pgp.Flags(flags))),
			mallory.Subkey(signing, mallory.Standard(pgp.TypeSubkeyBinding, keyTime, pgp.Flags(pgp.FlagSign)))),
		"v6-subkey": v6.Certificate(
			v6.Direct(v6.Standard(pgp.TypeDirectKey, keyTime, pgp.Flags(pgp.FlagCertify))),
			v6.Subkey(v6sub, v6.Standard(pgp.TypeSubkeyBinding, keyTime, pgp.Flags(pgp.FlagSign), pgp.Sub(pgp.SubEmbedded, v6Cross...)))),
	}
}

// cross writes the cross-certification of Alice by a subkey.
func cross(sub *pgp.Key) []byte {
	return pgp.Sub(pgp.SubEmbedded,
		sub.Sign(sub.Standard(pgp.TypePrimaryBinding, keyTime), alice.Hashed(), sub.Hashed())...)
}
