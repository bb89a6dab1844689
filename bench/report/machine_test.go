// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"path/filepath"
	"testing"
)

func TestMachine(t *testing.T) {
	for name, tt := range map[string]struct{ got, want string }{
		"a processor":    {processor([]byte("processor\t: 0\nmodel name\t: A chip @ 3 GHz: fast\n")), "A chip @ 3 GHz: fast"},
		"no processor":   {processor(nil), "processor unknown"},
		"a load":         {firstWord([]byte("0.52 0.60 0.70 1/200 999\n")), "0.52"},
		"no load":        {firstWord(nil), "unknown"},
		"a missing file": {string(readFile(filepath.Join(t.TempDir(), "none"))), ""},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", name, tt.got, tt.want)
		}
	}
}
