// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// product is something that documents name with a version, as in "Kubernetes 1.37".
type product struct {
	name string
	// module has the version in go.mod, and prefix is replaced in it: k8s.io/api v0.37.2 is
	// Kubernetes 1.37.2.
	module, prefix, instead string
	pattern                 *regexp.Regexp
}

// versioned makes the pattern for a product: its name, then a version, which is captured.
func versioned(name, module, prefix, instead string) product {
	return product{
		name: name, module: module, prefix: prefix, instead: instead,
		pattern: regexp.MustCompile(`(?:^|[^\w-])` + regexp.QuoteMeta(name) + "[`@]*\\s*v?([0-9]+\\.[0-9]+(?:\\.[0-9]+)?)( or (?:later|newer))?"),
	}
}

var products = []product{
	versioned("Go", "go", "", ""),
	versioned("Kubernetes", "k8s.io/api", "v0.", "1."),
	versioned("kube-apiserver", "k8s.io/api", "v0.", "1."),
	versioned("controller-runtime", "sigs.k8s.io/controller-runtime", "v", ""),
	versioned("go-crypto", "github.com/ProtonMail/go-crypto", "v", ""),
}

// checkVersions checks that versions are those of go.mod, or begin them. "Or later" makes
// a version a lower bound, which is another statement and not checked.
func checkVersions(r *repository) ([]problem, error) {
	gomod, err := fs.ReadFile(r, "go.mod")
	if err != nil {
		return nil, err
	}
	var problems []problem
	for _, p := range products {
		version := versionIn(string(gomod), p)
		if version == "" {
			return nil, fmt.Errorf("go.mod names no version of %s", p.module)
		}
		for _, d := range r.documents {
			if d.path != changelog {
				problems = append(problems, p.check(d, version)...)
			}
		}
	}
	return problems, nil
}

func (p *product) check(d *document, version string) []problem {
	var problems []problem
	wrong := func(line int, text string) {
		for _, found := range p.pattern.FindAllStringSubmatch(text, -1) {
			if found[2] == "" && found[1] != version && !strings.HasPrefix(version, found[1]+".") {
				problems = append(problems, d.problem(line, fmt.Sprintf("%s %s, and go.mod has %s", p.name, found[1], version)))
			}
		}
	}
	number := 0
	for line := range strings.Lines(d.prose) {
		number++
		wrong(number, line)
	}
	for _, f := range d.fences {
		for _, line := range f.lines {
			wrong(line.line, line.text)
		}
	}
	return problems
}

// versionIn returns the version of a product in go.mod, as documents write it.
func versionIn(gomod string, p product) string {
	pattern := regexp.MustCompile(`(?m)^\s*(?:require\s+)?` + regexp.QuoteMeta(p.module) + `\s+(v?[0-9]\S*)`)
	found := pattern.FindStringSubmatch(gomod)
	if found == nil {
		return ""
	}
	if rest, ok := strings.CutPrefix(found[1], p.prefix); ok {
		return p.instead + rest
	}
	return found[1]
}
