// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package vectors

import (
	"fmt"
	"strings"
)

// Digests of a configuration and of a layer. Nothing reads the blobs.
const (
	configDigest = "sha256:b79606fb3afea5bd1609ed40b622142f1c98125abcfe89a76a661b0e8e343910"
	layerDigest  = "sha256:dac1d7cfa95021764849fd102524e141488c5e3a90f861dbb5a12d9ac8584f85"
)

// Media types.
const (
	ociManifestType    = "application/vnd.oci.image.manifest.v1+json"
	ociIndexType       = "application/vnd.oci.image.index.v1+json"
	dockerManifestType = "application/vnd.docker.distribution.manifest.v2+json"
	dockerListType     = "application/vnd.docker.distribution.manifest.list.v2+json"
	schema1Type        = "application/vnd.docker.distribution.manifest.v1+json"
	schema1SignedType  = "application/vnd.docker.distribution.manifest.v1+prettyjws"
	dockerConfigType   = "application/vnd.docker.container.image.v1+json"
	ociConfigType      = "application/vnd.oci.image.config.v1+json"
	ociLayerType       = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// Manifests of every kind and their members.
const (
	version2  = `"schemaVersion":2`
	ociConfig = `"config":{"mediaType":"` + ociConfigType + `","digest":"` + configDigest + `","size":2}`
	layer     = `{"mediaType":"` + ociLayerType + `","digest":"` + layerDigest + `","size":32}`
	layers    = `"layers":[` + layer + `]`
	platform  = `"platform":{"architecture":"arm64","os":"linux","os.features":[],"variant":"v8"}`
	sized     = `"size":500,` + platform
	manifests = `"manifests":[{"mediaType":"` + ociManifestType + `","digest":"` + configDigest + `",` + sized + `}]`

	ociManifest = `{` + version2 + `,"mediaType":"` + ociManifestType + `",` + ociConfig + `,` + layers + `}`
	ociIndex    = `{` + version2 + `,"mediaType":"` + ociIndexType + `",` + manifests + `}`

	history     = `"history":[{"v1Compatibility":"{\"id\":\"1\"}"}]`
	schema1Open = `{
   "schemaVersion": 1,
   "name": "team/app",
   "tag": "v1",
   "architecture": "amd64",
   "fsLayers":[{"blobSum":"` + layerDigest + `"}],
   ` + history
	schema1 = schema1Open + "\n}"
)

// Manifests that others derive from.
var (
	dockerManifest = strings.NewReplacer(ociManifestType, dockerManifestType, ociConfigType, dockerConfigType).Replace(ociManifest)
	dockerList     = replaced(ociIndex, ociIndexType, dockerListType)
	schema1Typed   = replaced(schema1, `"schemaVersion"`, `"mediaType":"`+schema1Type+"\",\n   \"schemaVersion\"")
)

// replaced replaces the first occurrence of a text.
func replaced(document, old, text string) string { return strings.Replace(document, old, text, 1) }

// with adds members at the end of a compact document.
func with(document, members string) string { return document[:len(document)-1] + "," + members + "}" }

// documents are manifests of every kind, and of none.
func documents() map[string]string {
	return map[string]string{
		"accept-docker-list":        dockerList,
		"accept-docker-manifest":    dockerManifest,
		"accept-oci-index":          ociIndex,
		"accept-oci-manifest":       ociManifest,
		"accept-schema1":            schema1,
		"accept-schema1-media-type": schema1Typed,
		"accept-oci-manifest-artifact": with(replaced(ociManifest, ociConfigType, "application/vnd.example.config+json"),
			`"artifactType":"application/x","subject":{"mediaType":"`+ociManifestType+`","digest":"`+configDigest+`","size":1},"annotations":{"a":"b","A":"B"}`),
		"accept-oci-manifest-trailing-line-feed": ociManifest + "\n",

		"ambiguous-index-and-layers":                 `{` + version2 + `,` + manifests + `,"layers":[]}`,
		"ambiguous-manifest-and-index-no-media-type": `{` + version2 + `,` + ociConfig + `,` + layers + `,"manifests":[]}`,

		"malformed-array":                  `[]`,
		"malformed-byte-order-mark":        "\ufeff" + ociManifest,
		"malformed-empty":                  ``,
		"malformed-nothing-essential":      `{` + version2 + `}`,
		"malformed-null":                   `null`,
		"malformed-oci-index-no-manifests": `{` + version2 + `,"mediaType":"` + ociIndexType + `"}`,
		"malformed-oci-manifest-no-config": `{` + version2 + `,"mediaType":"` + ociManifestType + `","layers":[]}`,
		"malformed-oci-manifest-no-layers": `{` + version2 + `,"mediaType":"` + ociManifestType + `","config":{}}`,
		"malformed-trailing-object":        ociManifest + "{}",
		"malformed-truncated":              ociManifest[:len(ociManifest)-1],
	}
}

// edits are manifests with one added member or one replaced text.
func edits() map[string]string {
	all := map[string]string{}
	for name, members := range additions() {
		all[name] = with(ociManifest, members)
	}
	for name, e := range replacements {
		all[name] = replaced(e.document, e.old, e.text)
	}
	return all
}

// additions are additional members of an OCI manifest.
func additions() map[string]string {
	return map[string]string{
		"accept-oci-manifest-null-subject":    `"subject":null`,
		"accept-oci-manifest-unknown-members": `"name":"x","signatures":[1],"extra":{"Layers":[],"manifests":[]}`,

		"ambiguous-case-in-subject":             `"subject":{"Digest":"x"}`,
		"ambiguous-case-layers":                 `"LAYERS":[]`,
		"ambiguous-case-long-s":                 `"layer` + "\u017f" + `":[]`,
		"ambiguous-case-manifests":              `"Manifests":[]`,
		"ambiguous-duplicate-after-unescaping":  `"l\u0061yers":[]`,
		"ambiguous-duplicate-in-unknown-member": `"x":{"a":1,"a":2}`,
		"ambiguous-duplicate-layers":            `"layers":[]`,
		"ambiguous-duplicate-media-type":        `"mediaType":"` + ociIndexType + `"`,
		"ambiguous-manifest-and-index":          `"manifests":[]`,
		"ambiguous-manifest-and-null-index":     `"manifests":null`,
		"ambiguous-manifest-and-schema1":        `"fsLayers":[],"history":[]`,

		"malformed-not-utf8": `"x":"` + "\xff" + `"`,
		// Including the enclosing object, 17 levels.
		"malformed-too-deep":         `"x":` + strings.Repeat("[", 16) + strings.Repeat("]", 16),
		"malformed-too-many-members": `"annotations":{` + annotations(4097) + `}`,
	}
}

// annotations writes n members.
func annotations(n int) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"%x":""`, i)
	}
	return strings.Join(members, ",")
}

// replacements are documents with one replaced text.
var replacements = map[string]struct{ document, old, text string }{
	"accept-docker-manifest-no-media-type": {dockerManifest, `"mediaType":"` + dockerManifestType + `",`, ``},
	"accept-oci-index-no-media-type":       {ociIndex, `"mediaType":"` + ociIndexType + `",`, ``},
	"accept-oci-index-null-manifests":      {ociIndex, manifests, `"manifests":null`},
	"accept-oci-index-null-platform":       {ociIndex, sized, `"size":1,"platform":null`},
	"accept-oci-manifest-empty-media-type": {ociManifest, ociManifestType, ``},
	"accept-oci-manifest-no-media-type":    {ociManifest, `"mediaType":"` + ociManifestType + `",`, ``},
	"accept-oci-manifest-null-layers":      {ociManifest, layers, `"layers":null`},

	"ambiguous-case-blob-sum": {schema1, `"blobSum"`, `"blobSum":"` + configDigest + `","blobsum"`},
	"ambiguous-case-digest-in-layer": {ociManifest, layer,
		`{"mediaType":"x","digest":"` + configDigest + `","Digest":"` + layerDigest + `","size":1}`},
	"ambiguous-case-in-platform":        {ociIndex, sized, `"size":1,"platform":{"OS":"linux"}`},
	"ambiguous-case-media-type":         {ociManifest, version2, `"mediatype":"` + ociIndexType + `",` + version2},
	"ambiguous-case-v1-compatibility":   {schema1, history, `"history":[{"v1compatibility":"{}"}]`},
	"ambiguous-duplicate-in-descriptor": {ociManifest, `"size":2`, `"digest":"` + layerDigest + `","size":2`},

	"ambiguous-index-and-manifest":             {ociIndex, manifests, manifests + `,"config":{},"layers":[]`},
	"ambiguous-index-called-docker-manifest":   {dockerList, dockerListType, dockerManifestType},
	"ambiguous-index-called-manifest":          {ociIndex, ociIndexType, ociManifestType},
	"ambiguous-list-and-schema1":               {dockerList, manifests, manifests + `,"fsLayers":[]`},
	"ambiguous-manifest-called-index":          {ociManifest, ociManifestType, ociIndexType},
	"ambiguous-manifest-called-schema1":        {ociManifest, ociManifestType, schema1Type},
	"ambiguous-manifest-called-schema1-signed": {ociManifest, ociManifestType, schema1SignedType},
	"ambiguous-manifest-version-of-schema1":    {ociManifest, version2, `"schemaVersion":1`},
	"ambiguous-schema1-and-index":              {schema1, history, history + ",\n   \"manifests\": []"},
	"ambiguous-schema1-and-manifest":           {schema1, history, history + ",\n   \"config\": {},\n   \"layers\": []"},
	"ambiguous-schema1-called-manifest":        {schema1Typed, schema1Type, dockerManifestType},
	"ambiguous-schema1-called-signed":          {schema1Typed, schema1Type, schema1SignedType},
	"ambiguous-schema1-version-of-manifest":    {schema1, `"schemaVersion": 1`, `"schemaVersion": 2`},

	"malformed-media-type-null":                       {ociManifest, `"` + ociManifestType + `"`, `null`},
	"malformed-media-type-unknown":                    {ociManifest, ociManifestType, `application/vnd.oci.artifact.manifest.v1+json`},
	"malformed-oci-manifest-config-media-type-number": {ociManifest, ociConfig, `"config":{"mediaType":1}`},
	"malformed-oci-manifest-layer-string":             {ociManifest, layer, `"x"`},
	"malformed-oci-manifest-layers-object":            {ociManifest, layers, `"layers":{}`},
	"malformed-oci-manifest-null-config":              {ociManifest, ociConfig, `"config":null`},
	"malformed-schema-version-3":                      {ociManifest, version2, `"schemaVersion":3`},
	"malformed-schema-version-float":                  {ociManifest, version2, `"schemaVersion":2.0`},
	"malformed-schema-version-missing":                {ociManifest, version2 + `,`, ``},
	"malformed-schema-version-string":                 {ociManifest, version2, `"schemaVersion":"2"`},
	"malformed-schema1-history-string":                {schema1, history, `"history":""`},
	"malformed-schema1-no-history":                    {schema1, ",\n   " + history, ``},
}
