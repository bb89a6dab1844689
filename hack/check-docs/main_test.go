// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
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
		"controllers/metrics.go":       "package controllers\n\nvar a = prometheus.NewCounter(prometheus.CounterOpts{Name: \"assay_a_total\"})\nvar b = prometheus.NewDesc(\"assay_b\", \"\", nil, nil)\n",
		"api/v1alpha1/types.go":        "package v1alpha1\n\nconst ReasonGood = \"Good\"\n",
		"docs/metrics.md":              "# Metrics\n\n`assay_a_total`, `assay_b`\n",
		"docs/cli.md":                  "# Commands\n\n### `assay verify`\n\n`--image`\n\n### `assay policy convert`\n\n`--inline`\n",
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

// fakeAssay answers --help as a program with two commands would, one of which has a
// command of its own.
func fakeAssay(args ...string) (string, error) {
	switch strings.Join(args, " ") {
	case "policy --help":
		return "Usage:\n  assay policy [command]\n\nAvailable Commands:\n  convert     Convert\n\nFlags:\n  -h, --help   help\n", nil
	case "policy convert --help":
		return "Usage:\n  assay policy convert [flags]\n\nFlags:\n  -h, --help     help\n      --inline   keys\n", nil
	}
	if len(args) > 0 && args[0] == "verify" {
		return "Usage:\n  assay verify [flags]\n\nFlags:\n  -h, --help           help\n      --image string   image\n", nil
	}
	return "Usage:\n  assay [command]\n\nAvailable Commands:\n  policy      Policies\n  verify      Decide\n\nFlags:\n  -h, --help   help\n", nil
}

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
		"a metric that is not":    {"docs/a.md", "# A\n\n`assay_gone`\n", "docs/a.md:3: metric assay_gone, which controllers does not have"},
		"a metric undocumented":   {"docs/metrics.md", "# Metrics\n\n`assay_a_total`\n", "controllers/metrics.go:4: metric assay_b is not documented in docs/metrics.md"},
		"a reason undocumented":   {"docs/spec/image.md", "# Image\n", "api/v1alpha1/types.go:3: reason Good is not documented in docs/spec"},
		"a reason unexplained":    {"docs/troubleshooting.md", "# Troubleshooting\n\n`Good`\n", "api/v1alpha1/types.go:3: reason Good has no entry in docs/troubleshooting.md"},
		"a reason that is not":    {"docs/spec/image.md", "# Image\n\n`Good`\n\n| reason | meaning |\n|---|---|\n| `Gone` | ? |\n", "docs/spec/image.md:7: reason Gone, which api/v1alpha1 does not have"},
		"a flag in no section":    {"docs/cli.md", "# Commands\n\n### assay verify\n\n### `assay policy convert`\n\n`--inline`\n\n### `assay verify`\n", "docs/cli.md:1: assay verify --image"},
		"a flag undocumented":     {"docs/cli.md", "# Commands\n\n`assay verify`\n\n## Others\n\n`--image`\n\n### `assay policy convert`\n\n`--inline`\n", "docs/cli.md:1: assay verify --image is not documented here"},
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
		"a series of no metric":   {"docs/a.md", "`assay_gone_sum`\n", "docs/a.md:1: metric assay_gone_sum, which controllers does not have"},
		"a series of a metric":    {"docs/a.md", "`assay_b_bucket`\n", ""},
		"what was":                {"CHANGELOG.md", "Go 1.20 and `controllers/gone.go`\n", ""},
		"fenced text with a path": {"docs/a.md", "# A\n\n```\nmake gone\n```\n", "docs/a.md:4: "},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tree := sound()
			if c.file != "" {
				tree[c.file] = &fstest.MapFile{Data: []byte(c.text)}
			}
			var out bytes.Buffer
			err := run(tree, fakeAssay, &out)
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
	if err := run(tree, fakeAssay, &out); err == nil {
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
	for _, name := range []string{"go.mod", "Makefile", "controllers/metrics.go", "api/v1alpha1/types.go", "docs/metrics.md", "docs/runbooks.md", "docs/cli.md", "config/prometheus/rules.yaml"} {
		tree := sound()
		delete(tree, name)
		if err := run(tree, fakeAssay, &bytes.Buffer{}); err == nil {
			t.Errorf("without %s: no error", name)
		}
	}
	broken := errors.New("broken")
	if err := run(sound(), func(...string) (string, error) { return "", broken }, &bytes.Buffer{}); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of the program", err)
	}
}
