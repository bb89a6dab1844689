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

// TestTwoPrograms merges two forms of one program, as a release has.
func TestTwoPrograms(t *testing.T) {
	common, arm := module("example.com/common"), module("example.com/arm")
	one, two := bomOf("assay-linux-amd64", "a", common), bomOf("assay-linux-arm64", "b", common, arm)
	bom, err := merge([]*cdx.BOM{one, two}, "v1")
	if err != nil {
		t.Fatal(err)
	}
	edges := map[string][]string{}
	for _, d := range *bom.Dependencies {
		edges[d.Ref] = *d.Dependencies
	}
	want := map[string][]string{
		"release":                {"file:assay-linux-amd64", "file:assay-linux-arm64"},
		"file:assay-linux-amd64": {"example.com/common", "pkg:golang/stdlib@1.26.8"},
		"file:assay-linux-arm64": {"example.com/arm", "example.com/common", "pkg:golang/stdlib@1.26.8"},
		// Which module asks for which is not in a program.
		"example.com/arm": nil, "example.com/common": nil, "pkg:golang/stdlib@1.26.8": nil,
	}
	if diff := cmp.Diff(want, edges); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
	if names := len(*bom.Metadata.Component.Components); names != 2 {
		t.Errorf("%d programs, want 2", names)
	}
	other, err := merge([]*cdx.BOM{two}, "v1")
	if err != nil {
		t.Fatal(err)
	}
	if bom.SerialNumber == other.SerialNumber {
		t.Error("two bills of materials have one serial number")
	}
}

func TestMergeRefusesTwoModules(t *testing.T) {
	one, two := bomOf("one", "a"), bomOf("two", "b")
	two.Metadata.Component.Name = "example.com/other"
	if _, err := merge([]*cdx.BOM{one, two}, "v1"); err == nil || !strings.Contains(err.Error(), "programs of two modules") {
		t.Errorf("error %v, want one about two modules", err)
	}
}

// TestRefusesFolder compiles a program with a module from a folder. Nobody could tell what it is.
func TestRefusesFolder(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":             "module example.com/program\n\ngo 1.26.0\n\nrequire example.com/library v1.0.0\n\nreplace example.com/library => ./library\n",
		"main.go":            "package main\n\nimport _ \"example.com/library\"\n\nfunc main() {}\n",
		"library/go.mod":     "module example.com/library\n\ngo 1.26.0\n",
		"library/library.go": "package library\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "program")
	command := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", program, ".")
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := run([]string{program}, io.Discard); err == nil || !strings.Contains(err.Error(), "no checksum") {
		t.Errorf("error %v, want one about the checksum", err)
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

// bomOf returns what is merged for a program with the given modules.
func bomOf(name, sha256 string, modules ...cdx.Component) *cdx.BOM {
	return &cdx.BOM{
		Metadata: &cdx.Metadata{
			Component: &cdx.Component{BOMRef: "release", Name: "example.com/assay"},
			Properties: &[]cdx.Property{
				{Name: nameProperty, Value: name},
				{Name: sha256Property, Value: sha256},
				{Name: goProperty, Value: "go1.26.8"},
			},
		},
		Components: &modules,
	}
}

func module(name string) cdx.Component {
	return cdx.Component{BOMRef: name, Name: name, Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256}}}
}
