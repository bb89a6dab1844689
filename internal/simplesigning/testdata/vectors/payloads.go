// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package vectors

import (
	"fmt"
	"strings"
)

// The usual payload and its parts.
const (
	hex       = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" // SHA-256 of "test"
	reference = "registry.example.com:5000/team/app:v1"

	typeMember      = `"type":"atomic container signature"`
	digestMember    = `"docker-manifest-digest":"sha256:` + hex + `"`
	imageMember     = `"image":{` + digestMember + `}`
	referenceMember = `"docker-reference":"` + reference + `"`
	identityMember  = `"identity":{` + referenceMember + `}`
	criticalMember  = `"critical":{` + typeMember + `,` + imageMember + `,` + identityMember + `}`
	optionalObject  = `{"creator":"tool 1.0","timestamp":1483228800}`
	optionalMember  = `"optional":` + optionalObject
	plain           = `{` + criticalMember + `,` + optionalMember + `}`
)

// documents are complete payloads.
var documents = map[string]string{
	"accept-plain": plain,
	"accept-order-and-white-space": "\n { \"optional\" : { } ,\r\n\t\"critical\" : { \"identity\" : { \"docker-reference\" : \"" + reference +
		"\" } , \"image\" : { \"docker-manifest-digest\" : \"sha256:" + hex + "\" } , \"type\" : \"atomic container signature\" } } \n",
	"accept-escaped-names": `{"critical":{"\u0074ype":"atomic container signature","image":{"docker-manifest\u002ddigest":"sha256:` + hex +
		`"},"identity":{"docker-reference":"registry.example.com:5000\/team\/app:v1"}},` + optionalMember + `}`,

	"reject-empty":            "",
	"reject-white-space":      " \n",
	"reject-nul":              "\x00",
	"reject-byte-order-mark":  "\ufeff" + plain,
	"reject-trailing-nul":     plain + "\x00",
	"reject-trailing-object":  plain + "{}",
	"reject-truncated":        plain[:len(plain)-1],
	"reject-comment":          plain[:len(plain)-1] + "/**/}",
	"reject-top-array":        "[" + plain + "]",
	"reject-top-case":         `{"Critical":{},"optional":{}}`,
	"reject-critical-case":    `{"critical":{"Type":"atomic container signature","image":{},"identity":{}},` + optionalMember + `}`,
	"reject-critical-missing": `{"optional":{}}`,
	"reject-critical-null":    `{"critical":null,` + optionalMember + `}`,
	"reject-optional-missing": `{` + criticalMember + `}`,
	"reject-type-missing":     `{"critical":{` + imageMember + `,"identity":{"docker-reference":"x"}},` + optionalMember + `}`,
	"reject-image-missing":    `{"critical":{` + typeMember + `,"identity":{"docker-reference":"x"}},` + optionalMember + `}`,
	"reject-critical-unknown": `{"critical":{` + typeMember + `,` + imageMember + `,"identity":{"docker-reference":"x"},"must":1},` + optionalMember + `}`,
}

// edits are the usual payload with one replaced text.
func edits() map[string]string {
	table := map[string][2]string{
		"accept-reference-1024-bytes":  {reference, strings.Repeat("a", 1024)},
		"accept-reference-is-any-text": {reference, `Not A Reference\u0000`},
		"accept-sha384":                {"sha256:" + hex, "sha384:768412320f7b0aa5812fce428dc4706b3cae50e02a64caa16a782249bfe8efc4b7ef1ccb126255d196047dfedf17a0a9"},
		"accept-sha512": {"sha256:" + hex, "sha512:ee26b0dd4af7e749aa1a8ee3c10ae9923f618980772e473f8819a5d4940e0db2" +
			"7ac185f8a0e1d5f84f88bc887fd67b143732c304cc5fa9ad8e6f57f50028a8ff"},

		"reject-top-duplicate-critical":   {optionalMember, optionalMember + `,` + criticalMember},
		"reject-top-unknown":              {optionalMember, optionalMember + `,"extra":1`},
		"reject-type-null":                {`"atomic container signature"`, `null`},
		"reject-type-other":               {`atomic container`, `cosign container image`},
		"reject-digest-algorithm":         {"sha256:" + hex, "sha1:11f6ad8ec52a2984abaafd7c3b516503785c2072"},
		"reject-digest-duplicate-escaped": {digestMember, digestMember + `,"docker-manifest-\u0064igest":"sha256:` + hex + `"`},
		"reject-digest-empty":             {"sha256:" + hex, ""},
		"reject-digest-missing":           {digestMember, ""},
		"reject-digest-number":            {`"sha256:` + hex + `"`, "1"},
		"reject-digest-path":              {hex, "../../../../etc/passwd"},
		"reject-digest-short":             {hex, hex[:len(hex)-1]},
		"reject-digest-upper-case":        {hex, strings.ToUpper(hex)},
		"reject-image-case-shadow":        {digestMember, digestMember + `,"Docker-Manifest-Digest":"sha256:` + hex + `"`},
		// U+212A, the Kelvin sign, folds onto k.
		"reject-image-fold-shadow":    {digestMember, digestMember + `,"doc` + "\u212a" + `er-manifest-digest":"sha256:` + hex + `"`},
		"reject-image-unknown":        {digestMember, digestMember + `,"x":1`},
		"reject-identity-missing":     {`,` + identityMember, ""},
		"reject-identity-string":      {`{` + referenceMember + `}`, `"x"`},
		"reject-reference-1025-bytes": {reference, strings.Repeat("a", 1025)},
		"reject-reference-empty":      {reference, ""},
		"reject-reference-missing":    {referenceMember, ""},
		"reject-reference-null":       {`"` + reference + `"`, `null`},
		"reject-optional-array":       {optionalObject, `[]`},
		"reject-optional-null":        {optionalObject, `null`},
	}
	all := make(map[string]string, len(table))
	for name, edit := range table {
		all[name] = strings.Replace(plain, edit[0], edit[1], 1)
	}
	return all
}

