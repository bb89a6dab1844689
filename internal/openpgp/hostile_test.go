// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"crypto/elliptic"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	gopgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// onCurve returns a key on a curve with forged signatures: verifying them takes as long as
// verifying valid ones.
func onCurve(t testing.TB, curve packet.Curve) *pgp.Key {
	t.Helper()
	config := packet.Config{Algorithm: packet.PubKeyAlgoECDSA, Curve: curve, RejectCurves: map[packet.Curve]bool{},
		Time: func() time.Time { return time.Unix(testKeyTime, 0) }}
	entity, err := gopgp.NewEntity("", "", "", &config)
	if err != nil {
		t.Fatal(err)
	}
	var serialized bytes.Buffer
	if err := entity.PrimaryKey.Serialize(&serialized); err != nil {
		t.Fatal(err)
	}
	p, _, err := nextPacket(serialized.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	const fixed = 6 // Version, time and algorithm.
	forger := *pgp.ECDSA(4, testKeyTime, elliptic.P256(), "forger")
	forger.Numbers = p.body[fixed:]
	return &forger
}

// forgingRSA returns an RSA key with forged signatures.
func forgingRSA(bits, exponentBits int) *pgp.Key {
	forger := *pgp.RSA(testKeyTime, 2048, "forger")
	forger.Numbers = join(number(bits), number(exponentBits))
	return &forger
}

// flood repeats the signatures of a user ID.
func flood(k *pgp.Key, id string, times int, signatures ...pgp.Signature) []byte {
	user := pgp.Packet(pgp.TagUserID, []byte(id))
	signed := k.User(id, signatures...)[len(user):]
	return append(user, bytes.Repeat(signed, times)...)
}

// repeated joins up to the given number of parts, as many as fit into a key file.
func repeated(times int, part func(i int) []byte) []byte {
	var file []byte
	for i := range times {
		next := part(i)
		if len(file)+len(next) > maxKeyFileSize-1000 { // Leave room for a key before it.
			break
		}
		file = append(file, next...)
	}
	return file
}

// slowFile returns a file full of keys with forged self-signatures.
func slowFile(k *pgp.Key) []byte {
	const perKey = 60
	return repeated(maxCertificates, func(i int) []byte {
		other := *k
		other.Created += uint32(i)
		cert := other.Standard(pgp.TypePositiveCert, other.Created, pgp.Flags(testFlags))
		return other.Certificate(flood(&other, "a", perKey, cert))
	})
}

// hostileFiles are key files crafted to take long.
func hostileFiles(t testing.TB) map[string][]byte {
	const many = 1 << 20
	numbered := func(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }
	cert := testAlice.Standard(pgp.TypePositiveCert, testKeyTime, pgp.Flags(testFlags))
	sha3 := cert
	sha3.Digest = pgp.SHA3512
	subkey := func(k *pgp.Key, i int) []byte {
		other := *k
		other.Created += uint32(i)
		return pgp.Packet(pgp.TagPublicSubkey, other.Body())
	}
	brainpool, mldsa87 := onCurve(t, packet.CurveBrainpoolP512), pgp.MLDSA87(testKeyTime, "mldsa87")
	return map[string][]byte{
		"brainpoolP512r1": slowFile(brainpool),
		"brainpoolP256r1": slowFile(onCurve(t, packet.CurveBrainpoolP256)),
		"secp256k1":       slowFile(onCurve(t, packet.CurveSecP256k1)),
		"P-521":           slowFile(onCurve(t, packet.CurveNistP521)),
		"P-384":           slowFile(onCurve(t, packet.CurveNistP384)),
		"P-256":           slowFile(onCurve(t, packet.CurveNistP256)),
		"RSA-16384":       slowFile(forgingRSA(16384, 24)),
		"RSA-4096":        slowFile(forgingRSA(4096, 24)),
		"Ed448":           slowFile(pgp.Ed448(4, testKeyTime, "ed448")),
		"Ed25519":         slowFile(testAlice),
		"ML-DSA-65":       slowFile(pgp.MLDSA65(testKeyTime, "mldsa65")),
		"ML-DSA-87":       slowFile(pgp.MLDSA87(testKeyTime, "mldsa87")),
		"long user ID":    testAlice.Certificate(flood(testAlice, string(make([]byte, 900_000)), 250, sha3)),
		"versions with user IDs": repeated(maxCertificates, func(i int) []byte {
			return testAlice.Certificate(repeated(250, func(j int) []byte {
				return pgp.Packet(pgp.TagUserID, numbered(250*i+j))
			}))
		}),
		"versions with one user ID": repeated(maxCertificates, func(i int) []byte {
			later := testAlice.Standard(pgp.TypePositiveCert, testKeyTime+uint32(i), pgp.Flags(testFlags))
			return testAlice.Certificate(flood(testAlice, "a", 16, later))
		}),
		"subkeys": repeated(maxCertificates, func(i int) []byte {
			return brainpool.Certificate(repeated(maxCertificatePackets-1, func(j int) []byte {
				return subkey(brainpool, i*maxCertificatePackets+j)
			}))
		}),
		"subkeys of ML-DSA": testV6.Certificate(repeated(maxCertificatePackets-1, func(i int) []byte {
			return subkey(mldsa87, i)
		})),
		"subkeys and user IDs": repeated(maxCertificates, func(i int) []byte {
			return testAlice.Certificate(repeated(500, func(j int) []byte {
				return join(subkey(testBob, 500*i+j), pgp.Packet(pgp.TagUserID, numbered(500*i+j)))
			}))
		}),
		"revokers":      manyRevokers(),
		"revocations":   manyRevocations(),
		"small packets": testAlice.Certificate(bytes.Repeat(pgp.Packet(pgp.TagUserID, nil), many/2-100)),
		"small keys":    bytes.Repeat(pgp.Packet(pgp.TagPublicKey, nil), many/2),
		"armor":         bytes.Repeat([]byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n"), many/38),
	}
}

// manyRevokers returns a certificate with as many designated revokers, and as many revocations by
// others, as fit.
func manyRevokers() []byte {
	direct := repeated(250, func(i int) []byte {
		s := testAlice.Standard(pgp.TypeDirectKey, testKeyTime)
		for j := range 100 {
			revoker := binary.BigEndian.AppendUint64([]byte{0x80, 27, 19: 0}[:14], uint64(100*i+j))
			s.Hashed = append(s.Hashed, pgp.Sub(pgp.SubRevocationKey, revoker...)...)
		}
		return testAlice.Direct(s)
	})
	by := testBob.Direct(testBob.Standard(pgp.TypeKeyRevocation, testKeyTime))
	return testAlice.Certificate(direct, bytes.Repeat(by, maxCertificatePackets-260))
}

// manyRevocations returns a file with the maximum number of revocations, any of which may come from
// a designated revoker of any certificate in it.
func manyRevocations() []byte {
	revoker := pgp.Sub(pgp.SubRevocationKey, append([]byte{0x80, 27}, testBob.Fingerprint()...)...)
	return join(repeated(maxRevocations, func(i int) []byte {
		return testBob.Direct(testBob.Standard(pgp.TypeKeyRevocation, testKeyTime+uint32(i)))
	}), repeated(maxCertificates, func(i int) []byte {
		k := pgp.Ed25519(4, testKeyTime, fmt.Sprint(i))
		return k.Certificate(k.Direct(k.Standard(pgp.TypeDirectKey, testKeyTime, revoker)))
	}))
}

// evaluate does everything that is done with a key file.
func evaluate(file *KeyFile) {
	for _, c := range NewKeyringFromFiles(file, file).Certificates() {
		_, _ = c.Check(testNow), c.UserID()
	}
}

// BenchmarkHostileKeyFile measures the parsing times that limits.go states.
func BenchmarkHostileKeyFile(b *testing.B) {
	for name, data := range hostileFiles(b) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				file, err := ParseKeyFile(data)
				if err != nil {
					continue
				}
				evaluate(file)
			}
		})
	}
}
