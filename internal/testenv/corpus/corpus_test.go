// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package corpus_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/assay-project/assay/internal/testenv/corpus"
)

// recorder is a test whose failure is the subject of another one.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Fatal(...any) { r.fail() }

func (r *recorder) Fatalf(string, ...any) { r.fail() }

func (r *recorder) fail() {
	r.failed = true
	runtime.Goexit()
}

// fails reports whether what a test does ends it.
func fails(t *testing.T, do func(testing.TB)) bool {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(r)
	}()
	<-done
	return r.failed
}

// TestIncomplete expects tests to fail with a corpus that is missing or incomplete, and to pass without one where
// nobody has put one.
func TestIncomplete(t *testing.T) {
	few := `[` + strings.Repeat(`{"kind":"sigstore"},`, 59) + `{"kind":"openpgp"}]`
	tests := map[string]struct {
		files    map[string]string
		variable bool
		fails    bool
	}{
		"nothing there":           {nil, false, false},
		"another folder shared":   {map[string]string{"shared/notes": ""}, false, false},
		"the reports alone":       {map[string]string{"shared/cases/README.md": ""}, false, true},
		"too few cases":           {map[string]string{"shared/corpus/cases.json": few}, false, true},
		"no case at all":          {map[string]string{"shared/corpus/cases.json": "[]"}, false, true},
		"no index":                {map[string]string{"shared/corpus/README.md": ""}, false, true},
		"asked for and not there": {nil, true, true},
	}
	uses := map[string]func(testing.TB){
		"openpgp":     func(t testing.TB) { corpus.OpenPGP(t) },
		"sigstore":    func(t testing.TB) { corpus.Sigstore(t) },
		"conformance": func(t testing.TB) { corpus.Conformance(t) },
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			files := map[string]string{"assay/PROJECT": ""}
			for path, content := range tt.files {
				files[path] = content
			}
			for path, content := range files {
				write(t, filepath.Join(directory, path), content)
			}
			t.Chdir(filepath.Join(directory, "assay"))
			t.Setenv("ASSAY_CORPUS", filepath.Join(directory, "elsewhere"))
			if !tt.variable {
				if err := os.Unsetenv("ASSAY_CORPUS"); err != nil {
					t.Fatal(err)
				}
			}
			for use, do := range uses {
				if got := fails(t, do); got != tt.fails {
					t.Errorf("%s: failed is %t, want %t", use, got, tt.fails)
				}
			}
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
