// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// sound is a repository whose documents are right.
func sound() fstest.MapFS {
	files := map[string]string{
		"go.mod":                       "module example.com/x\n\ngo 1.26.0\n\nrequire (\n\tgithub.com/ProtonMail/go-crypto v1.5.2\n\tk8s.io/api v0.37.2\n\tsigs.k8s.io/controller-runtime v0.25.2\n)\n",
		".gitignore":                   "/bin/\n",
		"Makefile":                     "test: ## Test.\n\tgo test ./...\n",
		"controllers/setup.go":         "package controllers\n",
		"api/v1alpha1/types.go":        "package v1alpha1\n\nconst ReasonGood = \"Good\"\n",
		"docs/metrics.md":              "# Metrics\n\n`assay_b`\n",
		"docs/reference/metrics.md":    "# Metrics\n\n| metric |\n|---|\n| `assay_a_total` |\n| `assay_b` |\n",
		"docs/reference/cli.md":        commandsPage,
		"docs/runbooks.md":             "# Runbooks\n\n## AssayDown\n",
		"config/prometheus/rules.yaml": "  - alert: AssayDown\n    annotations:\n      runbook: docs/runbooks.md#assaydown\n",
		"docs/spec/image.md":           "# Image\n\n| reason | meaning |\n|---|---|\n| `Good` | well |\n",
		"docs/troubleshooting.md":      "# Troubleshooting\n\n| reason | what to do |\n|---|---|\n| `Good` | nothing |\n",
		"README.md":                    "# X\n\nRun `make test`, see [metrics](docs/metrics.md#metrics) and `docs/metrics.md`.\n`assay verify --image a` with Go 1.26 and `bin/assay`.\n",
	}
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return tree
}

// commandsPage documents a program with two commands, one of which has a command of its own.
const commandsPage = "# Commands\n\n## assay\n\n```\n  -h, --help   help\n```\n\n" +
	"## assay policy\n\n```\n  -h, --help   help\n```\n\n" +
	"## assay policy convert\n\n```\n```\n\n```\n  -h, --help     help\n      --inline   keys\n```\n\n" +
	"## assay verify\n\n```\nassay verify [flags]\n```\n\n### Options\n\n```\n  -h, --help           help\n      --image string   image\n```\n"

