// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/google/go-cmp/cmp"
)

// sharedFixtures are generated once: the keys take seconds.
var sharedFixtures = sync.OnceValues(func() ([]fixture, error) {
	return newFixtures(time.Now().Add(-time.Hour))
})

func testFixtures(t *testing.T) []fixture {
	t.Helper()
	fixtures, err := sharedFixtures()
	if err != nil {
		t.Fatal(err)
	}
	return fixtures
}

// TestFixtures checks that the signatures have the properties in their names.
func TestFixtures(t *testing.T) {
	type facts struct {
		Title     string
		Framing   byte // First octet: a one-pass packet, or a compressed one.
		Algorithm packet.PublicKeyAlgorithm
	}
	const onePass, compressed = 0xc4, 0xa3
	var got []facts
	for _, f := range testFixtures(t) {
		_, signature, err := readSigned(f.message)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, facts{f.algorithm + " " + string(f.framing), f.content[0], signature.PubKeyAlgo})
	}
	want := []facts{
		{"RSA-2048 plain", onePass, packet.PubKeyAlgoRSA},
		{"RSA-2048 ZIP", compressed, packet.PubKeyAlgoRSA},
		{"RSA-4096 plain", onePass, packet.PubKeyAlgoRSA},
		{"RSA-4096 ZIP", compressed, packet.PubKeyAlgoRSA},
		{"Ed25519 plain", onePass, packet.PubKeyAlgoEdDSA},
		{"Ed25519 ZIP", compressed, packet.PubKeyAlgoEdDSA},
		{"P-256 plain", onePass, packet.PubKeyAlgoECDSA},
		{"P-256 ZIP", compressed, packet.PubKeyAlgoECDSA},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fixtures (-want +got):\n%s", diff)
	}
}

// TestContendersAccept checks that all contenders accept the same signatures, so that the benchmark
// cannot compare failures.
func TestContendersAccept(t *testing.T) {
	for _, f := range testFixtures(t) {
		contenders, err := newContenders(f)
		if err != nil {
			t.Fatal(err)
		}
		for r, verify := range contenders {
			if err := verify(); err != nil {
				t.Errorf("%s %s: contender %d: %v", f.algorithm, f.framing, r, err)
			}
		}
	}
}

// TestContendersRefuse checks that all contenders verify: none accepts one altered octet in the
// signed content or the signature.
func TestContendersRefuse(t *testing.T) {
	for _, f := range testFixtures(t) {
		for name, offset := range map[string]int{
			"payload":   bytes.Index(f.message, []byte("timestamp")),
			"signature": len(f.message) - 1,
		} {
			t.Run(f.algorithm+" "+string(f.framing)+" "+name, func(t *testing.T) {
				contenders, err := newContenders(alter(t, f, offset))
				if err != nil {
					t.Fatal(err)
				}
				for r, verify := range contenders {
					if verify() == nil {
						t.Errorf("contender %d accepts an altered %s", r, name)
					}
				}
			})
		}
	}
}

// alter changes one octet of the message and packs it again.
func alter(t *testing.T, f fixture, offset int) fixture {
	t.Helper()
	f.message = bytes.Clone(f.message)
	f.message[offset] ^= 1
	f.content = f.message
	if f.framing == zipped {
		var err error
		if f.content, err = compress(f.message); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestContendersRefuseAnotherManifest(t *testing.T) {
	f := testFixtures(t)[0]
	f.manifest = append(bytes.Clone(f.manifest), '\n')
	contenders, err := newContenders(f)
	if err != nil {
		t.Fatal(err)
	}
	for r, verify := range contenders {
		// Two contenders check only the message.
		wants := role(r) == floor || role(r) == message
		if got := verify() == nil; got != wants {
			t.Errorf("contender %d: accepted %v, want %v", r, got, wants)
		}
	}
}
