// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"encoding/base64"
	"fmt"
	"time"

	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/verify"
)

// exampleManifest is the manifest of registry.example.com/team/app:v1.
const exampleManifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
	`"config":{"mediaType":"application/vnd.oci.image.config.v1+json",` +
	`"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`

// exampleKey is the public key of the release team.
const exampleKey = `-----BEGIN PGP PUBLIC KEY BLOCK-----

xjMEZZIAgBYJKwYBBAHaRw8BAQdARQdgZDrp885HpLORue5NGJUmTe4cAe/eaXAb
LFz3MA7NHVJlbGVhc2UgPHJlbGVhc2VAZXhhbXBsZS5jb20+wngEExYKACAFAmWS
AIAWIQRB8EZcWtxXwccfFGZBqOv3AP5lvAIbAwAKCRBBqOv3AP5lvE9rAPoCLUNt
t1Lmg/I8OIWx2jPPdYxaeXsoh4I1HOJF5W13VAD9FDnMYbDWjvteFJk6jNkNyh3h
SqbuPli/ZWt01Sz42gU=
-----END PGP PUBLIC KEY BLOCK-----
`

// exampleSignature is an atomic container signature by the release team, in base64.
const exampleSignature = "xA0DAAoWQajr9wD+ZbwBy8A2YgAAAAAAeyJjcml0aWNhbCI6eyJ0eXBlIjoiYXRvbWljIGNvbnRh" +
	"aW5lciBzaWduYXR1cmUiLCJpbWFnZSI6eyJkb2NrZXItbWFuaWZlc3QtZGlnZXN0Ijoic2hhMjU2" +
	"OmYyMGM0MzE2MWQ3Mzg0ODQwOGVmMjQ3ZjBlYzcxMTFiMTlmZTU4ZmZlYmMwY2JjYWEwZDJjOGJk" +
	"YTQ5NjcyNjgifSwiaWRlbnRpdHkiOnsiZG9ja2VyLXJlZmVyZW5jZSI6InJlZ2lzdHJ5LmV4YW1w" +
	"bGUuY29tL3RlYW0vYXBwOnYxIn19LCJvcHRpb25hbCI6e319wnUEABYKAB0FAmWTUgAWIQRB8EZc" +
	"WtxXwccfFGZBqOv3AP5lvAAKCRBBqOv3AP5lvOu4AP9vQqFsvYyfZjYX7786bIYm+dijnUY6DDmk" +
	"ZzWH5WejKQD/aMUMaPE3R33TiJfWNf7ORLq4S/wB52LOUBscJD1wtQk="

// A signed image is verified when all policies that apply to it are satisfied.
func Example() {
	formats := signature.Formats()
	file, err := signature.ParseKeyFile(formats, []byte(exampleKey))
	if err != nil {
		fmt.Println(err)
		return
	}
	content, err := base64.StdEncoding.DecodeString(exampleSignature)
	if err != nil {
		fmt.Println(err)
		return
	}
	identity, err := imageref.NewMatcher(imageref.Rule{Match: imageref.MatchRepository})
	if err != nil {
		fmt.Println(err)
		return
	}
	in := verify.Input{
		Now: time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC),
		Image: verify.Image{
			Reference:  verify.ParseReference("registry.example.com/team/app:v1"),
			Manifest:   verify.ParseManifest([]byte(exampleManifest), ""),
			Signatures: []verify.Signature{{Type: "atomic", Content: content}},
		},
		Policies: []verify.Policy{{
			Name:     "team",
			Scope:    "registry.example.com/team",
			Identity: identity,
			Trust:    signature.NewTrust(formats, []verify.NamedKeyFile{{Entry: "release", File: file}}),
		}},
	}
	verifier := verify.New(formats...)

	verdict := verifier.Check(in)
	fmt.Println(verdict.Outcome, verdict.Digest)
	fmt.Println(verdict.Message)
	for _, s := range verdict.Signatures {
		fmt.Println(s.Outcome, "for", s.Claims.Identity, "by", s.Claims.Subject.CommonName)
	}

	// The same signature does not verify another image.
	in.Image.Manifest = verify.ParseManifest([]byte(exampleManifest+"\n"), "")
	verdict = verifier.Check(in)
	fmt.Println(verdict.Outcome, verdict.Reason)
	// Output:
	// verified sha256:f20c43161d73848408ef247f0ec7111b19fe58ffebc0cbcaa0d2c8bda4967268
	// signed by 1 trusted key; TrustPolicy team requires 1
	// verified for registry.example.com/team/app:v1 by Release <release@example.com>
	// refused DigestMismatch
}
