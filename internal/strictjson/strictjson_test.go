// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package strictjson_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/internal/strictjson"
)

var testLimits = strictjson.Limits{Size: 1000, Depth: 3, Members: 20}

// member is a member of an object, in the order of the document.
type member struct {
	Name  string
	Value any
}

// number is the spelling of a number.
type number string

// value reads any value as an untyped one, and an object as []member to preserve order and names.
func value(d *strictjson.Decoder) (any, error) {
	switch d.Kind() {
	case strictjson.Object:
		members := []member{}
		err := d.Object(func(name string) error {
			v, err := value(d)
			members = append(members, member{name, v})
			return err
		})
		return members, err
	case strictjson.Array:
		elements := []any{}
		err := d.Array(func() error {
			v, err := value(d)
			elements = append(elements, v)
			return err
		})
		return elements, err
	case strictjson.String:
		return d.String()
	case strictjson.Number:
		text, err := d.Number()
		return number(text), err
	default:
		text, err := d.Raw()
		switch text {
		case "true":
			return true, err
		case "false":
			return false, err
		default:
			return nil, err
		}
	}
}

// parse reads a whole document with value.
func parse(document string, limits strictjson.Limits) (v any, err error) {
	err = strictjson.Parse([]byte(document), limits, func(d *strictjson.Decoder) error {
		v, err = value(d)
		return err
	})
	return v, err
}

