// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package safetext

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestTruncate(t *testing.T) {
	tests := map[string]struct {
		text               string
		limit              int
		want, withEllipsis string
	}{
		"empty":                     {"", 4, "", ""},
		"shorter":                   {"abc", 4, "abc", "abc"},
		"exactly as long":           {"abcd", 4, "abcd", "abcd"},
		"longer":                    {"abcde", 4, "abcd", "a…"},
		"inside a character":        {"aäöü", 4, "aä", "a…"},
		"after a character":         {"äöü", 5, "äö", "ä…"},
		"four bytes":                {"😀😀", 7, "😀", "😀…"},
		"no room for a character":   {"😀😀", 3, "", "…"},
		"no room for the ellipsis":  {"abc", 2, "ab", ""},
		"zero":                      {"abc", 0, "", ""},
		"negative":                  {"abc", -1, "", ""},
		"only continuation bytes":   {strings.Repeat("\x80", 9), 8, strings.Repeat("\x80", 8), strings.Repeat("\x80", 5) + "…"},
		"invalid before a boundary": {"\xff\xffäöü", 5, "\xff\xffä", "\xff\xff…"},
	}
	for name, test := range tests {
		if got := Truncate(test.text, test.limit); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
		if got := TruncateWithEllipsis(test.text, test.limit); got != test.withEllipsis {
			t.Errorf("%s: with ellipsis: got %q, want %q", name, got, test.withEllipsis)
		}
	}
}

func TestQuote(t *testing.T) {
	tests := map[string]struct {
		text  string
		limit int
		want  string
	}{
		"empty":              {"", 4, `""`},
		"plain":              {"abc", 4, `"abc"`},
		"quotation mark":     {`a"\b`, 4, `"a\"\\b"`},
		"control":            {"\n\x1b", 4, `"\n\x1b"`},
		"not ASCII":          {"é\u202e", 8, `"\u00e9\u202e"`},
		"invalid UTF-8":      {"a\xffb", 4, `"a\xffb"`},
		"longer":             {"abcde", 4, `"abcd"…`},
		"inside a character": {"aäöü", 4, `"a\u00e4"…`},
		"zero":               {"a", 0, `""…`},
	}
	for name, test := range tests {
		if got := Quote(test.text, test.limit); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestEscape(t *testing.T) {
	tests := map[string]struct {
		text                        string
		limit                       int
		want, json, jsonBackslashes string
	}{
		"empty":            {"", 8, "", "", ""},
		"plain":            {`aé😀"'`, 16, `aé😀"'`, `aé😀"'`, `aé😀"'`},
		"backslash":        {`\u202e`, 8, `\u202e`, `\u202e`, `\\u202e`},
		"control":          {"\n\x1b\x7f", 32, `\n\x1b\x7f`, `\u000a\u001b\u007f`, `\u000a\u001b\u007f`},
		"direction":        {"a\u202eb", 32, `a\u202eb`, `a\u202eb`, `a\u202eb`},
		"zero width":       {"\u200b\ufeff", 32, `\u200b\ufeff`, `\u200b\ufeff`, `\u200b\ufeff`},
		"line separator":   {"\u2028\u00a0", 32, `\u2028\u00a0`, `\u2028\u00a0`, `\u2028\u00a0`},
		"surrogate pair":   {"\U000e0001", 32, `\U000e0001`, `\udb40\udc01`, `\udb40\udc01`},
		"invalid UTF-8":    {"a\xffb\xe2\x80", 40, `a\xffb\xe2\x80`, `a\ufffdb\ufffd\ufffd`, `a\ufffdb\ufffd\ufffd`},
		"U+FFFD":           {"\ufffd", 8, "\ufffd", "\ufffd", "\ufffd"},
		"exactly as long":  {"abcdefg\n", 9, `abcdefg\n`, "abcdef…", "abcdef…"},
		"longer":           {"abcdefghij", 9, "abcdef…", "abcdef…", "abcdef…"},
		"no room":          {"abc", 2, "", "", ""},
		"only an ellipsis": {"\n\n\n", 5, `\n…`, "…", "…"},
		"negative":         {"a", -1, "", "", ""},
	}
	for name, test := range tests {
		if got := Escape(test.text, test.limit); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
		if got := EscapeJSON(test.text, test.limit, false); got != test.json {
			t.Errorf("%s: JSON: got %s, want %s", name, got, test.json)
		}
		if got := EscapeJSON(test.text, test.limit, true); got != test.jsonBackslashes {
			t.Errorf("%s: JSON with backslashes: got %s, want %s", name, got, test.jsonBackslashes)
		}
	}
}

func TestMask(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "",
		"plain é 😀 \\":       "plain é 😀 \\",
		"a\tb\x1b[2J\u202ec": "a?b?[2J?c",
		"a\xffb":             "a\ufffdb",
	} {
		if got := Mask(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// FuzzSafetext: results are bounded, functions that escape return printable text, and the others
// keep valid text valid.
func FuzzSafetext(f *testing.F) {
	for _, text := range []string{"", "plain", "aä😀", "\x1b[2J\n", "\u202e\u2028\U000e0001", `\u202e"`, "\xff\x80\x80\x80\x80\xe2\x80"} {
		for _, limit := range []int{-1, 0, 2, 3, 8, 1024} {
			f.Add(text, limit)
		}
	}
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = min(limit, 1<<20)
		for name, got := range map[string]string{"Truncate": Truncate(text, limit), "TruncateWithEllipsis": TruncateWithEllipsis(text, limit)} {
			if len(got) > max(limit, 0) || utf8.ValidString(text) && !utf8.ValidString(got) || !strings.HasPrefix(text, strings.TrimSuffix(got, ellipsis)) {
				t.Errorf("%s(%q, %d) = %q", name, text, limit, got)
			}
		}
		for name, got := range map[string]string{
			"Escape":                      Escape(text, limit),
			"EscapeJSON":                  EscapeJSON(text, limit, false),
			"EscapeJSON with backslashes": EscapeJSON(text, limit, true),
		} {
			if len(got) > max(limit, 0) || !isPrintable(got) {
				t.Errorf("%s(%q, %d) = %q", name, text, limit, got)
			}
		}
		if got := Quote(text, limit); len(got) > 4*max(limit, 0)+5 || !isPrintable(got) {
			t.Errorf("Quote(%q, %d) = %q", text, limit, got)
		}
		if got := Mask(text); len(got) > 3*len(text) || !isPrintable(got) {
			t.Errorf("Mask(%q) = %q", text, got)
		}
	})
}

func isPrintable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
