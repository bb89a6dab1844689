// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openshift

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
)

// An Image that the server accepts but a typed client cannot decode would end every list
// and watch, and so stop the verification of all images. Each of these is close to the
// edge of what Go decodes: either the server refuses it, or both clients read it.
func TestWhatIsAcceptedIsReadable(t *testing.T) {
	signed := func(members string) string {
		return `"signatures":[{"type":"atomic","content":"YQ==",` + members + `}]`
	}
	content := func(text string) string { return `"signatures":[{"type":"atomic","content":"` + text + `"}]` }
	layer := func(size string) string { return `"dockerImageLayers":[{"name":"a","size":` + size + `}]` }
	tests := map[string]struct {
		members string
		refused string // the field; empty means accepted
	}{
		"time":                        {signed(`"created":"2020-01-01T00:00:00Z"`), ""},
		"time with nanoseconds":       {signed(`"created":"2020-01-01T00:00:00.123456789Z"`), ""},
		"time with offset":            {signed(`"created":"2020-01-01T00:00:00-23:59"`), "signatures[0].created"},
		"time before year 0 in UTC":   {signed(`"created":"0000-01-01T00:00:00+23:59"`), "signatures[0].created"},
		"time with picoseconds":       {signed(`"created":"2020-01-01T00:00:00.123456789012Z"`), "signatures[0].created"},
		"last time of all":            {signed(`"created":"9999-12-31T23:59:59.999999999Z"`), ""},
		"time of the year 0":          {signed(`"created":"0000-01-01T00:00:00Z"`), ""},
		"time with lower case":        {signed(`"created":"2020-01-01t00:00:00z"`), "signatures[0].created"},
		"time with odd fraction":      {signed(`"created":"2020-01-01T00:00:00x5Z"`), "signatures[0].created"},
		"time with odd offset":        {signed(`"created":"2020-01-01T00:00:00+99:99"`), "signatures[0].created"},
		"time without zone":           {signed(`"created":"2020-01-01T00:00:00"`), "signatures[0].created"},
		"time without date":           {signed(`"created":"2020-02-30T00:00:00Z"`), "signatures[0].created"},
		"time with leap second":       {signed(`"created":"2020-12-31T23:59:60Z"`), "signatures[0].created"},
		"empty time":                  {signed(`"created":""`), "signatures[0].created"},
		"time of the metadata":        {signed(`"metadata":{"creationTimestamp":"2020-01-01t00:00:00z"}`), "signatures[0].metadata.creationTimestamp"},
		"time of a probe":             {signed(`"conditions":[{"type":"Complete","status":"True","lastProbeTime":"2020-01-01t00:00:00z"}]`), "signatures[0].conditions[0].lastProbeTime"},
		"time of a transition":        {signed(`"conditions":[{"type":"Complete","status":"True","lastTransitionTime":"2020-01-01t00:00:00z"}]`), "signatures[0].conditions[0].lastTransitionTime"},
		"null in claims":              {signed(`"signedClaims":{"a":null}`), ""},
		"null in labels":              {signed(`"metadata":{"labels":{"a":null}}`), ""},
		"labels that are a list":      {signed(`"metadata":{"labels":[]}`), "signatures[0].metadata.labels"},
		"owners in the metadata":      {signed(`"metadata":{"ownerReferences":1,"managedFields":2}`), ""},
		"whole size as float":         {layer(`1e3`), ""},
		"largest size":                {layer(`9223372036854775807`), ""},
		"size past the largest":       {layer(`9223372036854775808`), "dockerImageLayers[0].size"},
		"huge size":                   {layer(`1e30`), "dockerImageLayers[0].size"},
		"broken size":                 {layer(`1.5`), "dockerImageLayers[0].size"},
		"base64 with loose last bits": {content(`AB==`), ""},
		"base64 without padding":      {content(`AAA`), "signatures[0].content"},
		"base64 of URLs":              {content(`__--`), "signatures[0].content"},
		"base64 in lines":             {content(`AAAA\nAAAA`), "signatures[0].content"},
		"no base64":                   {content(`!!!!`), "signatures[0].content"},
		"base64 padded in the middle": {content(`AA=A`), "signatures[0].content"},
		"schema 1 signature, null":    {`"dockerImageSignatures":[null]`, "dockerImageSignatures[0]"},
		"schema 1 signature, odd":     {`"dockerImageSignatures":["A"]`, "dockerImageSignatures[0]"},
		"null as signature":           {`"signatures":[null]`, "signatures[0]"},
		"null as layer":               {`"dockerImageLayers":[null]`, "dockerImageLayers[0]"},
		"metadata that is a list":     {`"dockerImageMetadata":[]`, "dockerImageMetadata"},
		"metadata that is a text":     {`"dockerImageMetadata":"x"`, "dockerImageMetadata"},
		"lone surrogate":              {`"dockerImageManifest":"\ud800"`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := images(t)
			answer, err := post(t, metav1.FieldValidationIgnore, body(t, "one", tt.members))
			switch {
			case tt.refused != "":
				if err == nil || !strings.Contains(string(answer), `"field":"`+tt.refused+`"`) {
					t.Errorf("create: %v: %s, want %s refused", err, answer, tt.refused)
				}
				return
			case err != nil:
				t.Fatalf("create: %v: %s, want none", err, answer)
			}
			if _, err := c.List(t.Context(), ofTest(t)); err != nil {
				t.Errorf("OpenShift's client: %v", err)
			}
			if err := assayClient(t).List(t.Context(), &imagev1.ImageList{}, client.MatchingLabels{testLabel: labelValue(t)}); err != nil {
				t.Errorf("Assay's client: %v", err)
			}
		})
	}
}
