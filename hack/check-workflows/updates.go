// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

const dependabot = ".github/dependabot.yml"

// checkUpdates checks that Dependabot looks after every module, and no folder without one.
func checkUpdates(repository fs.FS) ([]string, error) {
	text, err := fs.ReadFile(repository, dependabot)
	if err != nil {
		return nil, err
	}
	var config struct {
		Updates []struct {
			Ecosystem   string   `json:"package-ecosystem"`
			Directories []string `json:"directories"`
		} `json:"updates"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("%s: %w", dependabot, err)
	}
	var updated []string
	for _, update := range config.Updates {
		if update.Ecosystem == "gomod" {
			updated = append(updated, update.Directories...)
		}
	}
	modules, err := moduleFolders(repository)
	if err != nil {
		return nil, err
	}
	var problems []string
	for _, folder := range modules {
		if !slices.Contains(updated, folder) {
			problems = append(problems, fmt.Sprintf("dependabot.yml: the module in %s is not updated", folder))
		}
	}
	for _, folder := range updated {
		if !slices.Contains(modules, folder) {
			problems = append(problems, fmt.Sprintf("dependabot.yml: there is no module in %s", folder))
		}
	}
	return problems, nil
}

// moduleFolders returns the folders with a go.mod, with a slash in front.
func moduleFolders(repository fs.FS) ([]string, error) {
	var folders []string
	err := fs.WalkDir(repository, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipped(entry.Name()):
			return fs.SkipDir
		case !entry.IsDir() && entry.Name() == "go.mod":
			folders = append(folders, path.Join("/", path.Dir(name)))
		}
		return nil
	})
	return folders, err
}

// skipped reports whether a folder is one in which Go does not look for packages, or is built.
func skipped(name string) bool {
	return len(name) > 1 && strings.ContainsRune("._", rune(name[0])) || slices.Contains([]string{"testdata", "bin", "dist"}, name)
}
