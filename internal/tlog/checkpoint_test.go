// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package tlog_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	st "github.com/assay-project/assay/internal/sigstore/sigstoretest"
	"github.com/assay-project/assay/internal/tlog"
)

// TestIncluded proves every leaf of trees of every size up to 40, and expects no proof to hold for
// anything else.
func TestIncluded(t *testing.T) {
	for size := 1; size <= 40; size++ {
		leaves := make([][]byte, size)
		for i := range leaves {
			leaves[i] = fmt.Appendf(nil, "leaf %d", i)
		}
		root := [sha256.Size]byte(st.TreeHash(leaves))
		for index, leaf := range leaves {
			var path [][sha256.Size]byte
			for _, hash := range st.Path(index, leaves) {
				path = append(path, [sha256.Size]byte(hash))
			}
			hash := tlog.LeafHash(leaf)
			holds := func(index, size int, path [][sha256.Size]byte) bool {
				return tlog.Included(hash, int64(index), int64(size), root, path)
			}
			if !holds(index, size, path) {
				t.Fatalf("leaf %d of %d is not included", index, size)
			}
			for other := -1; other <= size; other++ {
				if other != index && holds(other, size, path) {
					t.Fatalf("leaf %d of %d is included as leaf %d", index, size, other)
				}
			}
			if holds(index, size, append(path, root)) || len(path) > 0 && holds(index, size, path[:len(path)-1]) || holds(index, 0, path) {
				t.Fatalf("leaf %d of %d is included with another path", index, size)
			}
			if tlog.Included(tlog.LeafHash([]byte("other")), int64(index), int64(size), root, path) {
				t.Fatalf("another leaf is included as leaf %d of %d", index, size)
			}
		}
	}
	if tlog.Included([32]byte{}, 0, 1<<62, [32]byte{}, make([][sha256.Size]byte, tlog.MaxProof+1)) {
		t.Error("a path that is too long is accepted")
	}
}

func TestParseCheckpoint(t *testing.T) {
	f := newFixture(t)
	root := st.Base64(make([]byte, 32))
	text := "log.example.com\n8\n" + root + "\n"
	line := st.NoteSignature("log.example.com", f.v2.ID, []byte("signature"))
	c, err := tlog.ParseCheckpoint(text + "extension\n\n" + line + st.NoteSignature("witness.example.com", f.v1.ID, []byte("x")))
	if err != nil || c.Origin != "log.example.com" || c.Size != 8 {
		t.Fatalf("%+v, %v", c, err)
	}
	tests := map[string]struct{ note, want string }{
		"large":               {strings.Repeat("x", tlog.MaxCheckpoint+1), "larger than"},
		"empty":               {"", "not a signed note"},
		"no signature":        {text + "\n", "not a signed note"},
		"no empty line":       {text + line, "not a signed note"},
		"no line feed":        {text + "\n" + strings.TrimSuffix(line, "\n"), "not a signed note"},
		"two lines":           {"log.example.com\n8\n\n" + line, "3 to 16"},
		"many lines":          {text + strings.Repeat("x\n", 14) + "\n" + line, "3 to 16"},
		"no origin":           {"\n8\n" + root + "\n\n" + line, "no origin"},
		"size is no number":   {"log\nx\n" + root + "\n\n" + line, "tree size"},
		"size with sign":      {"log\n+8\n" + root + "\n\n" + line, "tree size"},
		"size with zero":      {"log\n08\n" + root + "\n\n" + line, "tree size"},
		"size too large":      {"log\n9223372036854775808\n" + root + "\n\n" + line, "tree size"},
		"root is short":       {"log\n8\nAAAA\n\n" + line, "root hash"},
		"root is no base64":   {"log\n8\n*\n\n" + line, "root hash"},
		"many signatures":     {text + "\n" + strings.Repeat(line, 65), "more than 64"},
		"other line":          {text + "\n" + line + "x\n", "signature line"},
		"no name":             {text + "\n— " + st.Base64(make([]byte, 9)) + "\n", "signature line"},
		"name with plus":      {text + "\n— a+b " + st.Base64(make([]byte, 9)) + "\n", "signature line"},
		"name with space":     {text + "\n— a\u00a0b " + st.Base64(make([]byte, 9)) + "\n", "signature line"},
		"control character":   {"log\t\n8\n" + root + "\n\n" + line, "not a signed note"},
		"key hash alone":      {text + "\n" + st.NoteSignature("log", f.v2.ID, nil), "signature line"},
		"signature no base64": {text + "\n— log *\n", "signature line"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if c, err := tlog.ParseCheckpoint(test.note); c != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v, %v, want %q", c, err, test.want)
			}
		})
	}
}

// TestCheckpointSignatures has signatures of which only that of the log counts, wherever it stands.
func TestCheckpointSignatures(t *testing.T) {
	f := newFixture(t)
	proof := f.v2.Proof(t, f.body2, 5, 8)
	note := proof["checkpoint"].(st.Object)["envelope"].(string)
	text, line, _ := strings.Cut(note, "\n\n")
	witness := st.NoteSignature("witness.example.com", f.v1.ID, []byte("x"))
	otherKey := st.NoteSignature("log.example.com", f.v1.ID, []byte("x"))
	wrong := st.NoteSignature("log.example.com", f.v2.ID, []byte("x"))
	renamed := strings.Replace(line, "log.", "gol.", 1)
	appended := strings.Replace(text, "log.example.com", "log.example.com - 1", 1)
	sig := st.Sign(t, f.v2.Key, []byte(appended+"\n"))
	tests := map[string]struct {
		note string
		want bool
	}{
		"alone":            {text + "\n\n" + line, true},
		"with a witness":   {text + "\n\n" + line + witness, true},
		"witness first":    {text + "\n\n" + witness + line, true},
		"two of the name":  {text + "\n\n" + otherKey + line, true},
		"wrong one first":  {text + "\n\n" + wrong + line, false},
		"wrong one last":   {text + "\n\n" + line + wrong, false},
		"twice":            {text + "\n\n" + line + line, true},
		"wrong one":        {text + "\n\n" + wrong, false},
		"witness alone":    {text + "\n\n" + witness, false},
		"another name":     {text + "\n\n" + renamed, false},
		"version 1's form": {appended + "\n\n" + st.NoteSignature("log.example.com", f.v2.ID, sig), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			entry := f.v2.Entry(t, f.body2)
			proof["checkpoint"] = st.Object{"envelope": test.note}
			entry["inclusionProof"] = proof
			e, err := parseEntry(st.JSON(t, entry))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Verify(trusted(t, f.v2)); (err == nil) != test.want {
				t.Errorf("%v, want verified: %t", err, test.want)
			}
		})
	}
}
