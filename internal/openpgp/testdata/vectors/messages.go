// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package vectors

import (
	"bytes"
	"slices"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// Codes of package openpgp.
const (
	malformed   = "Malformed"
	version     = "UnsupportedVersion"
	weak        = "WeakAlgorithm"
	unsupported = "UnsupportedAlgorithm"
	unknown     = "UnknownKey"
	unusable    = "UnusableKey"
	bad         = "BadSignature"
	expired     = "KeyExpired"
	revoked     = "KeyRevoked"
)

var payload = []byte(`{"critical":{"type":"atomic container signature",` +
	`"image":{"docker-manifest-digest":"sha256:` +
	`0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},` +
	`"identity":{"docker-reference":"example.com/app:1"}},"optional":{"creator":"assay vectors"}}`)

func vectors() []vector {
	return slices.Concat(algorithmVectors(), postQuantumVectors(), framingVectors(), compressionVectors(), sequenceVectors(),
		onePassVectors(), signatureVectors(), timeVectors(), v3Vectors(), keyVectors())
}

// standard is a document signature by a key.
func standard(k *pgp.Key, hashed ...[]byte) pgp.Signature {
	return k.Standard(pgp.TypeBinary, sigTime, hashed...)
}

func good(k *pgp.Key) []byte { return k.Message(standard(k), payload) }

func accept(name, comment string, signer *pgp.Key, key string, content []byte) vector {
	return vector{name: name, comment: comment, signer: signer, keys: []string{key}, content: content}
}

// acceptAlice and refuse are for messages with an ordinary key.
func acceptAlice(name, comment string, content []byte) vector {
	return accept(name, comment, alice, "alice", content)
}

func refuse(name, code, comment string, content []byte) vector {
	return vector{name: name, comment: comment, expect: code, keys: []string{"alice"}, content: content}
}

func algorithmVectors() []vector {
	digest := func(k *pgp.Key, id byte) []byte {
		s := standard(k)
		s.Digest = id
		return k.Message(s, payload)
	}
	rsaSignOnly := *rsa2048
	rsaSignOnly.Algorithm = 3
	out := []vector{
		accept("rsa2048", "RSA of 2048 bits", rsa2048, "rsa2048", good(rsa2048)),
		accept("rsa2048-zip", "as signing programs write it: compressed", rsa2048, "rsa2048",
			pgp.Packet(pgp.TagCompressed, compressedData(1, zipRSAData))),
		accept("rsa4096", "RSA of 4096 bits", rsa4096, "rsa4096", good(rsa4096)),
		accept("eddsa", "the legacy form of Ed25519", eddsa, "eddsa", good(eddsa)),
		accept("ed25519", "Ed25519 in a version 4 key", alice, "alice", good(alice)),
		accept("ed448", "Ed448", ed448, "ed448", good(ed448)),
		accept("p256", "ECDSA on P-256", p256, "p256", digest(p256, pgp.SHA256)),
		accept("p384", "ECDSA on P-384", p384, "p384", digest(p384, pgp.SHA384)),
		accept("p521", "ECDSA on P-521", p521, "p521", good(p521)),
		accept("v6", "a version 6 key and signature", v6, "v6", good(v6)),
		accept("v6-ed448", "Ed448 in a version 6 key", v6ed448, "v6-ed448", good(v6ed448)),
		accept("v6-subkey", "a version 6 subkey", v6, "v6-subkey", good(v6sub)),
		accept("digest-sha224", "SHA-224 has the strength of RSA-2048", rsa2048, "rsa2048", digest(rsa2048, pgp.SHA224)),
		accept("digest-sha3", "SHA3-512", rsa2048, "rsa2048", digest(rsa2048, pgp.SHA3512)),
	}
	for _, v := range []vector{
		refuse("digest-sha1", weak, "SHA-1 does not resist collisions", digest(rsa2048, pgp.SHA1)),
		refuse("rsa1024", weak, "RSA of 1024 bits", good(rsa1024)),
		refuse("digest-short-p384", weak, "RFC 9580 section 5.2.3.2 asks for 384 bits", digest(p384, pgp.SHA256)),
		refuse("digest-short-ed25519", weak, "RFC 9580 section 5.2.3.4 asks for 256 bits", digest(alice, pgp.SHA224)),
		refuse("algorithm-other-rsa", malformed, "the signature has algorithm 3, the one-pass packet 1",
			slices.Concat(onePass(rsa2048), literal(), signed(&rsaSignOnly))),
		refuse("algorithm-dsa", weak, "a DSA signature", claiming(17)),
		refuse("algorithm-unknown", unsupported, "a signature by an algorithm that has no meaning yet", claiming(99)),
	} {
		v.keys = []string{"alice", "p384", "rsa1024", "rsa2048"}
		out = append(out, v)
	}
	return out
}

// The packets of a good message.
func onePass(k *pgp.Key) []byte { return pgp.Packet(pgp.TagOnePass, k.OnePass(standard(k))) }
func literal() []byte           { return pgp.Packet(pgp.TagLiteral, pgp.Literal(payload)) }
func signed(k *pgp.Key) []byte {
	return pgp.Packet(pgp.TagSignature, k.Sign(standard(k), payload))
}

// claiming returns a message that claims a signature by an algorithm.
func claiming(algorithm byte) []byte {
	claim := *alice
	claim.Algorithm = algorithm
	return good(&claim)
}

func framingVectors() []vector {
	ops, lit, sig := alice.OnePass(standard(alice)), pgp.Literal(payload), alice.Sign(standard(alice), payload)
	long := pgp.Literal(bytes.Repeat([]byte("long "), 2000))
	old := func(size int) []byte {
		return slices.Concat(pgp.OldPacket(pgp.TagOnePass, 1, ops), pgp.OldPacket(pgp.TagLiteral, size, lit),
			pgp.OldPacket(pgp.TagSignature, 2, sig))
	}
	partial := func(power int) []byte {
		return slices.Concat(onePass(alice), pgp.PartialPacket(pgp.TagLiteral, power, lit), signed(alice))
	}
	longMessage := slices.Concat(onePass(alice), pgp.PartialPacket(pgp.TagLiteral, 9, long),
		pgp.Packet(pgp.TagSignature, alice.Sign(standard(alice), long[6:])))
	whole := good(alice)
	return []vector{
		acceptAlice("header-old", "headers of the old format, lengths of two octets", old(2)),
		acceptAlice("header-old-4", "a length of four octets", old(4)),
		refuse("header-old-indeterminate", malformed, "a literal without an end swallows the signature", old(0)),
		acceptAlice("partial-512", "chunks of 512 octets", longMessage),
		acceptAlice("partial-2", "chunks of two octets, as golang.org/x/crypto writes", partial(1)),
		refuse("partial-signature", malformed, "a signature packet must have one length", slices.Concat(
			onePass(alice), literal(), pgp.PartialPacket(pgp.TagSignature, 5, sig))),
		refuse("partial-cut", malformed, "no last chunk follows", slices.Concat(onePass(alice), partialCut(lit))),
		refuse("truncated", malformed, "the last octet is missing", whole[:len(whole)-1]),
		refuse("truncated-header", malformed, "cut inside of a length", []byte{0xc4, 0xff, 0, 0}),
		refuse("truncated-old-header", malformed, "cut inside of a length", []byte{0x8a, 0, 0}),
		refuse("length-4gib", malformed, "a literal of 4 GiB", slices.Concat(onePass(alice),
			[]byte{0xc0 | pgp.TagLiteral, 0xff, 0xff, 0xff, 0xff, 0xff}, lit)),
		refuse("empty", malformed, "no octet", nil),
		refuse("text", malformed, "not OpenPGP", []byte("<html>404</html>")),
		refuse("armored", malformed, "only the binary form is accepted", pgp.Armor("PGP MESSAGE", whole)),
	}
}

// partialCut returns a packet without its last chunk.
func partialCut(body []byte) []byte {
	p := pgp.PartialPacket(pgp.TagLiteral, 4, body[:32])
	return p[:len(p)-1]
}

func compressionVectors() []vector {
	compressed := func(body []byte) []byte { return pgp.Packet(pgp.TagCompressed, body) }
	whole := good(alice)
	zip, zlib := compressedData(1, zipData), pgp.ZLIB(whole)
	none := append([]byte{0}, whole...)
	damaged := bytes.Clone(zlib)
	damaged[len(damaged)-1] ^= 1
	twice := pgp.ZIP(compressed(zlib))
	return []vector{
		acceptAlice("zip", "ZIP", compressed(zip)),
		acceptAlice("zip-indeterminate", "GnuPG's header: no length", pgp.OldPacket(pgp.TagCompressed, 0, zip)),
		acceptAlice("zip-partial", "chunks of 64 octets", pgp.PartialPacket(pgp.TagCompressed, 6, zip)),
		acceptAlice("zlib", "ZLIB", compressed(zlib)),
		acceptAlice("zip-stored", "ZIP that stores and does not compress", compressed(pgp.ZIP(whole))),
		acceptAlice("bzip2", "BZIP2", compressed(compressedData(3, bzip2Data))),
		acceptAlice("uncompressed", "the algorithm that does nothing", compressed(none)),
		acceptAlice("compressed-twice", "two levels", compressed(twice)),
		refuse("compressed-thrice", malformed, "three levels", compressed(pgp.ZIP(compressed(twice)))),
		refuse("compressed-bomb", malformed, "2 MiB of zeros", compressed(compressedData(2, zlibBombData))),
		refuse("compressed-bomb-bzip2", malformed, "560 MB of zeros in 433 octets", compressed(compressedData(3, bzip2BombData))),
		refuse("compressed-bomb-twice", malformed, "a bomb in a second level of BZIP2", compressed(compressedData(3, bzip2TwiceData))),
		refuse("compressed-unknown", malformed, "algorithm 9", compressed(append([]byte{9}, whole...))),
		refuse("compressed-empty", malformed, "a packet without a body", compressed(nil)),
		refuse("zip-damaged", malformed, "truncated", compressed(zip[:len(zip)-4])),
		refuse("zlib-damaged", malformed, "its checksum is wrong", compressed(damaged)),
		refuse("zlib-header", malformed, "not ZLIB", compressed([]byte{2, 0, 0, 0})),
		refuse("bzip2-damaged", malformed, "not BZIP2", compressed([]byte{3, 'B', 'Z', 'x'})),
		refuse("zip-then-data", malformed, "an octet behind the compressed stream", compressed(append(bytes.Clone(zip), 0))),
		refuse("zip-then-packet", malformed, "a packet behind the compressed one", append(compressed(zip), signed(alice)...)),
		refuse("zip-signature-outside", malformed, "the signature is not compressed with the rest",
			append(compressed(pgp.ZIP(slices.Concat(onePass(alice), literal()))), signed(alice)...)),
	}
}

func sequenceVectors() []vector {
	ops, lit, sig := onePass(alice), literal(), signed(alice)
	notLast := alice.OnePass(standard(alice))
	notLast[len(notLast)-1] = 0
	nested := pgp.Packet(pgp.TagOnePass, notLast)
	marker := pgp.Packet(pgp.TagMarker, []byte("PGP"))
	private := pgp.Packet(60, []byte("private"))
	huge := standard(alice, bytes.Repeat(pgp.Sub(100, make([]byte, 180)...), 100))
	sequence := func(name, comment string, packets ...[]byte) vector {
		return refuse(name, malformed, comment, slices.Concat(packets...))
	}
	return []vector{
		sequence("order-old-style", "the signature before the literal", sig, lit),
		sequence("order-no-signature", "a one-pass packet and data", ops, lit),
		sequence("order-no-literal", "nothing is signed", ops, sig),
		sequence("order-detached", "a signature alone", sig),
		sequence("order-unsigned", "a literal alone", lit),
		sequence("two-literals", "a second literal after the first", ops, lit, lit, sig),
		sequence("literal-before", "unsigned data first", lit, ops, lit, sig),
		sequence("literal-after", "unsigned data last", ops, lit, sig, lit),
		sequence("two-signatures", "two nested one-pass packets", nested, ops, lit, sig, sig),
		sequence("two-signatures-last", "two one-pass packets, both last", ops, ops, lit, sig, sig),
		sequence("signature-after", "a second signature without a one-pass packet", ops, lit, sig, sig),
		sequence("one-pass-not-last", "the only one-pass packet announces another", nested, lit, sig),
		sequence("two-messages", "a second message", ops, lit, sig, ops, lit, sig),
		sequence("marker-before", "a marker packet", marker, ops, lit, sig),
		sequence("marker-between", "a marker packet", ops, marker, lit, sig),
		sequence("private-packet-after", "a packet of private use", ops, lit, sig, private),
		sequence("octet-after", "one more octet", ops, lit, sig, []byte{0}),
		sequence("encrypted", "a session key packet", pgp.Packet(1, []byte{3}), pgp.Packet(18, []byte{1})),
		sequence("key", "a certificate", alice.Simple(uid)),
		sequence("trust-packet", "not a message", pgp.Packet(12, []byte{1})),
		sequence("literal-damaged", "a file name that is longer than the packet", ops,
			pgp.Packet(pgp.TagLiteral, []byte{'b', 200, 'x', 0, 0, 0, 0}), sig),
		refuse("signature-huge", malformed, "a signature packet of 18 KiB", alice.Message(huge, payload)),
		acceptAlice("literal-name", "format, file name and date are not signed and not read", slices.Concat(ops,
			pgp.Packet(pgp.TagLiteral, append([]byte("t\x08_CONSOLE\xff\xff\xff\xff"), payload...)), sig)),
		acceptAlice("payload-empty", "an empty payload", alice.Message(standard(alice), nil)),
	}
}

func onePassVectors() []vector {
	// with modifies one octet of the one-pass packet.
	with := func(k *pgp.Key, at int, value byte) []byte {
		ops := k.OnePass(standard(k))
		ops[at] = value
		return slices.Concat(pgp.Packet(pgp.TagOnePass, ops), literal(), signed(k))
	}
	cut := func(n int) []byte {
		return slices.Concat(pgp.Packet(pgp.TagOnePass, alice.OnePass(standard(alice))[:n]), literal(), signed(alice))
	}
	byMallory := slices.Concat(onePass(mallory), literal(), signed(alice))
	mixed := slices.Concat(onePass(v6), literal(), signed(alice))
	out := []vector{
		refuse("one-pass-version", version, "version 4", with(alice, 0, 4)),
		refuse("one-pass-type", malformed, "text mode, while the signature is binary", with(alice, 1, 1)),
		refuse("one-pass-digest", malformed, "another digest than that of the signature", with(alice, 2, pgp.SHA256)),
		refuse("one-pass-algorithm", malformed, "another algorithm than that of the signature", with(alice, 3, 22)),
		refuse("one-pass-other-key", malformed, "another key than that of the signature", byMallory),
		refuse("one-pass-v6-for-v4", malformed, "version 6 with a version 4 signature", mixed),
		refuse("one-pass-cut", malformed, "too short", cut(12)),
		refuse("one-pass-cut-early", malformed, "too short", cut(3)),
		refuse("one-pass-v6-salt", malformed, "another salt than that of the signature", with(v6, 5, 0xff)),
		refuse("one-pass-v6-salt-size", malformed, "a salt that is longer than the packet", with(v6, 4, 200)),
		refuse("one-pass-v6-fingerprint", malformed, "another fingerprint than that of the signature", with(v6, 5+32, 0xff)),
	}
	for i := range out {
		out[i].keys = append(out[i].keys, "v6")
	}
	return out
}

func signatureVectors() []vector {
	with := func(s pgp.Signature) []byte { return alice.Message(s, payload) }
	of := func(kind byte) []byte { return with(alice.Standard(kind, sigTime)) }
	bare := pgp.Signature{Version: 4, Type: pgp.TypeBinary, Digest: pgp.SHA512, Hashed: pgp.Sub32(pgp.SubCreated, sigTime)}
	timeless := pgp.Signature{Version: 4, Type: pgp.TypeBinary, Digest: pgp.SHA512, Unhashed: pgp.Sub32(pgp.SubCreated, sigTime)}
	unhashedOnly := bare
	unhashedOnly.Unhashed = pgp.Sub(pgp.SubIssuer, alice.ID()...)
	otherID := bare
	otherID.Unhashed = pgp.Sub(pgp.SubIssuer, mallory.ID()...)
	notation := append([]byte{0x80, 0, 0, 0, 0, 1, 0, 1}, "nv"...)
	shortSalt := standard(v6)
	shortSalt.Salt = shortSalt.Salt[:16]
	tampered := bytes.Clone(payload)
	tampered[len(tampered)-4] ^= 1
	sub := func(b ...byte) []byte { return with(standard(alice, pgp.Sub(b[0], b[1:]...))) }
	return []vector{
		acceptAlice("subpacket-unknown", "an unknown subpacket that is not critical", sub(100, 1)),
		acceptAlice("subpacket-notation", "a notation that is not critical", sub(append([]byte{pgp.SubNotation}, notation...)...)),
		acceptAlice("subpacket-policy", "a critical policy URI has no effect", sub(append([]byte{pgp.Critical | 26}, "https://example.invalid"...)...)),
		acceptAlice("subpacket-long", "a length of five octets", with(standard(alice, longForm(pgp.Sub(100, 1))))),
		acceptAlice("subpacket-two-octets", "a length of two octets", sub(append([]byte{100}, make([]byte, 300)...)...)),
		acceptAlice("issuer-key-id", "only an unhashed key ID names the key", with(unhashedOnly)),
		acceptAlice("issuer-one-pass", "only the one-pass packet names the key", with(bare)),
		acceptAlice("expiration-unhashed", "what is not signed has no effect", with(unhashed(standard(alice), pgp.Sub32(pgp.SubExpires, 1)))),
		refuse("subpacket-critical", malformed, "an unknown critical subpacket", sub(pgp.Critical|100, 1)),
		refuse("notation-critical", malformed, "a critical notation", sub(append([]byte{pgp.Critical | pgp.SubNotation}, notation...)...)),
		refuse("created-twice", malformed, "two creation times", with(standard(alice, pgp.Sub32(pgp.SubCreated, sigTime+1)))),
		refuse("created-not", malformed, "no creation time", with(pgp.Signature{Version: 4, Digest: pgp.SHA512})),
		refuse("created-unhashed", malformed, "a creation time that is not signed", with(timeless)),
		refuse("created-size", malformed, "a creation time of three octets", with(withArea(pgp.Sub(pgp.SubCreated, 1, 2, 3)))),
		refuse("subpacket-empty", malformed, "a subpacket of no octets", with(standard(alice, []byte{0}))),
		refuse("subpacket-cut", malformed, "a subpacket that is longer than its area", with(standard(alice, []byte{9, 100}))),
		refuse("subpacket-cut-length", malformed, "a cut length", with(standard(alice, []byte{200}))),
		refuse("subpacket-flood", malformed, "1000 subpackets", with(standard(alice, bytes.Repeat(pgp.Sub(100), 1000)))),
		refuse("issuer-size", malformed, "a key ID of seven octets", sub(pgp.SubIssuer, 1, 2, 3, 4, 5, 6, 7)),
		refuse("issuer-fingerprint-size", malformed, "a fingerprint of one octet", with(withArea(
			slices.Concat(pgp.Sub32(pgp.SubCreated, sigTime), pgp.Sub(pgp.SubIssuerFingerprint, 4, 1))))),
		refuse("issuer-other-key-id", malformed, "key ID and one-pass packet name different keys", with(otherID)),
		refuse("issuer-unhashed-other", malformed, "hashed and unhashed fingerprint differ",
			with(unhashed(standard(alice), pgp.Sub(pgp.SubIssuerFingerprint, append([]byte{4}, mallory.Fingerprint()...)...)))),
		refuse("type-text", malformed, "a text signature covers other bytes", of(pgp.TypeText)),
		refuse("type-certification", malformed, "a certification is no document signature", of(pgp.TypePositiveCert)),
		refuse("type-standalone", malformed, "a standalone signature covers no data", of(0x02)),
		refuse("version-2", version, "version 2", withVersion(2)),
		refuse("version-5", version, "version 5", withVersion(5)),
		refuse("payload-altered", bad, "one bit of the payload", slices.Concat(onePass(alice),
			pgp.Packet(pgp.TagLiteral, pgp.Literal(tampered)), signed(alice))),
		refuse("signature-altered", bad, "one bit of the signature", altered(good(alice), -1)),
		refuse("signature-cut", malformed, "the packet ends early", slices.Concat(onePass(alice), literal(),
			pgp.Packet(pgp.TagSignature, alice.Sign(standard(alice), payload)[:60]))),
		refuse("signature-long", malformed, "the packet has an octet too many", slices.Concat(onePass(alice), literal(),
			pgp.Packet(pgp.TagSignature, append(alice.Sign(standard(alice), payload), 0)))),
		refuse("v6-salt-size", malformed, "a salt of 16 octets with SHA-512", v6.Message(shortSalt, payload)),
		refuse("v6-issuer-key-id", malformed, "version 6 signatures name no key ID", v6.Message(
			standard(v6, pgp.Sub(pgp.SubIssuer, v6.ID()...)), payload)),
		refuse("unknown-key", unknown, "a key that is not trusted", good(mallory)),
		refuse("unknown-no-issuer", unknown, "nothing names a key", anonymous(bare)),
	}
}

// longForm gives a subpacket of less than 192 octets a length of five octets.
func longForm(sub []byte) []byte { return append([]byte{255, 0, 0, 0, sub[0]}, sub[1:]...) }

// withArea returns a signature with the given hashed area.
func withArea(area []byte) pgp.Signature {
	return pgp.Signature{Version: 4, Type: pgp.TypeBinary, Digest: pgp.SHA512, Hashed: area}
}

// withVersion returns a message whose signature packet has the given version.
func withVersion(version byte) []byte {
	sig := alice.Sign(standard(alice), payload)
	sig[0] = version
	return slices.Concat(onePass(alice), literal(), pgp.Packet(pgp.TagSignature, sig))
}

// altered flips a bit of the octet at an index, counted from the end if negative.
func altered(message []byte, at int) []byte {
	message[(at+len(message))%len(message)] ^= 1
	return message
}

// anonymous returns a message whose packets name the key ID zero.
func anonymous(s pgp.Signature) []byte {
	ops := alice.OnePass(s)
	copy(ops[4:12], make([]byte, 8))
	return slices.Concat(pgp.Packet(pgp.TagOnePass, ops), literal(), pgp.Packet(pgp.TagSignature, alice.Sign(s, payload)))
}

func timeVectors() []vector {
	at := func(created uint32, hashed ...[]byte) []byte {
		return alice.Message(alice.Standard(pgp.TypeBinary, created, hashed...), payload)
	}
	return []vector{
		refuse("signature-expired", "SignatureExpired", "valid for a day", at(sigTime, pgp.Sub32(pgp.SubExpires, day))),
		acceptAlice("signature-expires", "valid for ten years", at(sigTime, pgp.Sub32(pgp.SubExpires, 10*year))),
		acceptAlice("signature-expires-never", "a lifetime of zero is for ever", at(sigTime, pgp.Sub32(pgp.SubExpires, 0))),
		refuse("signature-in-future", "SignatureInFuture", "made tomorrow", at(now+day)),
		acceptAlice("signature-clock-skew", "made in four minutes", at(now+240)),
		refuse("signature-before-key", bad, "older than its key", at(keyTime-1)),
	}
}

func v3Vectors() []vector {
	v3 := pgp.Signature{Version: 3, Type: pgp.TypeBinary, Digest: pgp.SHA256, Created: sigTime}
	with := func(change func(*pgp.Signature)) []byte {
		s := v3
		change(&s)
		return rsa2048.Message(s, payload)
	}
	same := func(*pgp.Signature) {}
	size := rsa2048.Sign(v3, payload)
	size[1] = 6
	out := []vector{
		refuse("v3-sha1", weak, "SHA-1", with(func(s *pgp.Signature) { s.Digest = pgp.SHA1 })),
		refuse("v3-sha3", weak, "nothing writes version 3 with SHA-3", with(func(s *pgp.Signature) { s.Digest = pgp.SHA3512 })),
		refuse("v3-text", malformed, "text mode", with(func(s *pgp.Signature) { s.Type = pgp.TypeText })),
		refuse("v3-in-future", "SignatureInFuture", "made tomorrow", with(func(s *pgp.Signature) { s.Created = now + day })),
		refuse("v3-before-key", bad, "older than its key", with(func(s *pgp.Signature) { s.Created = keyTime - 1 })),
		refuse("v3-altered", bad, "one bit of the signature", altered(with(same), -1)),
		refuse("v3-ed25519", version, "version 3 is for RSA", alice.Message(v3, payload)),
		refuse("v3-hashed-size", malformed, "six hashed octets", slices.Concat(
			pgp.Packet(pgp.TagOnePass, rsa2048.OnePass(v3)), literal(), pgp.Packet(pgp.TagSignature, size))),
		refuse("v3-rsa1024", weak, "RSA of 1024 bits", rsa1024.Message(v3, payload)),
	}
	for i := range out {
		out[i].keys = []string{"alice", "rsa1024", "rsa2048"}
	}
	return append(out, accept("v3", "version 3, as old Red Hat signatures", rsa2048, "rsa2048", with(same)))
}
