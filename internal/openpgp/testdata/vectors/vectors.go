// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package vectors generates the test vectors of internal/openpgp: certificates in keys and messages
// in messages, one defect per file. The output is the same every time and with every release of Go:
// it contains the output of compressors verbatim.
//
// A message file is text: lines of "Name: value", an empty line, and the content in base64. Names:
//
//	Comment      the subject of the vector
//	Expect       "Accept", or the code of the refusal
//	Key          a file under keys, without its suffix; may be repeated
//	Fingerprint  the accepted primary key
//	Archive      "true": accept signatures by keys that expired later
//
// All are evaluated at the time of the constant now.
package vectors

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// Times, in seconds since the epoch.
const (
	keyTime = 1704067200 // 2024-01-01
	sigTime = 1735689600 // 2025-01-01
	now     = 1767225600 // 2026-01-01
	day     = 86400
	year    = 365 * day
)

// vector is a message and its expected result.
type vector struct {
	name, comment string
	expect        string // Empty: Accept.
	keys          []string
	signer        *pgp.Key // Of an accepted message.
	archive       bool
	content       []byte
}

// All returns the content of each file, by its name in testdata.
func All() (map[string]string, error) {
	files := map[string]string{}
	for name, certificate := range certificates() {
		files["keys/"+name+".asc"] = string(pgp.Armor("PGP PUBLIC KEY BLOCK", certificate))
	}
	for _, v := range vectors() {
		name := "messages/" + v.name + ".txt"
		if _, ok := files[name]; ok {
			return nil, fmt.Errorf("two vectors are named %s", v.name)
		}
		files[name] = v.text()
	}
	return files, nil
}

func (v vector) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Comment: %s\n", v.comment)
	if v.expect == "" {
		v.expect = "Accept"
		fmt.Fprintf(&b, "Fingerprint: %s\n", strings.ToUpper(hex.EncodeToString(v.signer.Fingerprint())))
	}
	fmt.Fprintf(&b, "Expect: %s\n", v.expect)
	for _, key := range v.keys {
		fmt.Fprintf(&b, "Key: %s\n", key)
	}
	if v.archive {
		b.WriteString("Archive: true\n")
	}
	for text := base64.StdEncoding.EncodeToString(v.content); text != ""; {
		n := min(len(text), 76)
		b.WriteString("\n" + text[:n])
		text = text[n:]
	}
	return b.String() + "\n"
}