func TestParseAccepts(t *testing.T) {
	many := make([]string, testLimits.Members)
	manyMembers := make([]member, testLimits.Members)
	for i := range many {
		many[i] = fmt.Sprintf(`"%d":%d`, i, i)
		manyMembers[i] = member{fmt.Sprint(i), number(fmt.Sprint(i))}
	}
	tests := map[string]struct {
		document string
		want     any
	}{
		"empty object":          {`{}`, []member{}},
		"empty array":           {`[]`, []any{}},
		"empty string":          {`""`, ""},
		"white space":           {" \t\r\n[ 1 , 2 ]\n", []any{number("1"), number("2")}},
		"white space in object": {`{ "a" : 1 , "b" : { } }`, []member{{"a", number("1")}, {"b", []member{}}}},
		"literals":              {`[true,false,null]`, []any{true, false, nil}},
		"numbers": {`[0,-0,10,1.50,-1.5e10,1E+2,2e-3,123456789012345678901234567890]`,
			[]any{number("0"), number("-0"), number("10"), number("1.50"), number("-1.5e10"), number("1E+2"), number("2e-3"),
				number("123456789012345678901234567890")}},
		"short escapes":           {`"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t"},
		"unicode escapes":         {`"a\u0041\u00e9\u20AC\u0000z"`, "aAé€\x00z"},
		"surrogate pair":          {`"\ud83d\ude00"`, "😀"},
		"replacement character":   {`"\ufffd"`, "\ufffd"},
		"raw UTF-8":               {`"é😀` + "\u007f\u2028" + `"`, "é😀\u007f\u2028"},
		"names differ in case":    {`{"a":1,"A":2}`, []member{{"a", number("1")}, {"A", number("2")}}},
		"same name in siblings":   {`[{"a":1},{"a":2}]`, []any{[]member{{"a", number("1")}}, []member{{"a", number("2")}}}},
		"same name in and around": {`{"a":{"a":1}}`, []member{{"a", []member{{"a", number("1")}}}}},
		"deepest":                 {`[[[1]]]`, []any{[]any{[]any{number("1")}}}},
		"deepest twice":           {`[[[]],[[]]]`, []any{[]any{[]any{}}, []any{[]any{}}}},
		"most members":            {"{" + strings.Join(many, ",") + "}", manyMembers},
		"largest":                 {"1" + strings.Repeat(" ", testLimits.Size-1), number("1")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parse(test.document, testLimits)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
			if err := skip(test.document, testLimits); err != nil {
				t.Errorf("Skip: %v", err)
			}
		})
	}
}

func skip(document string, limits strictjson.Limits) error {
	return strictjson.Parse([]byte(document), limits, (*strictjson.Decoder).Skip)
}

func TestParseRefuses(t *testing.T) {
	many := make([]string, testLimits.Members+1)
	for i := range many {
		many[i] = fmt.Sprintf(`"%02d":0`, i)
	}
	duplicateOfMany := strings.Join(many[:20], ",")
	tests := map[string]struct {
		document string
		want     strictjson.Error
	}{
		"empty":                       {"", strictjson.Error{Detail: "the text ends where a value should be"}},
		"white space":                 {" ", strictjson.Error{Offset: 1, Detail: "the text ends where a value should be"}},
		"too large":                   {"1" + strings.Repeat(" ", 1000), strictjson.Error{Offset: 1000, Detail: "the document is larger than 1000 bytes"}},
		"not UTF-8":                   {"\"ok\ufffd\xff\"", strictjson.Error{Offset: 6, Detail: "the text is not UTF-8"}},
		"surrogate in UTF-8":          {"\"\xed\xa0\x80\"", strictjson.Error{Offset: 1, Detail: "the text is not UTF-8"}},
		"truncated UTF-8":             {"\"\xc3", strictjson.Error{Offset: 1, Detail: "the text is not UTF-8"}},
		"byte order mark":             {"\ufeff1", strictjson.Error{Detail: "a value is malformed"}},
		"NUL":                         {"\x00", strictjson.Error{Detail: "a value is malformed"}},
		"trailing NUL":                {"1\x00", strictjson.Error{Offset: 1, Detail: "there is more text after the value"}},
		"trailing value":              {"1 2", strictjson.Error{Offset: 2, Detail: "there is more text after the value"}},
		"no-break space":              {"\u00a01", strictjson.Error{Detail: "a value is malformed"}},
		"comment":                     {"[1/**/]", strictjson.Error{Offset: 2, Detail: "a comma or the end of an object or array is missing"}},
		"literal in upper case":       {"True", strictjson.Error{Detail: "a value is malformed"}},
		"literal too long":            {"nullx", strictjson.Error{Offset: 4, Detail: "there is more text after the value"}},
		"NaN":                         {"NaN", strictjson.Error{Detail: "a value is malformed"}},
		"number with plus":            {"+1", strictjson.Error{Detail: "a value is malformed"}},
		"number with leading zero":    {"01", strictjson.Error{Offset: 2, Detail: "a number is malformed"}},
		"number without whole part":   {"-.5", strictjson.Error{Offset: 1, Detail: "a number is malformed"}},
		"number without fraction":     {"1.", strictjson.Error{Offset: 2, Detail: "a number is malformed"}},
		"number without exponent":     {"1e+", strictjson.Error{Offset: 3, Detail: "a number is malformed"}},
		"hexadecimal number":          {"0x1", strictjson.Error{Offset: 1, Detail: "there is more text after the value"}},
		"string without end":          {`"a`, strictjson.Error{Offset: 2, Detail: "a string has no end"}},
		"escaped string without end":  {`"\na`, strictjson.Error{Offset: 4, Detail: "a string has no end"}},
		"string ends in escape":       {`"\`, strictjson.Error{Offset: 1, Detail: "an escape sequence is malformed"}},
		"single quotes":               {`'a'`, strictjson.Error{Detail: "a value is malformed"}},
		"line feed in string":         {"\"a\n\"", strictjson.Error{Offset: 2, Detail: "a control character stands unescaped in a string"}},
		"line feed after escape":      {"\"\\n\n\"", strictjson.Error{Offset: 3, Detail: "a control character stands unescaped in a string"}},
		"NUL in string":               {"\"\x00\"", strictjson.Error{Offset: 1, Detail: "a control character stands unescaped in a string"}},
		"unknown escape":              {`"\x41"`, strictjson.Error{Offset: 1, Detail: "an escape sequence is malformed"}},
		"short unicode escape":        {`"\u004"`, strictjson.Error{Offset: 1, Detail: "an escape sequence is malformed"}},
		"unicode escape with sign":    {`"\u+041"`, strictjson.Error{Offset: 1, Detail: "an escape sequence is malformed"}},
		"truncated unicode escape":    {`"\u00`, strictjson.Error{Offset: 1, Detail: "an escape sequence is malformed"}},
		"lone high surrogate":         {`"\ud800x"`, strictjson.Error{Offset: 1, Detail: "an escaped surrogate is not part of a pair"}},
		"lone low surrogate":          {`"a\udc00"`, strictjson.Error{Offset: 2, Detail: "an escaped surrogate is not part of a pair"}},
		"two high surrogates":         {`"\ud800\ud800"`, strictjson.Error{Offset: 1, Detail: "an escaped surrogate is not part of a pair"}},
		"high surrogate, character":   {`"\ud800\u0041"`, strictjson.Error{Offset: 1, Detail: "an escaped surrogate is not part of a pair"}},
		"high surrogate, short":       {`"\ud800\ude"`, strictjson.Error{Offset: 1, Detail: "an escape sequence is malformed"}},
		"array without end":           {`[1`, strictjson.Error{Offset: 2, Detail: "a comma or the end of an object or array is missing"}},
		"array with trailing comma":   {`[1,]`, strictjson.Error{Offset: 3, Detail: "a value is malformed"}},
		"array closed as object":      {`[1}`, strictjson.Error{Offset: 2, Detail: "a comma or the end of an object or array is missing"}},
		"object with trailing comma":  {`{"a":1,}`, strictjson.Error{Offset: 7, Detail: "no JSON value where a string should be"}},
		"object without colon":        {`{"a" 1}`, strictjson.Error{Offset: 5, Detail: "a colon is missing after a member name"}},
		"object without value":        {`{"a":}`, strictjson.Error{Offset: 5, Detail: "a value is malformed"}},
		"object without comma":        {`{"a":1 "b":2}`, strictjson.Error{Offset: 7, Detail: "a comma or the end of an object or array is missing"}},
		"object with number for name": {`{1:1}`, strictjson.Error{Offset: 1, Detail: "a number where a string should be"}},
		"duplicate":                   {`{"a":1,"a":1}`, strictjson.Error{Offset: 7, Detail: `duplicate member "a"`, Duplicate: true}},
		"duplicate after unescaping":  {`{"a":1,"\u0061":1}`, strictjson.Error{Offset: 7, Detail: `duplicate member "a"`, Duplicate: true}},
		"duplicate empty name":        {`{"":1,"":1}`, strictjson.Error{Offset: 6, Detail: `duplicate member ""`, Duplicate: true}},
		"duplicate inside":            {`[{"x":{"a":1,"a":1}}]`, strictjson.Error{Offset: 13, Detail: `duplicate member "a"`, Duplicate: true}},
		"duplicate of the first of many": {"{" + strings.Join(many[:19], ",") + `,"00":0}`,
			strictjson.Error{Offset: 134, Detail: `duplicate member "00"`, Duplicate: true}},
		"duplicate of the last of many": {"{" + strings.Join(many[:19], ",") + `,"18":0}`,
			strictjson.Error{Offset: 134, Detail: `duplicate member "18"`, Duplicate: true}},
		"too many members": {"{" + duplicateOfMany + `,"x":0}`, strictjson.Error{Offset: 141, Detail: "an object has more than 20 members"}},
		"too deep":         {`[[[[]]]]`, strictjson.Error{Offset: 3, Detail: "objects and arrays are nested more than 3 deep"}},
		"too deep objects": {`{"a":{"a":{"a":{}}}}`, strictjson.Error{Offset: 15, Detail: "objects and arrays are nested more than 3 deep"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for reader, err := range map[string]error{"value": second(parse(test.document, testLimits)), "Skip": skip(test.document, testLimits)} {
				var got *strictjson.Error
				if !errors.As(err, &got) {
					t.Fatalf("%s: error is %v, want a *strictjson.Error", reader, err)
				}
				if diff := cmp.Diff(test.want, *got); diff != "" {
					t.Errorf("%s: error (-want +got):\n%s", reader, diff)
				}
			}
		})
	}
}

func second(_ any, err error) error { return err }

// TestWrongKind reads values as other kinds.
func TestWrongKind(t *testing.T) {
	readers := map[strictjson.Kind]func(d *strictjson.Decoder) error{
		strictjson.Object: func(d *strictjson.Decoder) error { return d.Object(func(string) error { return d.Skip() }) },
		strictjson.Array:  func(d *strictjson.Decoder) error { return d.Array(d.Skip) },
		strictjson.String: func(d *strictjson.Decoder) error { return second(d.String()) },
		strictjson.Number: func(d *strictjson.Decoder) error { return second(d.Number()) },
	}
	values := map[strictjson.Kind]string{
		strictjson.Object: "{}", strictjson.Array: "[]", strictjson.String: `""`, strictjson.Number: "1",
		strictjson.Bool: "true", strictjson.Null: "null", strictjson.Invalid: "?",
	}
	for want, read := range readers {
		for got, document := range values {
			err := strictjson.Parse([]byte(document), testLimits, read)
			if got == want {
				if err != nil {
					t.Errorf("%v read as %v: %v", got, want, err)
				}
				continue
			}
			if text := fmt.Sprintf("byte 0: %v where %v should be", got, want); err == nil || err.Error() != text {
				t.Errorf("%v read as %v: error %v, want %s", got, want, err, text)
			}
		}
	}
}

// TestCallbackErrors checks that Parse returns the error of a callback unchanged.
func TestCallbackErrors(t *testing.T) {
	sentinel := errors.New("sentinel")
	tests := map[string]struct {
		document string
		read     func(d *strictjson.Decoder) error
	}{
		"member":  {`{"a":1}`, func(d *strictjson.Decoder) error { return d.Object(func(string) error { return sentinel }) }},
		"element": {`[1]`, func(d *strictjson.Decoder) error { return d.Array(func() error { return sentinel }) }},
		"root":    {`[1]`, func(*strictjson.Decoder) error { return sentinel }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if err := strictjson.Parse([]byte(test.document), testLimits, test.read); err != sentinel {
				t.Errorf("Parse = %v, want the callback's error", err)
			}
		})
	}
}

// TestUnreadValue checks that Parse notices a callback that does not read its value.
func TestUnreadValue(t *testing.T) {
	err := strictjson.Parse([]byte(`{"a":1}`), testLimits, func(d *strictjson.Decoder) error {
		return d.Object(func(string) error { return nil })
	})
	if err == nil {
		t.Error("Parse accepts a document with an unread value")
	}
}

func TestRawAndOffset(t *testing.T) {
	type reading struct {
		Raw string
		End int
	}
	var got []reading
	const document = ` [ {"a" : [1, "]"]} , "x\n" , -1e5,null ]`
	err := strictjson.Parse([]byte(document), testLimits, func(d *strictjson.Decoder) error {
		return d.Array(func() error {
			raw, err := d.Raw()
			got = append(got, reading{raw, d.Offset()})
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []reading{{`{"a" : [1, "]"]}`, 19}, {`"x\n"`, 27}, {"-1e5", 34}, {"null", 39}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Raw and Offset (-want +got):\n%s", diff)
	}
}

func TestQuote(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"plain":          {"docker-reference", `"docker-reference"`},
		"escaped":        {"a\"\\\n\x1b\u202eé", `"a\"\\\n\x1b\u202e\u00e9"`},
		"longest":        {strings.Repeat("a", 80), `"` + strings.Repeat("a", 80) + `"`},
		"cut":            {strings.Repeat("a", 81), `"` + strings.Repeat("a", 80) + `"…`},
		"cut before é":   {strings.Repeat("a", 79) + "é", `"` + strings.Repeat("a", 79) + `"…`},
		"cut after an é": {strings.Repeat("a", 78) + "éé", `"` + strings.Repeat("a", 78) + `\u00e9"…`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := strictjson.Quote(test.in); got != test.want {
				t.Errorf("Quote = %s, want %s", got, test.want)
			}
		})
	}
}

func TestFoldsOnto(t *testing.T) {
	names := []string{"layers", "Layers", "kind"}
	for name, want := range map[string]string{
		"layers": "", "Layers": "", "LAYERS": "layers", "layer\u017f": "layers", "\u212aind": "kind", "other": "", "": "",
	} {
		if got := strictjson.FoldsOnto(name, names); got != want {
			t.Errorf("FoldsOnto(%q) = %q, want %q", name, got, want)
		}
	}
}
