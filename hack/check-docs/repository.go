// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io/fs"
	"path"
	"strings"
)

// repository is a file tree and its documents.
type repository struct {
	fs.FS
	documents []*document
	// top holds the names of the directories at the top.
	top map[string]bool
	// ignored lists the paths that .gitignore anchors at the top: what is built there
	// need not exist.
	ignored []string
}

func readRepository(tree fs.FS) (*repository, error) {
	r := &repository{FS: tree, top: map[string]bool{}}
	ignore, err := fs.ReadFile(tree, ".gitignore")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(ignore)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") {
			r.ignored = append(r.ignored, strings.Trim(line, "/"))
		}
	}
	if err := fs.WalkDir(tree, ".", r.visit); err != nil {
		return nil, err
	}
	if len(r.documents) == 0 {
		return nil, errors.New("there are no documents here; run this at the top of the repository")
	}
	return r, nil
}

func (r *repository) visit(name string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if !entry.IsDir() {
		if path.Ext(name) != ".md" {
			return nil
		}
		text, err := fs.ReadFile(r, name)
		if err != nil {
			return err
		}
		r.documents = append(r.documents, readDocument(name, string(text)))
		return nil
	}
	if path.Dir(name) == "." && name != "." {
		r.top[name] = true
	}
	if name == ".git" || path.Base(name) == "node_modules" || r.isIgnored(name) {
		return fs.SkipDir
	}
	return nil
}

// isIgnored reports whether a path is, or is in, one that git ignores.
func (r *repository) isIgnored(name string) bool {
	for _, ignored := range r.ignored {
		if name == ignored || strings.HasPrefix(name, ignored+"/") {
			return true
		}
	}
	return false
}

// exists reports whether a path, which may have the wildcards of path.Match, is in the
// tree or need not be.
func (r *repository) exists(name string) bool {
	if r.isIgnored(name) {
		return true
	}
	if strings.Contains(name, "*") {
		found, err := fs.Glob(r, name)
		return err == nil && len(found) > 0
	}
	_, err := fs.Stat(r, name)
	return err == nil
}

// document returns the document of a path, nil if there is none.
func (r *repository) document(name string) *document {
	for _, d := range r.documents {
		if d.path == name {
			return d
		}
	}
	return nil
}
