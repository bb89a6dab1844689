// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/opencontainers/go-digest"
)

// The signed image, which all contenders verify.
const (
	imageReference = "registry.example.com/team/app:v1"
	imageScope     = "registry.example.com/team"
)

// framing is the packing of the signed message.
type framing string

const (
	plain framing = "plain"
	// zipped is the format of gpg, and thus of skopeo and podman.
	zipped framing = "ZIP"
)

// fixture is one signature with everything needed to verify it.
type fixture struct {
	algorithm string
	framing   framing

	certificate []byte // Binary, the signer's public key.
	content     []byte // The signature.
	message     []byte // The signature without compression.
	manifest    []byte
}

// newFixtures generates a key of every algorithm, and both framings of a signature by it. The keys
// are like gpg's by default: a primary key that signs, one user ID and a subkey for encryption.
// They cost containers/image time, because it checks the self-signatures in each evaluation of a
// policy.
func newFixtures(created time.Time) ([]fixture, error) {
	var fixtures []fixture
	manifest := newManifest()
	for _, kind := range []struct {
		algorithm string
		config    packet.Config
	}{
		{"RSA-2048", packet.Config{RSABits: 2048}},
		{"RSA-4096", packet.Config{RSABits: 4096}},
		// Algorithm 22, which gpg supports, and not its successor in RFC 9580.
		{"Ed25519", packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519}},
		{"P-256", packet.Config{Algorithm: packet.PubKeyAlgoECDSA, Curve: packet.CurveNistP256}},
	} {
		kind.config.Time = func() time.Time { return created }
		certificate, message, err := sign(newPayload(manifest, created), &kind.config)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind.algorithm, err)
		}
		compressed, err := compress(message)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind.algorithm, err)
		}
		f := fixture{algorithm: kind.algorithm, certificate: certificate, message: message, manifest: manifest}
		f.framing, f.content = plain, message
		fixtures = append(fixtures, f)
		f.framing, f.content = zipped, compressed
		fixtures = append(fixtures, f)
	}
	return fixtures, nil
}

// sign generates a key and signs a payload with it.
func sign(payload []byte, config *packet.Config) (certificate, message []byte, err error) {
	signer, err := openpgp.NewEntity("Release", "", "release@example.com", config)
	if err != nil {
		return nil, nil, err
	}
	var public, signed bytes.Buffer
	if err := signer.Serialize(&public); err != nil {
		return nil, nil, err
	}
	w, err := openpgp.Sign(&signed, []*openpgp.Entity{signer}, nil, config)
	if err != nil {
		return nil, nil, err
	}
	_, err = w.Write(payload)
	err = errors.Join(err, w.Close()) // Closing writes the signature.
	return public.Bytes(), signed.Bytes(), err
}

// compress packs a message like gpg: in a packet of indeterminate length with a header of the old
// format, ZIP, level 6 (RFC 9580 sections 4.2.2 and 5.6).
func compress(message []byte) ([]byte, error) {
	const header, algorithm, level = 0xa3, 1, 6
	out := bytes.NewBuffer([]byte{header, algorithm})
	w, err := flate.NewWriter(out, level)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(message)
	err = errors.Join(err, w.Close())
	return out.Bytes(), err
}

// newPayload writes a payload like skopeo and podman, containers-signature(5).
func newPayload(manifest []byte, created time.Time) []byte {
	return fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},`+
		`"type":"atomic container signature"},"optional":{"creator":"containers/image 5.42.0","timestamp":%d}}`,
		imageReference, digest.FromBytes(manifest), created.Unix())
}

// newManifest writes a manifest of common size: a configuration and five layers.
func newManifest() []byte {
	const layers = 5
	var b strings.Builder
	descriptor := func(kind string, n int) {
		fmt.Fprintf(&b, `{"mediaType":"application/vnd.oci.image.%s","digest":%q,"size":%d}`,
			kind, digest.FromString(fmt.Sprint(kind, n)), 1<<20+n)
	}
	b.WriteString(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":`)
	descriptor("config.v1+json", 0)
	b.WriteString(`,"layers":[`)
	for n := range layers {
		if n > 0 {
			b.WriteByte(',')
		}
		descriptor("layer.v1.tar+gzip", n)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

// readSigned splits a message into the signed content and the signature for the floor.
func readSigned(message []byte) (payload []byte, signature *packet.Signature, err error) {
	packets := packet.NewReader(bytes.NewReader(message))
	for {
		p, err := packets.Next()
		if err != nil {
			return nil, nil, err
		}
		switch p := p.(type) {
		case *packet.LiteralData:
			if payload, err = io.ReadAll(p.Body); err != nil {
				return nil, nil, err
			}
		case *packet.Signature:
			return payload, p, nil
		}
	}
}
