// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
	"github.com/package-url/packageurl-go"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/assay-project/assay/hack/release/recipe"
)

const source = "../../.."

// TestProgram checks the bill of materials of the program that is released: it has every
// module that the toolchain names, and nothing else but the standard library.
func TestProgram(t *testing.T) {
	path := compile(t)
	text := write(t, "-version", "v0.1.0", path)
	if again := write(t, "-version", "v0.1.0", path); text != again {
		t.Error("the same program has two bills of materials")
	}
	if err := validateSchema(t, text); err != nil {
		t.Errorf("not valid CycloneDX 1.6: %v", err)
	}
	if validateSchema(t, strings.Replace(text, `"library"`, `"book"`, 1)) == nil {
		t.Error("the schema lets everything pass")
	}

	bom := decode(t, text)
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Deps) < 50 {
		t.Fatalf("%d modules: this is not the operator", len(info.Deps))
	}
	checkModules(t, bom, info)
	checkDependencies(t, bom)

	digest := hashOf(t, bom.Metadata.Component.Components)
	if want := fileDigest(t, path); digest != want {
		t.Errorf("the program has the hash %s, want %s", digest, want)
	}
	if got, want := bom.Metadata.Component.PackageURL, "pkg:golang/github.com/assay-project/assay@v0.1.0"; got != want {
		t.Errorf("package URL %s, want %s", got, want)
	}
}

