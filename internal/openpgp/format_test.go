// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"crypto/elliptic"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func TestNextPacket(t *testing.T) {
	type result struct {
		Tag        packetTag
		Body, Rest string
		Err        error
	}
	body := bytes.Repeat([]byte("x"), 10)
	long := bytes.Repeat([]byte("y"), 200)
	tests := map[string]struct {
		data []byte
		want result
	}{
		"new":                   {append(pgp.Packet(2, body), "rest"...), result{2, string(body), "rest", nil}},
		"new, two octets":       {pgp.Packet(2, long), result{2, string(long), "", nil}},
		"new, five octets":      {append([]byte{0xc2, 0xff, 0, 0, 0, 10}, body...), result{2, string(body), "", nil}},
		"new, empty":            {[]byte{0xc2, 0}, result{2, "", "", nil}},
		"old, one octet":        {append(pgp.OldPacket(2, 1, body), "rest"...), result{2, string(body), "rest", nil}},
		"old, two octets":       {pgp.OldPacket(2, 2, long), result{2, string(long), "", nil}},
		"old, four octets":      {pgp.OldPacket(2, 4, body), result{2, string(body), "", nil}},
		"old, indeterminate":    {pgp.OldPacket(8, 0, body), result{8, string(body), "", nil}},
		"partial":               {append(pgp.PartialPacket(11, 2, body), "rest"...), result{11, string(body), "rest", nil}},
		"partial, one octet":    {pgp.PartialPacket(11, 0, body), result{11, string(body), "", nil}},
		"none":                  {nil, result{Err: errNoPacket}},
		"no header":             {[]byte("x"), result{Err: errNoPacket}},
		"new, no length":        {[]byte{0xc2}, result{Tag: 2, Err: errTruncated}},
		"new, half a length":    {[]byte{0xc2, 192}, result{Tag: 2, Err: errTruncated}},
		"new, cut length":       {[]byte{0xc2, 0xff, 0}, result{Tag: 2, Err: errTruncated}},
		"new, cut":              {[]byte{0xc2, 2, 0}, result{Tag: 2, Err: errTruncated}},
		"old, no length":        {[]byte{0x88}, result{Tag: 2, Err: errTruncated}},
		"old, cut":              {[]byte{0x88, 2, 0}, result{Tag: 2, Err: errTruncated}},
		"old, 4 GiB":            {[]byte{0x8a, 255, 255, 255, 255, 0}, result{Tag: 2, Err: errTruncated}},
		"old, indeterminate, 2": {pgp.OldPacket(2, 0, body), result{Tag: 2, Err: errPartial}},
		"partial, key":          {pgp.PartialPacket(6, 2, body), result{Tag: 6, Err: errPartial}},
		"partial, cut":          {[]byte{0xcb, 0xe1, 0}, result{Tag: 11, Err: errTruncated}},
		"partial, no last":      {[]byte{0xcb, 0xe0, 0}, result{Tag: 11, Err: errTruncated}},
		"partial, 1 GiB":        {[]byte{0xcb, 0xfe, 0}, result{Tag: 11, Err: errTruncated}},
	}
	for name, test := range tests {
		p, rest, err := nextPacket(test.data)
		got := result{p.tag, string(p.body), string(rest), err}
		if err != nil {
			got.Body = ""
		}
		if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b error) bool { return a == b })); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// deflated returns the body of a compressed data packet, ZIP or ZLIB, with actual compression.
