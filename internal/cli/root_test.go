// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/assay-project/assay/internal/cli"
)

// TestCommands checks help, the version, and commands that do not start.
func TestCommands(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "kubeconfig")
	tests := map[string]struct {
		args           []string
		exit           int
		stdout, stderr string // Parts; empty if there must be none.
	}{
		"nothing":                  {args: nil, stdout: "Available Commands:"},
		"help":                     {args: []string{"--help"}, stdout: "verify "},
		"help of verify":           {args: []string{"verify", "--help"}, stdout: "Exit status:"},
		"help of manager":          {args: []string{"help", "manager"}, stdout: "--operator-namespace"},
		"version":                  {args: []string{"version"}, stdout: "\n"},
		"the flag for the version": {args: []string{"--version"}, stdout: "assay version "},
		"version of something":     {args: []string{"version", "verify"}, exit: cli.ExitError, stderr: `unexpected argument "verify"`},
		"an unknown command":       {args: []string{"verfy"}, exit: cli.ExitError, stderr: `unknown command "verfy" for "assay"`},
		"an unknown flag":          {args: []string{"--verify"}, exit: cli.ExitError, stderr: `Run "assay --help"`},
		"manager, no workers":      {args: []string{"manager", "--workers", "0"}, exit: cli.ExitError, stderr: "--workers must be at least 1"},
		"manager, probing too often": {
			args: []string{"manager", "--recheck-interval", "59s"}, exit: cli.ExitError, stderr: "--recheck-interval must be at least 1m0s",
		},
		"manager, API servers checked too often": {
			args: []string{"manager", "--apiserver-check-interval", "4s"}, exit: cli.ExitError,
			stderr: "--apiserver-check-interval must be 0 or at least 5s",
		},
		"manager, a provider without a directory": {
			args: []string{"manager", "--image-credential-provider-config", "x"}, exit: cli.ExitError, stderr: "need each other",
		},
		"manager, a directory without a provider": {
			args: []string{"manager", "--image-credential-provider-bin-dir", "x"}, exit: cli.ExitError, stderr: "need each other",
		},
		"manager, a provider that is none": {
			args: []string{"manager", "--image-credential-provider-config", "/dev/null", "--image-credential-provider-bin-dir", "/"},
			exit: cli.ExitError, stderr: "must be a CredentialProviderConfig of kubelet.config.k8s.io/v1",
		},
		"manager, an argument": {args: []string{"manager", "start"}, exit: cli.ExitError, stderr: `Run "assay manager --help"`},
		"manager, no cluster": {
			args: []string{"manager", "--operator-namespace", "assay-system", "--kubeconfig", missing}, exit: cli.ExitError, stderr: "no cluster to connect to: ",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := run("", tt.args...)
			if got.exit != tt.exit {
				t.Errorf("exit code %d, want %d", got.exit, tt.exit)
			}
			for stream, each := range map[string]struct{ got, want string }{"output": {got.stdout, tt.stdout}, "error": {got.stderr, tt.stderr}} {
				if (each.got == "") != (each.want == "") || !strings.Contains(each.got, each.want) {
					t.Errorf("standard %s:\n%s\nwant it to contain %q", stream, each.got, each.want)
				}
			}
		})
	}
}
