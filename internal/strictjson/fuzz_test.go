// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/internal/strictjson"
)

// FuzzParse checks any document: encoding/json accepts an accepted one with the same value, Skip
// agrees, and an error has an offset within the document and a short text.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` [1, -2.5e+3, "a\u00e9\ud83d\ude00\n", true, false, null, {"a":{"b":[]}}] `, `{"a":1,"\u0061":2}`, `{"a":1,"A":2}`,
		`"\ud800"`, "\"\xff\"", "\ufeff{}", `[[[[[[]]]]]]`, `{"a":1,}`, `01`, `1.`, `1e`, `"`, `"\`, `nul`, `{"a"`, "[\x00]",
	} {
		f.Add([]byte(seed))
	}
	limits := strictjson.Limits{Size: 1 << 16, Depth: 16, Members: 64}
	f.Fuzz(func(t *testing.T, document []byte) {
		got, err := parse(string(document), limits)
		if skipErr := skip(string(document), limits); (skipErr == nil) != (err == nil) {
			t.Fatalf("Skip says %v, reading says %v", skipErr, err)
		}
		if err != nil {
			checkError(t, document, err)
			return
		}
		d := json.NewDecoder(bytes.NewReader(document))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatalf("encoding/json refuses what is accepted: %v", err)
		}
		if diff := cmp.Diff(want, plain(got)); diff != "" {
			t.Errorf("value (-encoding/json +strictjson):\n%s", diff)
		}
	})
}

func checkError(t *testing.T, document []byte, err error) {
	t.Helper()
	var syntax *strictjson.Error
	if !errors.As(err, &syntax) {
		t.Fatalf("error is a %T", err)
	}
	if syntax.Offset < 0 || syntax.Offset > len(document) || len(err.Error()) > 400 {
		t.Errorf("error %v in a document of %d bytes", err, len(document))
	}
}

// plain converts a result of value to the types of encoding/json.
func plain(v any) any {
	switch v := v.(type) {
	case []member:
		object := make(map[string]any)
		for _, m := range v {
			object[m.Name] = plain(m.Value)
		}
		return object
	case []any:
		array := make([]any, len(v))
		for i := range v {
			array[i] = plain(v[i])
		}
		return array
	case number:
		return json.Number(v)
	default:
		return v
	}
}