func deflated(t testing.TB, algorithm byte, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteByte(algorithm)
	var w io.WriteCloser = zlib.NewWriter(&b)
	if algorithm == compressionZIP {
		w, _ = flate.NewWriter(&b, flate.BestCompression) // The level is valid.
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestContentSize(t *testing.T) {
	for size, want := range map[int]string{
		maxContentSize:     "the content is not an OpenPGP message",
		maxContentSize + 1: "the content is larger than 256 KiB; signatures take a few kilobytes",
	} {
		if _, err := ParseMessage(make([]byte, size)); err == nil || err.Error() != want {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// TestDecompressedSize: a level may grow up to the limit, and the buffer of a large message is not
// kept.
func TestDecompressedSize(t *testing.T) {
	for size, want := range map[int]string{
		maxDecompressedSize:     "the content is not an OpenPGP message",
		maxDecompressedSize + 1: "the message decompresses to more than 160 KiB",
	} {
		for _, algorithm := range []byte{compressionZIP, compressionZLIB} {
			_, err := ParseMessage(pgp.Packet(pgp.TagCompressed, deflated(t, algorithm, make([]byte, size))))
			if err == nil || err.Error() != want {
				t.Errorf("algorithm %d of %d bytes: %v", algorithm, size, err)
			}
		}
	}
}

// TestLargeMessagesNeedABudget: a level that decompresses to more than a usual message, and every
// BZIP2, asks the budget once, and is neither refused nor read without one.
func TestLargeMessagesNeedABudget(t *testing.T) {
	compressed := func(algorithm byte, content []byte) []byte {
		return pgp.Packet(pgp.TagCompressed, deflated(t, algorithm, content))
	}
	twice := compressed(compressionZIP, compressed(compressionZLIB, make([]byte, maxLightSize+1)))
	for name, test := range map[string]struct {
		content []byte
		asks    int
	}{
		"ZIP":                       {compressed(compressionZIP, make([]byte, maxLightSize)), 0},
		"large ZIP":                 {compressed(compressionZIP, make([]byte, maxLightSize+1)), 1},
		"ZLIB":                      {compressed(compressionZLIB, make([]byte, maxLightSize)), 0},
		"large ZLIB":                {compressed(compressionZLIB, make([]byte, maxLightSize+1)), 1},
		"large ZLIB in a small ZIP": {twice, 1},
		"large and not compressed": {
			pgp.Packet(pgp.TagCompressed, append([]byte{compressionNone}, make([]byte, maxLightSize+1)...)), 1,
		},
		"BZIP2": {readVectorNamed(t, "bzip2").content, 1},
	} {
		for _, allow := range []bool{true, false} {
			asked := 0
			_, err := ParseMessageWithin(test.content, func() bool { asked++; return allow })
			var e *Error
			over := errors.As(err, &e) && e.Code == OverBudget
			if asked != test.asks || over != (!allow && asked > 0) {
				t.Errorf("%s, allowed: %v: asked %d times, error %v, want %d times", name, allow, asked, err, test.asks)
			}
		}
	}
}

// TestBombs: refusing a bomb allocates at most a few times the limit, for the growth of its buffer,
// plus the needs of the decompressor. BZIP2 needs a block of up to 900,000 numbers of four octets,
// and allocates it again for a subsequent stream with larger blocks.
func TestBombs(t *testing.T) {
	const growth, block = 5 * maxDecompressedSize, 4 * 100_000
	bzip2Bomb := readVectorNamed(t, "compressed-bomb-bzip2").content
	growing := []byte{compressionBZIP2}
	for level := '1'; level < '9'; level++ {
		growing = append(growing, "BZh"+string(level)+"\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00"...)
	}
	p, _, err := nextPacket(bzip2Bomb)
	if err != nil {
		t.Fatal(err)
	}
	growing = append(growing, p.body[1:]...)
	for name, test := range map[string]struct {
		content []byte
		limit   uint64
	}{
		"ZLIB":             {readVectorNamed(t, "compressed-bomb").content, growth},
		"BZIP2":            {bzip2Bomb, growth + 9*block},
		"BZIP2 in BZIP2":   {readVectorNamed(t, "compressed-bomb-twice").content, growth + 2*9*block},
		"growing blocks":   {pgp.Packet(pgp.TagCompressed, growing), growth + (1+2+3+4+5+6+7+8+9)*block},
		"BZIP2 in nothing": {pgp.Packet(pgp.TagCompressed, append([]byte{compressionNone}, bzip2Bomb...)), growth + 9*block},
	} {
		want := "the message decompresses to more than 160 KiB"
		if _, err := ParseMessage(test.content); err == nil || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
		const runs = 5
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			_, _ = ParseMessage(test.content)
		}
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) / runs; got > test.limit {
			t.Errorf("%s: %d bytes are allocated, more than %d", name, got, test.limit)
		}
	}
}

func TestCodeString(t *testing.T) {
	for p, want := range map[Code]string{0: "Code(0)", Malformed: "Malformed", SignatureInFuture: "SignatureInFuture", 99: "Code(99)"} {
		if got := p.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestParseSignatureTruncated: a truncated signature packet of any version is damaged.
func TestParseSignatureTruncated(t *testing.T) {
	v6 := pgp.Ed25519(6, testKeyTime, "v6")
	rsa := pgp.RSA(testKeyTime, 2048, "rsa2048")
	for name, body := range map[string][]byte{
		"v3": rsa.Sign(pgp.Signature{Version: 3, Digest: pgp.SHA256}, nil),
		"v4": testAlice.Sign(testAlice.Standard(pgp.TypeBinary, testKeyTime), nil),
		"v6": v6.Sign(v6.Standard(pgp.TypeBinary, testKeyTime), nil),
	} {
		if _, err := parseSignature(body); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for n := range body {
			if _, err := parseSignature(body[:n]); err == nil {
				t.Errorf("%s: %d of %d octets are accepted", name, n, len(body))
			}
		}
	}
}

// TestIntegerForms: a version 6 signature must not have a second form through the lengths of its
// integers (RFC 9580 section 3.2). Older versions may have leading zeros.
func TestIntegerForms(t *testing.T) {
	tests := map[string]struct {
		data         []byte
		exact, loose bool
	}{
		"exact":            {[]byte{0, 9, 1, 2}, true, true},
		"exact, one octet": {[]byte{0, 8, 0x80}, true, true},
		"more bits":        {[]byte{0, 10, 1, 2}, false, true},
		"fewer bits":       {[]byte{0, 9, 2, 2}, false, true},
		"a leading zero":   {[]byte{0, 16, 0, 2}, false, true},
		"no bits":          {[]byte{0, 0}, false, true},
		"cut":              {[]byte{0, 9, 1}, false, false},
		"too many bits":    {append([]byte{0xff, 0xff}, make([]byte, 8192)...), false, false},
	}
	for name, test := range tests {
		_, _, exact := splitInteger(test.data, true)
		_, _, loose := splitInteger(test.data, false)
		if exact != test.exact || loose != test.loose {
			t.Errorf("%s: accepted in version 6: %t, before: %t", name, exact, loose)
		}
	}
	k := pgp.ECDSA(6, testKeyTime, elliptic.P256(), "v6 integers")
	ring := NewKeyring(readKeysFrom(t, k.Simple("v6")))
	message := k.Message(k.Standard(pgp.TypeBinary, testKeyTime), []byte("payload"))
	if _, err := verify(ring, message, Options{Now: testNow}); err != nil {
		t.Fatal(err)
	}
	message[len(message)-33] ^= 1 // In the length of the last integer of 32 octets.
	if got, err := verify(ring, message, Options{Now: testNow}); err == nil || asError(t, err).Code != Malformed {
		t.Errorf("with another length of an integer: %v, %v", got, err)
	}
}

// TestMalformedSubpackets covers both areas.
func TestMalformedSubpackets(t *testing.T) {
	embedded := pgp.Sub(pgp.SubEmbedded, 4)
	tests := map[string]struct{ hashed, unhashed []byte }{
		"embedded twice":               {nil, join(embedded, embedded)},
		"embedded in both":             {embedded, embedded},
		"unhashed key ID":              {nil, pgp.Sub(pgp.SubIssuer, 1)},
		"unhashed fingerprint":         {nil, pgp.Sub(pgp.SubIssuerFingerprint, 9)},
		"unhashed damaged":             {nil, []byte{3, 2}},
		"primary user ID size":         {pgp.Sub(pgp.SubPrimaryUserID), nil},
		"designated revoker size":      {pgp.Sub(pgp.SubRevocationKey, 0x80, 1), nil},
		"length of five octets is cut": {[]byte{255, 0, 0}, nil},
	}
	for name, test := range tests {
		s := testAlice.Standard(pgp.TypeBinary, testKeyTime, test.hashed)
		s.Unhashed = append(s.Unhashed, test.unhashed...)
		parsed, err := parseSignature(testAlice.Sign(s, nil))
		if err != nil || parsed.err == nil || parsed.err.Code != Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHints: each hint must allow the key, and a key ID of zero is no hint.
func TestHints(t *testing.T) {
	k := &publicKey{keyID: 1, fingerprint: []byte("the fingerprint")}
	tests := map[string]struct {
		hint issuerHint
		want bool
	}{
		"none":                   {issuerHint{}, true},
		"key ID":                 {issuerHint{keyID: 1, hasKeyID: true}, true},
		"zero":                   {issuerHint{hasKeyID: true}, true},
		"another key ID":         {issuerHint{keyID: 2, hasKeyID: true}, false},
		"fingerprint":            {issuerHint{fingerprint: []byte("the fingerprint")}, true},
		"another fingerprint":    {issuerHint{keyID: 1, hasKeyID: true, fingerprint: []byte("another")}, false},
		"fingerprint, bad ID":    {issuerHint{keyID: 2, hasKeyID: true, fingerprint: []byte("the fingerprint")}, false},
		"fingerprint, no key ID": {issuerHint{hasKeyID: true, fingerprint: []byte("the fingerprint")}, true},
	}
	for name, test := range tests {
		for side, s := range map[string]*signature{
			"signed":   {claims: claims{issuer: test.hint}},
			"unsigned": {claims: claims{unhashedIssuer: test.hint}},
		} {
			if got := s.mayBeIssuedBy(k); got != test.want {
				t.Errorf("%s, %s: %t", name, side, got)
			}
		}
	}
}

// TestOnePassWithoutKeyID: the issuer in the signature suffices.
func TestOnePassWithoutKeyID(t *testing.T) {
	message := testAlice.Message(testAlice.Standard(pgp.TypeBinary, testKeyTime), []byte("payload"))
	const header, keyID = 2, 4 // Offset of the key ID in the one-pass packet.
	clear(message[header+keyID : header+keyID+8])
	got, err := verify(NewKeyring(readKeysFrom(t, testAlice.Simple("alice"))), message, Options{Now: testNow})
	if err != nil || string(got.Payload) != "payload" {
		t.Errorf("got %v, %v", got, err)
	}
}
