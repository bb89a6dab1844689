// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	gopgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/google/go-cmp/cmp"
)

// TestInterop verifies messages signed by another implementation. Its keys have a primary key for
// signing and an encryption subkey.
func TestInterop(t *testing.T) {
	ecdsa := func(curve packet.Curve, hash crypto.Hash) packet.Config {
		return packet.Config{Algorithm: packet.PubKeyAlgoECDSA, Curve: curve, DefaultHash: hash,
			RejectCurves: map[packet.Curve]bool{}}
	}
	tests := map[string]packet.Config{
		"RSA":          {Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048},
		"EdDSA":        {Algorithm: packet.PubKeyAlgoEdDSA},
		"Ed25519":      {Algorithm: packet.PubKeyAlgoEd25519},
		"Ed448":        {Algorithm: packet.PubKeyAlgoEd448, DefaultHash: crypto.SHA512},
		"legacy Ed448": {Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve448, DefaultHash: crypto.SHA512},
		"version 6":    {Algorithm: packet.PubKeyAlgoEd25519, V6Keys: true},
		"P-256":        ecdsa(packet.CurveNistP256, crypto.SHA256),
		"P-384":        ecdsa(packet.CurveNistP384, crypto.SHA384),
		"P-521":        ecdsa(packet.CurveNistP521, crypto.SHA512),
		"brainpool256": ecdsa(packet.CurveBrainpoolP256, crypto.SHA256),
		"brainpool384": ecdsa(packet.CurveBrainpoolP384, crypto.SHA384),
		"brainpool512": ecdsa(packet.CurveBrainpoolP512, crypto.SHA512),
		"ML-DSA-65":    {Algorithm: packet.PubKeyAlgoMldsa65Ed25519, V6Keys: true},
		"ML-DSA-87":    {Algorithm: packet.PubKeyAlgoMldsa87Ed448, V6Keys: true},
		"secp256k1":    ecdsa(packet.CurveSecP256k1, crypto.SHA256),
	}
	payload := bytes.Repeat([]byte("what is signed "), 100)
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			created := testNow.Add(-time.Hour)
			config.Time = func() time.Time { return created }
			entity, err := gopgp.NewEntity("Name", "", "name@example.invalid", &config)
			if err != nil {
				t.Fatal(err)
			}
			var key bytes.Buffer
			if err := entity.Serialize(&key); err != nil {
				t.Fatal(err)
			}
			ring := NewKeyring(readKeysFrom(t, key.Bytes()))
			fingerprint := strings.ToUpper(hex.EncodeToString(entity.PrimaryKey.Fingerprint))
			want := &Verified{Payload: payload, Fingerprint: fingerprint, SigningFingerprint: fingerprint,
				UserID: "Name <name@example.invalid>", Created: created.UTC()}
			for _, compression := range []packet.CompressionAlgo{packet.CompressionNone, packet.CompressionZIP, packet.CompressionZLIB} {
				config.DefaultCompressionAlgo = compression
				got, err := verify(ring, signWith(t, entity, &config, payload), Options{Now: testNow})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func signWith(t *testing.T, entity *gopgp.Entity, config *packet.Config, payload []byte) []byte {
	t.Helper()
	var message bytes.Buffer
	w, err := gopgp.Sign(&message, []*gopgp.Entity{entity}, nil, config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(payload); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return message.Bytes()
}
