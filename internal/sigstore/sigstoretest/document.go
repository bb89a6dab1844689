// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstoretest

import (
	"crypto"
	"fmt"
	"testing"
	"time"
)

// Media types of bundles.
const (
	Bundle01 = "application/vnd.dev.sigstore.bundle+json;version=0.1"
	Bundle02 = "application/vnd.dev.sigstore.bundle+json;version=0.2"
	Bundle03 = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

// PredicateSign is the predicate type of image signatures.
const PredicateSign = "https://sigstore.dev/cosign/sign/v1"

// Payload returns the payload of cosign for an image.
func Payload(t testing.TB, digest, reference string) []byte {
	t.Helper()
	return JSON(t, Object{
		"critical": Object{
			"type":     "cosign container image signature",
			"image":    Object{"docker-manifest-digest": digest},
			"identity": Object{"docker-reference": reference},
		},
		"optional": nil,
	})
}

// Statement returns an in-toto statement for an image by its SHA-256 digest.
func Statement(t testing.TB, predicateType, digits string) []byte {
	t.Helper()
	return JSON(t, Object{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": predicateType,
		"subject": []Object{{"digest": Object{"sha256": digits}, "annotations": Object{}}},
	})
}

// PAE returns what the signature in an envelope is over.
func PAE(payload []byte) []byte {
	const kind = "application/vnd.in-toto+json"
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(payload), payload)
}

// Blob returns a signature in the form of containers/image.
func Blob(t testing.TB, payload, signature []byte, annotations map[string]string) []byte {
	t.Helper()
	all := map[string]string{"dev.cosignproject.cosign/signature": Base64(signature)}
	for name, value := range annotations {
		all[name] = value
	}
	return append([]byte("\x00sigstore-json\n"), JSON(t, Object{
		"mimeType": "application/vnd.dev.cosign.simplesigning.v1+json", "payload": Base64(payload), "annotations": all,
	})...)
}

// Envelope returns a bundle with a DSSE envelope.
func Envelope(mediaType string, payload, signature []byte, material Object) Object {
	return Object{
		"mediaType": mediaType, "verificationMaterial": material,
		"dsseEnvelope": Object{
			"payload": Base64(payload), "payloadType": "application/vnd.in-toto+json",
			"signatures": []Object{{"sig": Base64(signature), "keyid": ""}},
		},
	}
}

// Message returns a bundle with a signature over content.
func Message(mediaType string, content, signature []byte, material Object) Object {
	return Object{
		"mediaType": mediaType, "verificationMaterial": material,
		"messageSignature": Object{
			"messageDigest": Object{"algorithm": "SHA2_256", "digest": Base64(Digest(crypto.SHA256, content))},
			"signature":     Base64(signature),
		},
	}
}

// Raw is a certificate, or anything else that is bytes, in a document.
func Raw(der []byte) Object { return Object{"rawBytes": Base64(der)} }

// TrustedRoot returns the document with everything that the instance has.
func (i *Instance) TrustedRoot(t testing.TB) Object {
	t.Helper()
	valid := Object{"start": Time.AddDate(-1, 0, 0).Format(time.RFC3339), "end": nil}
	log := func(l *Log, details string) Object {
		return Object{
			"baseUrl": "https://" + l.Origin, "hashAlgorithm": "SHA2_256", "logId": Object{"keyId": Base64(l.ID)},
			"publicKey": Object{"rawBytes": Base64(SPKI(t, l.Key)), "keyDetails": details, "validFor": valid},
		}
	}
	authority := func(chain ...[]byte) Object {
		certificates := []Object{}
		for _, der := range chain {
			certificates = append(certificates, Raw(der))
		}
		return Object{
			"subject": Object{"organization": "example.com"}, "uri": "https://example.com",
			"certChain": Object{"certificates": certificates}, "validFor": valid,
		}
	}
	const ecdsa = "PKIX_ECDSA_P256_SHA_256"
	return Object{
		"mediaType":              "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"tlogs":                  []Object{log(i.RekorV1, ecdsa), log(i.RekorV2, "PKIX_ED25519")},
		"ctlogs":                 []Object{log(i.CT, ecdsa)},
		"certificateAuthorities": []Object{authority(i.Intermediate.Certificate.Raw, i.Root.Certificate.Raw)},
		"timestampAuthorities":   []Object{authority(i.TSA.Certificate.Raw, i.TSA.CA.Certificate.Raw)},
	}
}
