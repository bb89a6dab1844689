// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package vectors

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// Parts of a signed schema 1 manifest. Its web signature is invalid: nothing checks it.
const (
	header    = `"header":{"jwk":{"crv":"P-256","kid":"AAAA","kty":"EC","x":"AA","y":"AA"},"alg":"ES256"}`
	signature = `"signature":"AAAA"`
	signedAt  = "2016-04-18T20:54:42Z"
)

// protect returns the protected header for a signed document with the first length bytes of the
// manifest and the tail.
func protect(length int, tail string) string {
	return fmt.Sprintf(`{"formatLength":%d,"formatTail":"%s","time":"%s"}`, length, encode(tail), signedAt)
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// block writes one element of signatures.
func block(protected string) string { return encodedBlock(`"` + encode(protected) + `"`) }

// encodedBlock writes one element of signatures with the given protected member.
func encodedBlock(protected string) string {
	return `{` + header + `,` + signature + `,"protected":` + protected + `}`
}

// sign adds the member signatures to a schema 1 manifest.
func sign(document, value string) string {
	return strings.TrimSuffix(document, "\n}") + ",\n   \"signatures\": " + value + "\n}"
}

// The usual signed manifest and its element of signatures.
var (
	open   = len(schema1Open)
	usual  = block(protect(open, "\n}"))
	signed = sign(schema1, "["+usual+"]")
)

// signedDocuments are signed manifests with anomalies in the document.
func signedDocuments() map[string]string {
	typed := len(schema1Typed) - len("\n}")
	typedAsSigned := replaced(schema1Typed, schema1Type, schema1SignedType)
	return map[string]string{
		"accept-schema1-signed":                   signed,
		"accept-schema1-signed-compact":           schema1Open + `,"signatures": [` + block(protect(open, "}")) + `]}`,
		"accept-schema1-signed-media-type":        sign(schema1Typed, "["+block(protect(typed, "\n}"))+"]"),
		"accept-schema1-signed-media-type-signed": sign(typedAsSigned, "["+block(protect(len(typedAsSigned)-2, "\n}"))+"]"),
		"accept-schema1-signed-white-space-in-payload": schema1Open + `  ,"signatures":[` +
			block(protect(open+1, " \n} \n")) + "]\n}\n",

		"ambiguous-case-signatures": replaced(signed, `"signatures"`, `"Signatures"`),
		"ambiguous-signed-first": replaced(schema1, `"schemaVersion"`,
			`"signatures": [`+block(protect(1, "\n}"))+"],\n   \"schemaVersion\""),
		"ambiguous-signed-not-last": replaced(signed, "]\n}", "],\n   \"more\": 1\n}"),
	}
}

// protectedHeaders are signed manifests with another protected header.
func protectedHeaders() map[string]string {
	usualMembers := fmt.Sprintf(`"formatLength":%d,"formatTail":"Cn0"`, open)
	timed := `,"formatTail":"Cn0","time":"` + signedAt + `"}`
	table := map[string]string{
		"ambiguous-signed-beyond-comma":         protect(open+1, "\n}"),
		"ambiguous-signed-longer-than-manifest": protect(999999, "\n}"),
		"ambiguous-signed-prefix-only":          protect(1, "}"),
		"ambiguous-signed-shorter":              protect(open-1, "\n}"),
		"ambiguous-signed-tail-adds-member":     protect(open, `,"tag2":"x"}`),
		"ambiguous-signed-tail-empty":           protect(open, ""),
		"ambiguous-signed-whole":                protect(len(signed), ""),

		"signatures-length-float":        fmt.Sprintf(`{"formatLength":%d.0`, open) + timed,
		"signatures-length-huge":         `{"formatLength":999999999999999999999999999999` + timed,
		"signatures-length-missing":      `{"formatTail":"Cn0"}`,
		"signatures-length-negative":     `{"formatLength":-1` + timed,
		"signatures-length-string":       fmt.Sprintf(`{"formatLength":"%d"`, open) + timed,
		"signatures-protected-case":      `{` + usualMembers + `,"FormatLength":1}`,
		"signatures-protected-duplicate": fmt.Sprintf(`{%s,"formatLength":%d}`, usualMembers, open),
		"signatures-protected-too-large": `{` + usualMembers + `,"x":"` + strings.Repeat("y", 4096) + `"}`,
		"signatures-tail-missing":        fmt.Sprintf(`{"formatLength":%d}`, open),
		"signatures-tail-number":         fmt.Sprintf(`{"formatLength":%d,"formatTail":1}`, open),
		"signatures-tail-padded":         fmt.Sprintf(`{"formatLength":%d,"formatTail":"Cn0="}`, open),
	}
	all := make(map[string]string, len(table))
	for name, protected := range table {
		all[name] = sign(schema1, "["+block(protected)+"]")
	}
	return all
}

// signatureBlocks are signed manifests with another value of signatures.
func signatureBlocks() map[string]string {
	table := map[string]string{
		"accept-schema1-signed-twice": `[` + usual + `,` + block(replaced(protect(open, "\n}"), signedAt, "2020-01-01T00:00:00Z")) + `]`,
		"accept-schema1-signed-unknown-members": `[` + strings.TrimSuffix(block(fmt.Sprintf(`{"formatLength":%d,"formatTail":"Cn0","x":[1]}`, open)), `}`) +
			`,"y":{}}]`,

		"signatures-none":             `[]`,
		"signatures-null":             `null`,
		"signatures-number":           `1`,
		"signatures-element-string":   `["x"]`,
		"signatures-too-many":         `[` + usual + strings.Repeat(`,`+usual, 64) + `]`,
		"signatures-lengths-differ":   `[` + usual + `,` + block(protect(open+1, "\n}")) + `]`,
		"signatures-tails-differ":     `[` + usual + `,` + block(protect(open, "}")) + `]`,
		"signatures-no-header":        `[` + replaced(usual, header+`,`, ``) + `]`,
		"signatures-no-signature":     `[` + replaced(usual, signature+`,`, ``) + `]`,
		"signatures-no-protected":     `[{"header":{},` + signature + `}]`,
		"signatures-header-string":    `[` + replaced(usual, header, `"header":"x"`) + `]`,
		"signatures-signature-number": `[` + replaced(usual, signature, `"signature":1`) + `]`,
		"signatures-case-protected":   `[` + strings.TrimSuffix(usual, `}`) + `,"Protected":"e30"}]`,

		// "e30" is "{}" in base64url, and "+/+/" uses the alphabet of plain base64.
		"signatures-protected-base64-standard": `[` + encodedBlock(`"+/+/"`) + `]`,
		"signatures-protected-empty":           `[` + encodedBlock(`""`) + `]`,
		"signatures-protected-line-feed":       `[` + encodedBlock(`"e3\n0"`) + `]`,
		"signatures-protected-not-json":        `[` + encodedBlock(`"eA"`) + `]`,
		"signatures-protected-number":          `[` + encodedBlock(`1`) + `]`,
		"signatures-protected-padded":          `[` + encodedBlock(`"e30="`) + `]`,
		"signatures-protected-spare-bits":      `[` + encodedBlock(`"e31"`) + `]`,
	}
	all := make(map[string]string, len(table))
	for name, value := range table {
		all[name] = sign(schema1, value)
	}
	return all
}
