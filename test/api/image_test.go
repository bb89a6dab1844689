// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strings"
	"testing"
)

// image returns an Image with the given members.
func image(t *testing.T, members string) map[string]any {
	t.Helper()
	o := object(t, members)
	o["apiVersion"], o["kind"], o["metadata"] = "image.openshift.io/v1", "Image", map[string]any{"name": "one"}
	return o
}

func TestInvalidImages(t *testing.T) {
	tests := map[string]struct {
		members string
		field   string
		message string
	}{
		"signature without type":      {`signatures: [{content: YQ==}]`, "signatures[0].type", "Required value"},
		"signature of empty type":     {`signatures: [{content: YQ==, type: ""}]`, "signatures[0].type", "should be at least 1 chars long"},
		"signature without content":   {`signatures: [{type: atomic}]`, "signatures[0].content", "Required value"},
		"signature of empty content":  {`signatures: [{type: atomic, content: ""}]`, "signatures[0].content", "should be at least 1 chars long"},
		"content that is not base64":  {`signatures: [{type: atomic, content: "?"}]`, "signatures[0].content", "must be of type byte"},
		"too many signatures":         {`signatures: [` + strings.Repeat("{type: a, content: YQ==},", 129) + `]`, "signatures", "must have at most 128 items"},
		"signatures as a map":         {`signatures: {}`, "signatures", "must be of type array"},
		"condition without type":      {`signatures: [{type: a, content: YQ==, conditions: [{status: "True"}]}]`, "signatures[0].conditions[0].type", "Required value"},
		"condition without status":    {`signatures: [{type: a, content: YQ==, conditions: [{type: Complete}]}]`, "signatures[0].conditions[0].status", "Required value"},
		"condition of unknown status": {`signatures: [{type: a, content: YQ==, conditions: [{type: Complete, status: Maybe}]}]`, "signatures[0].conditions[0].status", "Unsupported value"},
		"subject without key":         {`signatures: [{type: a, content: YQ==, issuedTo: {commonName: x}}]`, "signatures[0].issuedTo.publicKeyID", "Required value"},
		"odd time":                    {`signatures: [{type: a, content: YQ==, created: "2020-01-01t00:00:00z"}]`, "signatures[0].created", "should match"},
		"number in claims":            {`signatures: [{type: a, content: YQ==, signedClaims: {a: 1}}]`, "signatures[0].signedClaims.a", "must be of type string"},
		"long reference":              {`dockerImageReference: ` + strings.Repeat("a", 1025), "dockerImageReference", "Too long"},
		"manifest as an object":       {`dockerImageManifest: {}`, "dockerImageManifest", "must be of type string"},
		"size as text":                {`dockerImageLayers: [{name: a, size: "1"}]`, "dockerImageLayers[0].size", "must be of type integer"},
		"metadata as text":            {`dockerImageMetadata: "{}"`, "dockerImageMetadata", "must be of type object"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := dryCreate(t, imageResource, image(t, tt.members))
			refusedFor(t, err, []string{tt.field}, tt.message)
		})
	}
}

func TestValidImages(t *testing.T) {
	tests := map[string]string{
		"nothing":                "{}",
		"as many signatures":     `signatures: [` + strings.Repeat("{type: a, content: YQ==},", 128) + `]`,
		"same signature twice":   `signatures: [{type: a, content: YQ==}, {type: a, content: YQ==}]`,
		"other condition":        `signatures: [{type: a, content: YQ==, conditions: [{type: ForImage, status: Unknown}]}]`,
		"reference without host": `dockerImageReference: busybox`,
		"large content":          `signatures: [{type: a, content: "` + strings.Repeat("YWFh", 1<<16) + `"}]`,
	}
	for name, members := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := dryCreate(t, imageResource, image(t, members)); err != nil {
				t.Error(err)
			}
		})
	}
}
