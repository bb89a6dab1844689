// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha512"
	"testing"

	"github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// benchmarkCases are a message, plain and compressed, with the bare operation
// of the standard library that it cannot be faster than.
func benchmarkCases(b *testing.B) map[string]struct {
	plain messageVector
	floor func() bool
} {
	read := func(name string) (messageVector, *signature, *publicKey) {
		v := readVectorNamed(b, name)
		m, err := ParseMessage(v.content)
		if err != nil {
			b.Fatal(err)
		}
		return v, &m.signature, readKeys(b, v.keys...)[0].primary
	}
	payload := func(v messageVector, s *signature) []byte {
		m, _ := ParseMessage(v.content)
		return append(append(m.untrustedPayload, s.hashed...), 4, 0xff, 0, 0, 0, byte(len(s.hashed)))
	}
	cases := map[string]struct {
		plain messageVector
		floor func() bool
	}{}
	for _, name := range []string{"rsa2048", "rsa4096"} {
		v, s, key := read(name)
		data, public := payload(v, s), key.verifier.(*rsa.PublicKey)
		signed := padTo(s.material[0], public.Size())
		v.name = name
		cases[name] = struct {
			plain messageVector
			floor func() bool
		}{v, func() bool {
			sum := sha512.Sum512(data)
			return rsa.VerifyPKCS1v15(public, crypto.SHA512, sum[:], signed) == nil
		}}
	}
	v, s, key := read("ed25519")
	data, public := payload(v, s), key.verifier.(ed25519.PublicKey)
	cases["ed25519"] = struct {
		plain messageVector
		floor func() bool
	}{v, func() bool {
		sum := sha512.Sum512(data)
		return ed25519.Verify(public, sum[:], s.material[0])
	}}
	return cases
}

// BenchmarkVerify measures reading and verifying a message against the bare
// operation.
func BenchmarkVerify(b *testing.B) {
	for name, c := range benchmarkCases(b) {
		ring := NewKeyring(readKeys(b, c.plain.keys...)...)
		zip := openpgptest.Packet(openpgptest.TagCompressed, deflated(b, compressionZIP, c.plain.content))
		run := func(content []byte) func(*testing.B) {
			return func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := verify(ring, content, c.plain.options()); err != nil {
						b.Fatal(err)
					}
				}
			}
		}
		b.Run(name+"/floor", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !c.floor() {
					b.Fatal("the signature is not valid")
				}
			}
		})
		b.Run(name+"/plain", run(c.plain.content))
		b.Run(name+"/zip", run(zip))
	}
}

// TestAllocations holds the number of allocations down: a verification of a
// plain message makes at most 60.
func TestAllocations(t *testing.T) {
	for _, name := range []string{"rsa2048", "ed25519", "rsa2048-zip"} {
		v := readVectorNamed(t, name)
		ring := NewKeyring(readKeys(t, v.keys...)...)
		got := testing.AllocsPerRun(100, func() {
			if _, err := verify(ring, v.content, v.options()); err != nil {
				t.Error(err)
			}
		})
		if got > 60 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}