// optionals are the usual payload with other optional members.
func optionals() map[string]string {
	table := map[string]string{
		"accept-no-timestamp-trailing-blank":    `"creator":"tool "`,
		"accept-optional-number-beyond-float64": `"n":1e1000000000`,
		"accept-optional-unknown-members":       `"Creator":"not the creator","a":{"z":[1,2.50,{"k":null}],"b":"\u003c` + "\u2028" + `"},"n":1e2,"t":true,"u":null,"s":"x"`,
		"accept-timestamp-2pow53plus1":          `"timestamp":9007199254740993`,
		"accept-timestamp-exponent":             `"timestamp":1.4832288e9`,
		"accept-timestamp-max":                  `"timestamp":9223372036854775807`,
		"accept-timestamp-min":                  `"timestamp":-9223372036854775808`,
		"accept-timestamp-negative-zero":        `"timestamp":-0`,
		"accept-timestamp-one-point-zero":       `"timestamp":1483228800.0`,
		"accept-timestamp-year-10000":           `"timestamp":253402300800`,

		"accept-claims-cut": `"creator":"` + strings.Repeat("c", 1025) + `","x` + strings.Repeat("y", 200) + `":"` + strings.Repeat("v", 1018) + `\n"`,
		"accept-claims-escaped": `"creator":"a\u001b[31m` + "\u202eb\u200b" + `\\u202e\ud83d\ude00` + "\ue000\U000e0001é" +
			`","na\nme` + "\u2066" + `":"v"`,
		"accept-claims-same-when-cut": `"` + strings.Repeat("k", 200) + `b":"second","` + strings.Repeat("k", 200) + `a":"first"`,
		"accept-claims-too-many":      numbers(30) + `"creator":"tool","timestamp":0`,

		"reject-creator-duplicate":           `"creator":"a","creator":"b"`,
		"reject-creator-line-feed":           `"creator":"a` + "\n" + `b"`,
		"reject-creator-lone-surrogate":      `"creator":"\ud800"`,
		"reject-creator-null":                `"creator":null`,
		"reject-creator-number":              `"creator":1`,
		"reject-not-utf8":                    `"creator":"` + "\xff" + `"`,
		"reject-timestamp-fraction":          `"timestamp":1483228800.5`,
		"reject-timestamp-huge-exponent":     `"timestamp":1e1000000000`,
		"reject-timestamp-leading-zero":      `"timestamp":01`,
		"reject-timestamp-string":            `"timestamp":"1483228800"`,
		"reject-timestamp-too-large":         `"timestamp":9223372036854775808`,
		"reject-trailing-comma":              `"creator":"x",`,
		"reject-unknown-duplicate":           `"x":{"a":1,"\u0061":2}`,
		"reject-unknown-duplicate-of-itself": `"x":1,"x":1`,
		"reject-unknown-malformed":           `"x":[1,]`,
		"reject-unknown-string-malformed":    `"x":"\q"`,
		// Including the two enclosing objects, 17 levels.
		"reject-unknown-too-deep": `"x":` + strings.Repeat("[", 15) + strings.Repeat("]", 15),
		"reject-too-many-members": zeros(257),
	}
	all := make(map[string]string, len(table))
	for name, members := range table {
		all[name] = `{` + criticalMember + `,"optional":{` + members + `}}`
	}
	return all
}

// numbers writes n members, the last first: the order in the document differs from that of the
// claims.
func numbers(n int) string {
	var b strings.Builder
	for i := n - 1; i >= 0; i-- {
		fmt.Fprintf(&b, `"m%02d":%d,`, i, i)
	}
	return b.String()
}

// zeros writes n members.
func zeros(n int) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"%d":0`, i)
	}
	return strings.Join(members, ",")
}
