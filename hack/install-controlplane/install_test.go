// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/internal/testenv/controlplane/assets"
)

func quiet() *progress { return &progress{out: io.Discard} }

func TestBuildMeter(t *testing.T) {
	meter := &buildMeter{name: "etcd"}
	steps := []struct {
		write  string
		status string
	}{
		{"", "etcd: fetching modules, 0 so far"},
		{"go: downloading a v1.0.0\ngo: downloa", "etcd: fetching modules, 1 so far"},
		{"ding b v1.0.0\n", "etcd: fetching modules, 2 so far"},
	}
	for _, step := range steps {
		if n, err := meter.Write([]byte(step.write)); n != len(step.write) || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
		if diff := cmp.Diff(step.status, meter.status()); diff != "" {
			t.Error(diff)
		}
	}
	meter.setPackages([]string{"x/y", "x/z"})
	if _, err := meter.Write([]byte("x/y\r\n# x/z\nz.go:1: wrong\nunfinished")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("etcd: compiling and linking, 1 of at most 2 packages", meter.status()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("# x/z\nz.go:1: wrong\nunfinished", meter.complaints()); diff != "" {
		t.Error(diff)
	}
	meter.finish(errors.New("exit status 1"))
	if diff := cmp.Diff("etcd: failed, 2 modules downloaded, 1 of 2 packages compiled", meter.status()); diff != "" {
		t.Error(diff)
	}
}

func TestBuildMeterKeepsTheLastComplaints(t *testing.T) {
	meter := &buildMeter{}
	for i := range 3 * maxComplaints {
		if _, err := meter.Write([]byte(strings.Repeat("x", i+1) + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	got := strings.Split(meter.complaints(), "\n")
	if len(got) != maxComplaints || len(got[maxComplaints-1]) != 3*maxComplaints {
		t.Errorf("kept %d lines, the last of length %d", len(got), len(got[len(got)-1]))
	}
}

func TestProgressInALog(t *testing.T) {
	var out strings.Builder
	p := &progress{out: &out}
	done := p.watch(func() string { return "busy" })
	done()
	p.printf("over")
	p.close()
	// The first line may or may not come from the watch, depending on timing.
	if got := out.String(); !regexp.MustCompile(`^(busy, 0s\n){1,2}over\n$`).MatchString(got) {
		t.Errorf("got %q", got)
	}
}

func TestGoEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"GOFLAGS": "-mod=mod -modcacherw --modfile=x.mod -p=1", "CGO_ENABLED": "1",
		"GOOS": "plan9", "GOARCH": "mips", "GOWORK": "/tmp/go.work", "KEPT": "a=b",
	} {
		t.Setenv(name, value)
	}
	env := goEnvironment()
	want := []string{
		"CGO_ENABLED=0", "GOARCH=" + runtime.GOARCH, "GOFLAGS=-modcacherw -p=1",
		"GOOS=" + runtime.GOOS, "GOWORK=off", "KEPT=a=b",
	}
	var got []string
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		if slices.Contains([]string{"CGO_ENABLED", "GOARCH", "GOFLAGS", "GOOS", "GOWORK", "KEPT"}, name) {
			got = append(got, kv)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLockKeepsTwoRunsApart(t *testing.T) {
	store := filepath.Join(t.TempDir(), "new", "store")
	unlock, err := lockStore(t.Context(), store, quiet())
	if err != nil {
		t.Fatal(err)
	}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lockStore(interrupted, store, quiet()); !errors.Is(err, context.Canceled) {
		t.Errorf("lockStore while it is taken = %v, want %v", err, context.Canceled)
	}
	unlock()
	unlock, err = lockStore(t.Context(), store, quiet())
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestControlPlaneModule(t *testing.T) {
	var upstream requirements
	if err := json.Unmarshal([]byte(`{"Go": "1.26.0",
		"Require": [{"Path": "go.etcd.io/etcd/api/v3", "Version": "v3.1.0"}, {"Path": "go.etcd.io/etcd/client/v3", "Version": "v3.6.8"}],
		"Replace": [
			{"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
			{"Old": {"Path": "example.com/fork"}, "New": {"Path": "example.com/other", "Version": "v1.0.0"}},
			{"Old": {"Path": "k8s.io/client-go"}, "New": {"Path": "./staging/src/k8s.io/client-go"}}]}`), &upstream); err != nil {
		t.Fatal(err)
	}
	const want = `module controlplane

go 1.26.0

require (
	k8s.io/kubernetes v1.36.4
	go.etcd.io/etcd/server/v3 v3.6.8
)

replace k8s.io/api => k8s.io/api v0.36.4
replace k8s.io/client-go => k8s.io/client-go v0.36.4
`
	got, err := upstream.controlPlaneModule("1.36.4")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := (&requirements{Go: "1.26.0"}).controlPlaneModule("1.36.4"); err == nil {
		t.Errorf("a go.mod of another layout gives %q", got)
	}
}

func TestVerify(t *testing.T) {
	tests := map[string]struct {
		etcd, apiServer, kubectl string
		want                     string // in the error; "" means none
	}{
		"right":               {"echo etcd Version: 3.7.3", "echo Kubernetes v1.37.0", "echo Client Version: v1.37.2", ""},
		"other Kubernetes":    {"echo etcd Version: 3.7.3", "echo Kubernetes v1.3.7", "echo Client Version: v1.37.2", `printed "Kubernetes v1.3.7\n"`},
		"other kubectl":       {"echo etcd Version: 3.7.3", "echo Kubernetes v1.37.0", "echo Client Version: v1.32.4", `printed "Client Version: v1.32.4\n"`},
		"not an etcd":         {"echo hello", "echo Kubernetes v1.37.0", "echo Client Version: v1.37.2", `printed "hello\n"`},
		"does not run at all": {"exit 126", "echo Kubernetes v1.37.0", "echo Client Version: v1.37.2", "exit status 126"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for program, script := range map[string]string{assets.Etcd: tc.etcd, assets.APIServer: tc.apiServer, assets.Kubectl: tc.kubectl} {
				if err := os.WriteFile(filepath.Join(dir, program), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			err := (&installer{version: "1.37.2", log: quiet()}).verify(t.Context(), dir, assets.Programs())
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("verify = %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestRunUsesWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	for _, program := range assets.Programs() {
		if err := os.WriteFile(filepath.Join(dir, program), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(assets.EnvDir, dir)
	if got, err := run(t.Context(), assets.DefaultVersion, false); err != nil || got != dir {
		t.Errorf("run = %q, %v; want %q", got, err, dir)
	}
}

// TestAdd checks that the directory is left alone where a program is there, and that one of another
// version is found out.
func TestAdd(t *testing.T) {
	const version = "1.37.2"
	tests := map[string]struct {
		program       program
		version, want string
	}{
		"kube-controller-manager": {controllerManager(version), "Kubernetes v1.37.1", `want "Kubernetes v1.37." in it`},
		"registry":                {registry(), "registry github.com/distribution/distribution/v3 " + registryVersion + "+unknown", `want "distribution/v3 ` + registryVersion},
		"cosign":                  {cosign(), "GitVersion: " + cosignVersion, `want "` + cosignVersion},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			script := func(output string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(dir, tt.program.name), []byte("#!/bin/sh\necho "+output+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			script(tt.version)
			if err := add(t.Context(), version, dir, tt.program); err != nil {
				t.Error(err)
			}
			in := &installer{version: version, log: quiet()}
			script("v0.9.9")
			err := in.verify(t.Context(), dir, []string{tt.program.name})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("verify = %v, want %q in it", err, tt.want)
			}
			if has := in.has(t.Context(), dir, tt.program); has != (tt.program.modules == "") {
				t.Errorf("another version counts: %v", has)
			}
		})
	}
}

// TestPinnedVersions compares the versions with those of the modules.
func TestPinnedVersions(t *testing.T) {
	for file, line := range map[string]string{
		"../registry/go.mod":       "\tgithub.com/distribution/distribution/v3 " + registryVersion,
		"../../test/cosign/go.mod": "\tgithub.com/sigstore/cosign/v3 " + cosignVersion,
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile("(?m)^" + regexp.QuoteMeta(line) + "( // indirect)?$").Match(text) {
			t.Errorf("%s has no line %q", file, line)
		}
	}
}
