// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package assets finds the programs of a control plane, etcd and kube-apiserver, and the
// kubectl that belongs to them, on this machine.
//
// They live where setup-envtest keeps its own, so that either program finds what
// the other one installed:
//
//	<data dir>/k8s/<version>-<os>-<arch>/{etcd,kube-apiserver,kubectl}
//
// The data dir is ~/Library/Application Support/io.kubebuilder.envtest on macOS,
// and $XDG_DATA_HOME/kubebuilder-envtest elsewhere, where XDG_DATA_HOME defaults
// to ~/.local/share. A directory counts only when it holds all of them.
//
// The package only looks. hack/install-controlplane is what puts the programs
// there; `make setup-envtest` runs it.
package assets

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// DefaultVersion is the Kubernetes release that Assay is developed and tested
// against, without a leading v. hack/controlplane/go.mod pins the same one; a
// test compares the two.
const DefaultVersion = "1.37.2"

// Names of the programs in an assets directory.
const (
	Etcd      = "etcd"
	APIServer = "kube-apiserver"
	Kubectl   = "kubectl"
)

// Names of programs that may be beside the others, if hack/install-controlplane was asked for them.
// They are none of Programs, because setup-envtest does not download them.
const (
	ControllerManager = "kube-controller-manager"
	// Registry is distribution.
	Registry = "registry"
	Cosign   = "cosign"
)

// Programs returns the names of all programs that an assets directory needs to be complete.
func Programs() []string { return []string{Etcd, APIServer, Kubectl} }

// EnvDir is the environment variable that names an assets directory and goes
// before everything else, as it does for envtest.
const EnvDir = "KUBEBUILDER_ASSETS"

// ErrNotFound means that no complete assets directory is on this machine.
var ErrNotFound = errors.New("etcd, kube-apiserver and kubectl are not installed: run make setup-envtest")

// Locate returns the directory that holds the programs of the given
// Kubernetes version ("1.37.2"): $KUBEBUILDER_ASSETS when that is complete,
// whatever its version; else the store's directory of exactly this version; else
// the one with the highest patch release of the same minor version, because
// setup-envtest offers few patch releases. With none of them the error wraps
// ErrNotFound.
func Locate(version string) (string, error) {
	if dir := os.Getenv(EnvDir); dir != "" && Complete(dir) {
		return dir, nil
	}
	exact, err := Dir(version)
	if err != nil {
		return "", err
	}
	if Complete(exact) {
		return exact, nil
	}
	if dir := samePatchSeries(filepath.Dir(exact), version); dir != "" {
		return dir, nil
	}
	return "", fmt.Errorf("%w (looked for Kubernetes %s in %s)", ErrNotFound, version, exact)
}

// Dir returns the store's directory for a Kubernetes version on this operating
// system and architecture, whether or not it exists. The error says which
// environment variable is missing, or that the version is not MAJOR.MINOR.PATCH.
func Dir(version string) (string, error) {
	if _, _, err := splitVersion(version); err != nil {
		return "", err
	}
	root, err := storeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, version+platformSuffix()), nil
}

// Complete reports whether dir holds every program as an executable regular file.
func Complete(dir string) bool {
	return !slices.ContainsFunc(Programs(), func(name string) bool { return !Has(dir, name) })
}

// Has reports whether dir holds a program as an executable regular file.
func Has(dir, name string) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// Minor returns the MAJOR.MINOR part of a MAJOR.MINOR.PATCH version.
func Minor(version string) (string, error) {
	minor, _, err := splitVersion(version)
	return minor, err
}

// storeDir is where setup-envtest keeps the directories of all versions.
func storeDir() (string, error) {
	if data := os.Getenv("XDG_DATA_HOME"); data != "" && runtime.GOOS != "darwin" {
		return filepath.Join(data, "kubebuilder-envtest", "k8s"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("locate the directory of the control plane's programs (set HOME, or %s to a directory that holds them): %w", EnvDir, err)
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "io.kubebuilder.envtest", "k8s"), nil
	}
	return filepath.Join(home, ".local", "share", "kubebuilder-envtest", "k8s"), nil
}

// samePatchSeries returns the complete directory in root with the highest patch
// release of version's minor version, or "" when there is none.
func samePatchSeries(root, version string) string {
	minor, _, err := splitVersion(version)
	if err != nil {
		return ""
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return ""
	}
	found, highest := "", -1
	for _, entry := range entries {
		candidate, ok := strings.CutSuffix(entry.Name(), platformSuffix())
		if !ok {
			continue
		}
		m, patch, err := splitVersion(candidate)
		dir := filepath.Join(root, entry.Name())
		if err == nil && m == minor && patch > highest && Complete(dir) {
			found, highest = dir, patch
		}
	}
	return found
}

func platformSuffix() string {
	return "-" + runtime.GOOS + "-" + runtime.GOARCH
}

// splitVersion parses MAJOR.MINOR.PATCH, digits only: the version becomes part of
// a path and of module versions.
func splitVersion(version string) (minor string, patch int, err error) {
	parts := strings.Split(version, ".")
	if len(parts) != 3 {
		return "", 0, fmt.Errorf("kubernetes version %q is not of the form 1.37.2", version)
	}
	for _, part := range parts {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil || part != strconv.FormatUint(n, 10) {
			return "", 0, fmt.Errorf("kubernetes version %q is not of the form 1.37.2", version)
		}
		patch = int(n)
	}
	return parts[0] + "." + parts[1], patch, nil
}
