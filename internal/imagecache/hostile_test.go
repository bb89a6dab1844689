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
var hostile = map[string]struct {
	members, fault string
	// ends is whether the Image ends the lists and watches of typed clients.
	ends bool
}{
	"deep-metadata":       {`"dockerImageMetadata":` + nested(9998, "a", "1") + `,` + oneSignature, "", true},
	"deep-arrays":         {`"dockerImageMetadata":{"a":` + strings.Repeat("[", 9998) + strings.Repeat("]", 9998) + `},` + oneSignature, "", true},
	"deep-managed-fields": {oneSignature, "", true},
	"deep-by-apply":       {oneSignature, "", true},

	"year-before-0000":   {signature(`"metadata":{"creationTimestamp":"0000-01-01T00:00:00+23:59"}`), "signatures[0].metadata.creationTimestamp: in UTC, the time has a year that RFC 3339 cannot write", false},
	"year-after-9999":    {signature(`"created":"9999-12-31T23:59:59-23:59"`), "signatures[0].created: in UTC, the time has a year that RFC 3339 cannot write", false},
	"lower-case-time":    {signature(`"created":"2026-01-01t00:00:00z"`), "signatures[0].created: the value is not a time as in RFC 3339", true},
	"no-time":            {signature(`"conditions":[{"type":"Complete","lastProbeTime":"yesterday"}]`), "signatures[0].conditions[0].lastProbeTime: the value is not a time as in RFC 3339", true},
	"large-integer":      {signature(`"metadata":{"generation":1e20}`), "signatures[0].metadata.generation: the value is not an integer of 64 bits", true},
	"fraction":           {signature(`"metadata":{"generation":1.5}`), "signatures[0].metadata.generation: the value is not an integer of 64 bits", true},
	"layer-size":         {`"dockerImageLayers":[{"size":1e30}],` + oneSignature, "", true},
	"manifest-size":      {`"dockerImageManifests":[{"manifestSize":0.5}],` + oneSignature, "", true},
	"no-base64":          {`"signatures":[{"type":"atomic","content":"_-__"}]`, "signatures[0].content: the value is not base64", true},
	"schema-1-no-base64": {`"dockerImageSignatures":["?"],` + oneSignature, "", true},
	"one-megabyte":       {signature(`"content":"` + strings.Repeat("YWFh", 330_000) + `"`), "signatures: their content takes more than 128 KiB", false},
	"many-signatures":    {`"signatures":[` + strings.Repeat(`{"type":"atomic","content":"YQ=="},`, imagejson.MaxSignatures) + `{"type":"atomic","content":"YQ=="}]`, "signatures: there are more than 128", false},
	"many-claims":        {signature(`"signedClaims":{` + manyMembers(20_000) + `}`), "signatures: what they hold beside their content takes more than 384 KiB", false},
	"long-reference":     {`"dockerImageReference":"` + strings.Repeat("a", 2000) + `",` + oneSignature, "a text of the metadata or the reference is longer than 1024 bytes", false},
	"long-claim-name":    {signature(`"signedClaims":{"` + strings.Repeat("a", 5000) + `":""}`), "signatures[0].signedClaims: the name of a member is longer than 4096 bytes", false},
	"escaped-manifest":   {`"dockerImageManifest":"` + strings.Repeat("<", 200_000) + `",` + oneSignature, "", false},
	"not-utf8":           {"\"dockerImageConfig\":\"\xff\",\"dockerImageReference\":\"\\ud800\"," + oneSignature, "", false},
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
