// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/internal/cli"
)

// writePolicy writes a policy.json and its key file.
func writePolicy(t *testing.T, requirements string) (file, key string) {
	t.Helper()
	directory, _ := files(t)
	key = filepath.Join(directory, "alice.asc")
	file = filepath.Join(directory, "policy.json")
	text := `{"default":[{"type":"reject"}],"transports":{"docker":{"registry.example.com/team":[` +
		strings.ReplaceAll(requirements, "KEY", key) + `]}}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, key
}

func TestPolicyConvert(t *testing.T) {
	file, key := writePolicy(t, `{"type":"signedBy","keyType":"GPGKeys","keyPath":"KEY"}`)
	got := run("", "policy", "convert", "--inline-keys", "--enforcement", "Audit", file)
	armored, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	indented := "      " + strings.ReplaceAll(strings.TrimSpace(string(armored)), "\n", "\n      ")
	for _, part := range []string{
		"---\napiVersion: assay.dev/v1alpha1\nkind: TrustPolicy\nmetadata:\n  name: ",
		"  enforcement: Audit\n", "  - registry.example.com/team\n", strings.Split(indented, "\n")[0],
	} {
		if !strings.Contains(got.stdout, part) {
			t.Errorf("standard output lacks %q:\n%s", part, got.stdout)
		}
	}
	if strings.Contains(got.stdout, "status") || strings.Contains(got.stdout, "creationTimestamp") {
		t.Errorf("the TrustPolicy has fields that users do not write:\n%s", got.stdout)
	}
	// A TrustPolicy cannot express the default of the file.
	if got.exit != cli.ExitRefused || !strings.Contains(got.stderr, "lost: "+file) {
		t.Errorf("exit code %d, standard error:\n%s\nwant 1 and what is lost", got.exit, got.stderr)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	piped := run(string(data), "policy", "convert", "--inline-keys", "--enforcement", "Audit", "-")
	if diff := cmp.Diff(got.stdout, piped.stdout); diff != "" {
		t.Errorf("from a pipe (-file +pipe):\n%s", diff)
	}
}

func TestPolicyConvertWithoutKeys(t *testing.T) {
	file, _ := writePolicy(t, `{"type":"signedBy","keyType":"GPGKeys","keyPath":"KEY"}`)
	got := run("", "policy", "convert", "--operator-namespace", "trust", file)
	if !strings.Contains(got.stdout, "secretRef:") || !strings.Contains(got.stderr, "trust") {
		t.Errorf("want a reference to a Secret and how to create it in the namespace:\n%s\n%s", got.stdout, got.stderr)
	}
}

func TestPolicyConvertRefuses(t *testing.T) {
	file, _ := writePolicy(t, `{"type":"signedBy","type":"reject"}`)
	for name, tt := range map[string]struct {
		args   []string
		stderr string
	}{
		"no command":      {[]string{"policy"}, "a command is needed"},
		"no file":         {[]string{"policy", "convert"}, "a file is needed"},
		"a missing file":  {[]string{"policy", "convert", file + ".none"}, "no such file"},
		"a directory":     {[]string{"policy", "convert", filepath.Dir(file)}, "is a directory without a file *.yaml or *.conf"},
		"a doubled name":  {[]string{"policy", "convert", file}, "type"},
		"no level at all": {[]string{"policy", "convert", "--enforcement", "Deny", file}, "must be Enforce, Warn or Audit"},
		"no policy":       {[]string{"policy", "convert", "-"}, "standard input"},
	} {
		t.Run(name, func(t *testing.T) {
			got := run("", tt.args...)
			if got.exit != cli.ExitError || got.stdout != "" || !strings.Contains(got.stderr, tt.stderr) {
				t.Errorf("exit code %d, output %q, error %q; want 2, none, and %q", got.exit, got.stdout, got.stderr, tt.stderr)
			}
		})
	}
}

// TestPolicyConvertRegistries converts a directory of registries.d and a registries.conf, and files
// that contradict each other.
func TestPolicyConvertRegistries(t *testing.T) {
	directory := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.yaml", "docker:\n  registry.example.com/team:\n    lookaside: https://signatures.example.com\n")
	write("README", "nothing")
	conf := filepath.Join(t.TempDir(), "registries.conf")
	if err := os.WriteFile(conf, []byte("[[registry]]\nprefix='registry.example.com'\n[[registry.mirror]]\nlocation='mirror.example.com'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := run("", "policy", "convert", directory, conf)
	want := `---
apiVersion: assay.dev/v1alpha1
kind: RegistryConfig
metadata:
  name: registry.example.com-team
spec:
  lookaside: https://signatures.example.com
  mirrors:
  - mirror.example.com/team
  scopes:
  - registry.example.com/team
---
apiVersion: assay.dev/v1alpha1
kind: RegistryConfig
metadata:
  name: registry.example.com
spec:
  mirrors:
  - mirror.example.com
  scopes:
  - registry.example.com
`
	if diff := cmp.Diff(want, got.stdout); diff != "" || got.exit != cli.ExitOK || got.stderr != "" {
		t.Errorf("exit code %d, standard error %q (-want +got):\n%s", got.exit, got.stderr, diff)
	}
	write("b.yaml", "docker:\n  registry.example.com/team: {}\n")
	got = run("", "policy", "convert", directory)
	if got.exit != cli.ExitError || got.stdout != "" || !strings.Contains(got.stderr, "a.yaml") || !strings.Contains(got.stderr, "b.yaml") {
		t.Errorf("exit code %d, output %q, error %q", got.exit, got.stdout, got.stderr)
	}
}