// checkModules compares the components with the build information, which it reads in its
// own way.
func checkModules(t *testing.T, bom *cdx.BOM, info *debug.BuildInfo) {
	t.Helper()
	type module struct{ Path, Version, Sum string }
	want := map[module]bool{{Path: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go")}: true}
	for _, dep := range info.Deps {
		want[module{dep.Path, dep.Version, dep.Sum}] = true
	}
	got := map[module]bool{}
	for _, c := range *bom.Components {
		url, err := packageurl.FromString(c.PackageURL)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(url.Namespace+"/"+url.Name, "/")
		if !strings.EqualFold(name, c.Name) || url.Version != c.Version || url.Type != packageurl.TypeGolang {
			t.Errorf("%s %s has the package URL %s", c.Name, c.Version, c.PackageURL)
		}
		m := module{Path: c.Name, Version: c.Version}
		if c.Name != "stdlib" {
			raw, err := hex.DecodeString((*c.Hashes)[0].Value)
			if err != nil {
				t.Fatal(err)
			}
			m.Sum = "h1:" + base64.StdEncoding.EncodeToString(raw)
		}
		got[m] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
}

// checkDependencies checks that each reference is to something, and that all components
// are reached from the release.
func checkDependencies(t *testing.T, bom *cdx.BOM) {
	t.Helper()
	edges := map[string][]string{}
	for _, d := range *bom.Dependencies {
		if d.Dependencies != nil {
			edges[d.Ref] = *d.Dependencies
		}
	}
	reached := map[string]bool{}
	for _, file := range edges[bom.Metadata.Component.BOMRef] {
		for _, ref := range edges[file] {
			reached[ref] = true
		}
	}
	known := map[string]bool{}
	for _, c := range *bom.Components {
		known[c.BOMRef] = true
	}
	if diff := cmp.Diff(known, reached); diff != "" {
		t.Errorf("dependencies (-components +reached):\n%s", diff)
	}
}

// TestTwoPrograms describes two forms of one program, as a release has.
func TestTwoPrograms(t *testing.T) {
	one := program{name: "assay-linux-amd64", sha256: strings.Repeat("a", 64), info: &debug.BuildInfo{
		GoVersion: "go1.26.8",
		Main:      debug.Module{Path: "example.com/Assay"},
		Deps: []*debug.Module{
			{Path: "example.com/b", Version: "v1.0.0+incompatible", Sum: sumOf(1)},
			{Path: "example.com/a", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/fork", Version: "v1.0.1", Sum: sumOf(2)}},
		},
		Settings: []debug.BuildSetting{{Key: "GOARCH", Value: "amd64"}},
	}}
	two := program{name: "assay-linux-arm64", sha256: strings.Repeat("b", 64), info: &debug.BuildInfo{
		GoVersion: "go1.26.8",
		Main:      debug.Module{Path: "example.com/Assay"},
		Deps:      []*debug.Module{{Path: "example.com/b", Version: "v1.0.0+incompatible", Sum: sumOf(1)}},
	}}
	bom, err := describe([]program{one, two}, "v1")
	if err != nil {
		t.Fatal(err)
	}
	var refs []string
	for _, c := range *bom.Components {
		refs = append(refs, c.BOMRef)
	}
	want := []string{"pkg:golang/example.com/b@v1.0.0%2Bincompatible", "pkg:golang/example.com/fork@v1.0.1", "pkg:golang/stdlib@1.26.8"}
	if diff := cmp.Diff(want, refs); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
	if names := len(*bom.Metadata.Component.Components); names != 2 {
		t.Errorf("%d programs, want 2", names)
	}
	other, err := describe([]program{two}, "v1")
	if err != nil {
		t.Fatal(err)
	}
	if bom.SerialNumber == other.SerialNumber {
		t.Error("two bills of materials have one serial number")
	}
}

func TestDescribeRefuses(t *testing.T) {
	withDep := func(dep debug.Module) []program {
		return []program{{info: &debug.BuildInfo{Deps: []*debug.Module{&dep}}}}
	}
	tests := map[string]struct {
		programs []program
		want     string
	}{
		"a module from a folder":   {withDep(debug.Module{Path: "a", Version: "v1.0.0"}), "no checksum"},
		"a folder in its place":    {withDep(debug.Module{Path: "a", Sum: sumOf(1), Replace: &debug.Module{Path: "../a"}}), "no checksum"},
		"a checksum cut off":       {withDep(debug.Module{Path: "a", Sum: "h1:AAAA"}), "3 bytes"},
		"a checksum not in base64": {withDep(debug.Module{Path: "a", Sum: "h1:!"}), "illegal base64"},
		"programs of two modules": {[]program{
			{info: &debug.BuildInfo{Main: debug.Module{Path: "a"}}},
			{info: &debug.BuildInfo{Main: debug.Module{Path: "b"}}},
		}, "is of module b"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := describe(test.programs, "v1"); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestRunRefuses(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("not a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"no program":      {},
		"a missing file":  {filepath.Join(t.TempDir(), "none")},
		"no Go program":   {text},
		"an unknown flag": {"-none"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(args, io.Discard); err == nil {
				t.Error("no error")
			}
		})
	}
}

// validateSchema validates against the schema of CycloneDX itself, which its module brings.
func validateSchema(t *testing.T, text string) error {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	for _, name := range []string{"bom-1.6.schema.json", "spdx.schema.json", "jsf-0.82.schemax.json"} {
		content, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "schema", name))
		if err != nil {
			t.Fatal(err)
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		id := schema.(map[string]any)["$id"].(string)
		if err := compiler.AddResource(id, schema); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	bom, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(bom)
}

// compile compiles the program as the Dockerfile does.
func compile(t *testing.T) string {
	t.Helper()
	file, err := os.Open(filepath.Join(source, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	r, err := recipe.Read(file, recipe.Args{"TARGETOS": "linux", "VERSION": "v0.1.0"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "assay")
	if err := r.Compile.Run(t.Context(), source, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(args, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func decode(t *testing.T, text string) *cdx.BOM {
	t.Helper()
	bom := new(cdx.BOM)
	if err := cdx.NewBOMDecoder(strings.NewReader(text), cdx.BOMFileFormatJSON).Decode(bom); err != nil {
		t.Fatal(err)
	}
	return bom
}

func hashOf(t *testing.T, files *[]cdx.Component) string {
	t.Helper()
	if files == nil || len(*files) != 1 || (*files)[0].Hashes == nil {
		t.Fatal("the one program is not in the bill of materials")
	}
	return (*(*files)[0].Hashes)[0].Value
}

func fileDigest(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// sumOf returns a checksum of the form that go.sum has.
func sumOf(b byte) string {
	return "h1:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32))
}
