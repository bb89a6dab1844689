// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagecache_test

import (
	"fmt"
	"strings"

	"github.com/assay-project/assay/internal/imagejson"
)

// hostile are the members of Images that a stranger stored, with the fault that the cache must
// find, empty if it must not matter. They are called so that one or another comes first in
// lists.
var hostile = map[string]struct{ members, fault string }{
	"deep-metadata":                          {`"dockerImageMetadata":` + nested(9998, "a", "1") + `,` + oneSignature, ""},
	"deep-arrays":                            {`"dockerImageMetadata":{"a":` + strings.Repeat("[", 9990) + strings.Repeat("]", 9990) + `},` + oneSignature, ""},
	"lower-case-time-in-status-is-set-later": {oneSignature, ""},

	"year-before-0000":   {signature(`"metadata":{"creationTimestamp":"0000-01-01T00:00:00+23:59"}`), "signatures[0].metadata.creationTimestamp: in UTC, the time has a year that RFC 3339 cannot write"},
	"year-after-9999":    {signature(`"created":"9999-12-31T23:59:59-23:59"`), "signatures[0].created: in UTC, the time has a year that RFC 3339 cannot write"},
	"lower-case-time":    {signature(`"created":"2026-01-01t00:00:00z"`), "signatures[0].created: the value is not a time as in RFC 3339"},
	"no-time":            {signature(`"conditions":[{"type":"Complete","lastProbeTime":"yesterday"}]`), "signatures[0].conditions[0].lastProbeTime: the value is not a time as in RFC 3339"},
	"large-integer":      {signature(`"metadata":{"generation":1e20}`), "signatures[0].metadata.generation: the value is not an integer of 64 bits"},
	"fraction":           {signature(`"metadata":{"generation":1.5}`), "signatures[0].metadata.generation: the value is not an integer of 64 bits"},
	"layer-size":         {`"dockerImageLayers":[{"size":1e30}],` + oneSignature, ""},
	"manifest-size":      {`"dockerImageManifests":[{"manifestSize":0.5}],` + oneSignature, ""},
	"no-base64":          {`"signatures":[{"type":"atomic","content":"_-__"}]`, "signatures[0].content: the value is not base64"},
	"schema-1-no-base64": {`"dockerImageSignatures":["?"],` + oneSignature, ""},
	"status-integer":     {`"status":{"conditions":[{"observedGeneration":1e30}]},` + oneSignature, ""},
	"one-megabyte":       {signature(`"content":"` + strings.Repeat("YWFh", 330_000) + `"`), "signatures: their content takes more than 128 KiB"},
	"many-signatures":    {`"signatures":[` + strings.Repeat(`{"type":"atomic","content":"YQ=="},`, imagejson.MaxSignatures) + `{"type":"atomic","content":"YQ=="}]`, "signatures: there are more than 128"},
	"many-claims":        {signature(`"signedClaims":{` + manyMembers(20_000) + `}`), "signatures: what they hold beside their content takes more than 384 KiB"},
	"long-reference":     {`"dockerImageReference":"` + strings.Repeat("a", 2000) + `",` + oneSignature, "a text of the metadata or the reference is longer than 1024 bytes"},
	"long-claim-name":    {signature(`"signedClaims":{"` + strings.Repeat("a", 5000) + `":""}`), "signatures[0].signedClaims: the name of a member is longer than 4096 bytes"},
	"escaped-manifest":   {`"dockerImageManifest":"` + strings.Repeat("<", 200_000) + `",` + oneSignature, ""},
	"not-utf8":           {"\"dockerImageConfig\":\"\xff\",\"dockerImageReference\":\"\\ud800\"," + oneSignature, ""},
}

const oneSignature = `"signatures":[{"type":"atomic","content":"YQ=="}]`

// signature is a signature with the given members; content is given unless it is among them.
func signature(members string) string {
	if !strings.Contains(members, `"content"`) {
		members += `,"content":"YQ=="`
	}
	return `"signatures":[{"type":"atomic",` + members + `}]`
}

// nested returns objects of the given depth around leaf.
func nested(depth int, name, leaf string) string {
	return strings.Repeat(`{"`+name+`":`, depth) + leaf + strings.Repeat("}", depth)
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"%d":"",`, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}
