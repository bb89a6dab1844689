// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/assay-project/assay/internal/imagecache"
)

func TestMemory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "memory.max")
	for text, want := range map[string]struct {
		limit int64
		room  int
	}{
		"max\n":       {0, 1 << 30},
		"536870912\n": {512 << 20, 512 << 20 / 5},
		"1048576\n":   {1 << 20, imagecache.MinRoom},
		"-1\n":        {0, 1 << 30},
		"":            {0, 1 << 30},
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		limit := memoryLimit(file)
		if room := imageRoom(limit); limit != want.limit || room != want.room {
			t.Errorf("%q: limit %d, room %d, want %+v", text, limit, room, want)
		}
	}
	if limit := memoryLimit(file + ".none"); limit != 0 {
		t.Errorf("limit %d without a file", limit)
	}
}
