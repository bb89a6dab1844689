// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package allowlist

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCanaryData(t *testing.T) {
	for name, c := range map[string]struct {
		known []string
		asked string
		want  map[string]string
	}{
		"asks for any shard":         {nil, "", map[string]string{}},
		"asks for a shard":           {[]string{"a", "b"}, "b", map[string]string{"a": "known", "b": "asked"}},
		"asks for one not yet known": {[]string{"a"}, "b", map[string]string{"a": "known", "b": "asked"}},
		"asks for unknown ones":      {[]string{"a"}, "", map[string]string{"a": "known"}},
	} {
		if diff := cmp.Diff(c.want, CanaryData(c.known, c.asked)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestParseSighting(t *testing.T) {
	const around = `configmaps "assay-allowlist-canary" is forbidden: ValidatingAdmissionPolicy 'allowlist-canary' with binding 'allowlist-canary' denied request: `
	for message, want := range map[string]Sighting{
		around + "canary=assay-allowlist-4-2/1234/true/true;":       {"assay-allowlist-4-2", "1234", true, true},
		around + "canary=another/18446744073709551615/false/false;": {"another", "18446744073709551615", false, false},
	} {
		if got, ok := ParseSighting(message); !ok || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", message, got, ok, want)
		}
	}
	for _, message := range []string{
		"",
		around + "no params found for policy binding with `Deny` parameterNotFoundAction",
		around + "canary=/1/true/true;",
		around + "canary=a/01/true/true;",
		around + "canary=a/0/true/true;",
		around + "canary=a/-1/true/true;",
		around + "canary=a/1/true/;",
		around + "canary=a/1/true/true",
		around + "canary=" + strings.Repeat("a", 254) + "/1/true/true;",
		around + "canary=a/" + strings.Repeat("1", 21) + "/true/true;",
	} {
		if got, ok := ParseSighting(message); ok || got != (Sighting{}) {
			t.Errorf("%q: got %+v, %v", message, got, ok)
		}
	}
}
