// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/manifest"
)

// index returns an index with descriptors.
func index(descriptors ...string) []byte {
	return []byte(`{"schemaVersion":2,"manifests":[` + strings.Join(descriptors, ",") + `]}`)
}

func TestChildren(t *testing.T) {
	a := digest.FromString("a")
	quoted := fmt.Sprintf("%q", a)
	for name, c := range map[string]struct {
		manifest []byte
		want     []manifest.Child
	}{
		"two platforms": {
			index(`{"digest":`+quoted+`,"platform":{"os":"linux","architecture":"amd64"}}`, fmt.Sprintf(`{"platform":{"os":"linux"},"digest":%q}`, digest.FromString("b"))),
			[]manifest.Child{{Digest: a}, {Digest: digest.FromString("b")}},
		},
		"an attestation": {
			index(`{"digest":` + quoted + `,"platform":{"architecture":"unknown","os":"unknown"}}`), []manifest.Child{{Digest: a, IsAttestation: true}},
		},
		// A node may run these.
		"no platform":                {index(`{"digest":` + quoted + `}`), []manifest.Child{{Digest: a}}},
		"platform null":              {index(`{"digest":` + quoted + `,"platform":null}`), []manifest.Child{{Digest: a}}},
		"platform that is no object": {index(`{"digest":` + quoted + `,"platform":"unknown"}`), []manifest.Child{{Digest: a}}},
		"half a platform":            {index(`{"digest":` + quoted + `,"platform":{"os":"unknown"}}`), []manifest.Child{{Digest: a}}},
		"unknown system":             {index(`{"digest":` + quoted + `,"platform":{"os":"unknown","architecture":"amd64"}}`), []manifest.Child{{Digest: a}}},
		"other case":                 {index(`{"digest":` + quoted + `,"platform":{"os":"Unknown","architecture":"unknown"}}`), []manifest.Child{{Digest: a}}},
		// These are counted, and can be no image.
		"no digest":      {index(`{}`), []manifest.Child{{}}},
		"a number":       {index(`{"digest":1}`), []manifest.Child{{}}},
		"a short digest": {index(`{"digest":"sha256:ab"}`), []manifest.Child{{}}},
		"upper case":     {index(`{"digest":"` + strings.ToUpper(a.String()) + `"}`), []manifest.Child{{}}},
		"empty":          {index(), nil},
		"no index":       {[]byte(`{"schemaVersion":2,"config":{"digest":` + quoted + `},"layers":[]}`), nil},
		"too many":       {index(slices.Repeat([]string{`{"digest":` + quoted + `}`}, manifest.MaxChildren+1)...), nil},
		"as many as can": {index(slices.Repeat([]string{`{"digest":` + quoted + `}`}, manifest.MaxChildren)...), slices.Repeat([]manifest.Child{{Digest: a}}, manifest.MaxChildren)},
	} {
		info, err := manifest.Inspect(c.manifest)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, info.Children); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
