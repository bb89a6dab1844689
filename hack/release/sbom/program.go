// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"
)

// program is a Go program and what the toolchain says of it.
type program struct {
	name   string
	sha256 string
	info   *debug.BuildInfo
}

func readProgram(path string) (program, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return program{}, err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return program{}, err
	}
	sum := sha256.Sum256(content)
	return program{name: filepath.Base(path), sha256: hex.EncodeToString(sum[:]), info: info}, nil
}

// newComponent describes a module that is compiled in. One without a checksum comes from a
// folder and not from a release, and nobody could tell what it is.
func newComponent(module *debug.Module) (cdx.Component, error) {
	if module.Replace != nil {
		module = module.Replace
	}
	sum, err := moduleHash(module.Sum)
	if err != nil {
		return cdx.Component{}, fmt.Errorf("%s@%s: %w", module.Path, module.Version, err)
	}
	url := packageURL(module.Path, module.Version)
	return cdx.Component{
		BOMRef:     url,
		Type:       cdx.ComponentTypeLibrary,
		Name:       module.Path,
		Version:    module.Version,
		Scope:      cdx.ScopeRequired,
		Hashes:     hashes(sum),
		PackageURL: url,
	}, nil
}

// standardLibrary is a component too: vulnerabilities are found in it as in others. Its
// form is the one that vulnerability scanners look for.
func standardLibrary(goVersion string) cdx.Component {
	version := strings.TrimPrefix(goVersion, "go")
	url := packageURL("stdlib", version)
	return cdx.Component{
		BOMRef:     url,
		Type:       cdx.ComponentTypeLibrary,
		Name:       "stdlib",
		Version:    version,
		Scope:      cdx.ScopeRequired,
		Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "BSD-3-Clause"}}},
		PackageURL: url,
	}
}

// moduleHash returns the SHA-256 of a module's go.sum line in hexadecimal digits. It is
// that of a list of its files' hashes: https://go.dev/ref/mod#go-sum-files
func moduleHash(sum string) (string, error) {
	encoded, ok := strings.CutPrefix(sum, "h1:")
	if !ok {
		return "", fmt.Errorf("no checksum of the kind h1 but %q", sum)
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", fmt.Errorf("checksum %q: %w", sum, err)
	}
	if len(raw) != sha256.Size {
		return "", fmt.Errorf("checksum %q has %d bytes, and %d are expected", sum, len(raw), sha256.Size)
	}
	return hex.EncodeToString(raw), nil
}

// packageURL names a module: https://github.com/package-url/purl-spec
func packageURL(path, version string) string {
	namespace, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		namespace, name = path[:i], path[i+1:]
	}
	return packageurl.NewPackageURL(packageurl.TypeGolang, namespace, name, version, nil, "").ToString()
}

func hashes(digits string) *[]cdx.Hash {
	return &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: digits}}
}
