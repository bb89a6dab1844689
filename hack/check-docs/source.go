// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"strconv"
	"strings"
)

// declaration is where something is declared.
type declaration struct {
	file string
	line int
}

// inspectGo visits every node of the Go files of a directory that are no tests.
func inspectGo(r *repository, dir string, visit func(*token.FileSet, ast.Node)) error {
	names, err := fs.Glob(r, dir+"/*.go")
	if err != nil {
		return err
	}
	files := token.NewFileSet()
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := fs.ReadFile(r, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for node := range ast.Preorder(file) {
			visit(files, node)
		}
	}
	return nil
}

func stringLiteral(expression ast.Expr) (string, bool) {
	literal, ok := expression.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	value, err := strconv.Unquote(literal.Value)
	return value, err == nil
}