func TestDocuments(t *testing.T) {
	cases := map[string]struct {
		file, text string
		want       string // empty: nothing to complain of
	}{
		"sound":                   {},
		"a link to nowhere":       {"docs/a.md", "# A\n\n[gone](gone.md)\n", "docs/a.md:3: "},
		"an anchor to nowhere":    {"docs/a.md", "# A\n\n[gone](metrics.md#gone)\n", "docs/a.md:3: "},
		"a path that is not":      {"docs/a.md", "# A\n\nIn `controllers/gone.go`.\n", "docs/a.md:3: path controllers/gone.go, which does not exist"},
		"a target that is not":    {"docs/a.md", "# A\n\nRun `make gone`.\n", "docs/a.md:3: "},
		"a flag that is not":      {"docs/a.md", "# A\n\n`assay verify --gone`\n", "docs/a.md:3: "},
		"a metric that is not":    {"docs/a.md", "# A\n\n`assay_gone`\n", "docs/a.md:3: metric assay_gone, which docs/reference/metrics.md does not have"},
		"a reason undocumented":   {"docs/spec/image.md", "# Image\n", "api/v1alpha1/types.go:3: reason Good is not documented in docs/spec"},
		"a reason unexplained":    {"docs/troubleshooting.md", "# Troubleshooting\n\n`Good`\n", "api/v1alpha1/types.go:3: reason Good has no entry in docs/troubleshooting.md"},
		"a reason that is not":    {"docs/spec/image.md", "# Image\n\n`Good`\n\n| reason | meaning |\n|---|---|\n| `Gone` | ? |\n", "docs/spec/image.md:7: reason Gone, which api/v1alpha1 does not have"},
		"an alert unexplained":    {"docs/runbooks.md", "# Runbooks\n", "config/prometheus/rules.yaml:1: alert AssayDown has no entry in docs/runbooks.md"},
		"an alert that is not":    {"docs/runbooks.md", "# Runbooks\n\n## AssayDown\n\n## AssayGone\n", "docs/runbooks.md:5: alert AssayGone, which rules.yaml does not have"},
		"a runbook of another":    {"config/prometheus/rules.yaml", "- alert: AssayDown\n", "config/prometheus/rules.yaml:1: alert AssayDown has the runbook \"\", not docs/runbooks.md#assaydown"},
		"another version":         {"docs/a.md", "# A\n\ngo-crypto v1.4.0\n", "docs/a.md:3: go-crypto 1.4.0, and go.mod has 1.5.2"},
		"a version in go.mod":     {"docs/a.md", "# A\n\nKubernetes 1.37\n", ""},
		"a least version":         {"docs/a.md", "# A\n\nKubernetes 1.34 or later\n", ""},
		"a link by definition":    {"docs/a.md", "# A\n\nSee [b].\n\n[b]: gone.md\n", "docs/a.md:5: link to gone.md, which does not exist"},
		"a link in code":          {"docs/a.md", "# A\n\n`[é](gone)`\n", ""},
		"a link out of the tree":  {"docs/a.md", "# A\n\n[up](../../a.md)\n", "docs/a.md:3: link to ../../a.md, which does not exist"},
		"the second of two":       {"docs/a.md", "# A\n\n# A\n\n[a](#a-1)\n", ""},
		"a wildcard":              {"docs/a.md", "`controllers/*.go` `api/v1alpha1/...`\n", ""},
		"a wildcard for nothing":  {"docs/a.md", "`controllers/*.yaml`\n", "docs/a.md:1: path controllers/*.yaml, which does not exist"},
		"an ignored path":         {"docs/a.md", "`./bin/assay`\n", ""},
		"a command's command":     {"docs/a.md", "`assay policy convert --inline a.json`\n", ""},
		"a flag of another":       {"docs/a.md", "`assay policy convert --image a`\n", "docs/a.md:1: assay policy convert --image, which it does not have"},
		"a command that is not":   {"docs/a.md", "`assay gone`\n", "docs/a.md:1: assay gone, which is no command"},
		"a flag alone":            {"docs/a.md", "`--gone`\n", "docs/a.md:1: flag --gone, which no assay command has"},
		"a flag on a second line": {"docs/a.md", "```\ncat x | bin/assay verify \\\n  --gone=1\n```\n", "docs/a.md:2: assay verify --gone, which it does not have"},
		"a flag of something":     {"docs/a.md", "`gpg --gone; assay verify --image=a # --gone`\n", ""},
		"a list of reasons":       {"docs/a.md", "Reasons of a key:\n`Good`, `Gone`\n", "docs/a.md:2: reason Gone, which api/v1alpha1 does not have"},
		"a series of no metric":   {"docs/a.md", "`assay_gone_sum`\n", "docs/a.md:1: metric assay_gone_sum, which docs/reference/metrics.md does not have"},
		"a series of a metric":    {"docs/a.md", "`assay_b_bucket`\n", ""},
		"what was":                {"CHANGELOG.md", "Go 1.20 and `controllers/gone.go`\n", ""},
		"a long line":             {"docs/a.md", "# A\n\n" + strings.Repeat("word ", 25) + "\n", "docs/a.md:3: 124 columns; prose wraps at 120"},
		"long lines of no prose":  {"docs/a.md", "| " + strings.Repeat("word ", 25) + "|\n\n```\n" + strings.Repeat("word ", 25) + "\n```\n", ""},
		"a long generated line":   {"docs/reference/api.md", strings.Repeat("word ", 25) + "\n", ""},
		"fenced text with a path": {"docs/a.md", "# A\n\n```\nmake gone\n```\n", "docs/a.md:4: "},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tree := sound()
			if c.file != "" {
				tree[c.file] = &fstest.MapFile{Data: []byte(c.text)}
			}
			var out bytes.Buffer
			err := run(tree, &out)
			if c.want == "" {
				if err != nil {
					t.Fatalf("%v\n%s", err, &out)
				}
				return
			}
			if err == nil || !strings.Contains(out.String(), c.want) || strings.Count(out.String(), "\n") != 1 {
				t.Errorf("got %v and %q, want only a line with %q", err, out.String(), c.want)
			}
		})
	}
}

// All problems are listed at once, in order, so that one run is enough to mend them.
func TestAllProblemsAtOnce(t *testing.T) {
	tree := sound()
	maps.Copy(tree, fstest.MapFS{
		"docs/b.md": &fstest.MapFile{Data: []byte("`docs/gone.md`\n")},
		"docs/a.md": &fstest.MapFile{Data: []byte("\n`controllers/gone.go`\n`controllers/lost.go`\n")},
	})
	var out bytes.Buffer
	if err := run(tree, &out); err == nil {
		t.Fatal("no error")
	}
	want := "docs/a.md:2: path controllers/gone.go, which does not exist\n" +
		"docs/a.md:3: path controllers/lost.go, which does not exist\n" +
		"docs/b.md:1: path docs/gone.md, which does not exist\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A check that finds nothing to compare with is broken, and says so.
func TestNothingToCompareWith(t *testing.T) {
	for _, name := range []string{"go.mod", "Makefile", "api/v1alpha1/types.go", "docs/reference/metrics.md", "docs/reference/cli.md", "docs/runbooks.md", "config/prometheus/rules.yaml"} {
		tree := sound()
		delete(tree, name)
		if err := run(tree, &bytes.Buffer{}); err == nil {
			t.Errorf("without %s: no error", name)
		}
	}
	for name, text := range map[string]string{"docs/reference/cli.md": "# Commands\n", "docs/reference/metrics.md": "# Metrics\n"} {
		tree := sound()
		tree[name] = &fstest.MapFile{Data: []byte(text)}
		if err := run(tree, &bytes.Buffer{}); err == nil {
			t.Errorf("with an empty %s: no error", name)
		}
	}
}
