// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package credentialprovider

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/distribution/reference"
	clocktesting "k8s.io/utils/clock/testing"
)

// helperMode names what the test program does in place of the tests: it is a credential provider.
const helperMode = "ASSAY_TEST_CREDENTIAL_PROVIDER"

func TestMain(m *testing.M) {
	if mode := os.Getenv(helperMode); mode != "" {
		os.Exit(provide(mode))
	}
	os.Exit(m.Run())
}

// provide is the credential provider. It counts its runs in the file that its argument names.
func provide(mode string) int {
	if len(os.Args) > 1 {
		file, err := os.OpenFile(os.Args[1], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return 9
		}
		_, _ = file.WriteString("x")
		_ = file.Close()
	}
	switch mode {
	case "hang":
		<-time.After(time.Hour)
		return 9
	case "flood":
		for {
			if _, err := os.Stdout.WriteString(strings.Repeat("x", 1<<16)); err != nil {
				return 0
			}
		}
	case "exit":
		_, _ = fmt.Fprintln(os.Stderr, "secret-canary")
		return 3
	case "orphan":
		child := exec.Command("/proc/self/exe")
		child.Env = append(os.Environ(), helperMode+"=hang")
		child.Stdout = os.Stdout
		if child.Start() != nil {
			return 9
		}
		return 0
	case "answer":
		return answerRequest()
	default:
		_, _ = os.Stdout.WriteString(mode) // It is the answer itself.
		return 0
	}
}

// answerRequest answers a correct request with the variables of the environment.
func answerRequest() int {
	data, err := io.ReadAll(os.Stdin)
	var r struct{ Kind, APIVersion, Image string }
	if err != nil || json.Unmarshal(data, &r) != nil || r.Kind != "CredentialProviderRequest" || r.APIVersion != "credentialprovider.kubelet.k8s.io/v1" {
		return 8
	}
	_, _ = fmt.Fprintf(os.Stdout, `{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1","cacheKeyType":%q,%s"auth":{
		"*.example.com":{"username":"wide","password":%q},"*.example.com/team":{"username":"team","password":%q},"[":{"username":"x"}}}`,
		os.Getenv("CACHE_KEY_TYPE"), os.Getenv("CACHE_DURATION"), r.Image, r.Image)
	return 0
}

// helper is a keychain with the test program as its provider.
type helper struct {
	*Keychain
	t     *testing.T
	clock *clocktesting.FakePassiveClock
	runs  string
}

var testNow = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newHelper returns a keychain whose provider does as the mode says, with further environment.
func newHelper(t *testing.T, mode string, env ...string) *helper {
	t.Helper()
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "helper")); err != nil {
		t.Fatal(err)
	}
	h := &helper{t: t, clock: clocktesting.NewFakePassiveClock(testNow), runs: filepath.Join(bin, "runs")}
	variables := fmt.Sprintf("{name: %s, value: %q}", helperMode, mode)
	for _, each := range env {
		name, value, _ := strings.Cut(each, "=")
		variables += fmt.Sprintf(", {name: %s, value: %q}", name, value)
	}
	h.Keychain, err = New(fmt.Appendf(nil, `apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
- name: helper
  apiVersion: credentialprovider.kubelet.k8s.io/v1
  matchImages: ["*.example.com", "registry.example.net:5000/team"]
  defaultCacheDuration: 10m
  args: [%q]
  env: [%s]
`, h.runs, variables), bin)
	if err != nil {
		t.Fatal(err)
	}
	h.Clock = h.clock
	return h
}

// ran returns how often the program ran.
func (h *helper) ran() int {
	h.t.Helper()
	data, err := os.ReadFile(h.runs)
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	return len(data)
}

func named(t *testing.T, text string) reference.Named {
	t.Helper()
	ref, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}
