// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package recipe

import (
	"fmt"
	"maps"
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// expander puts the values of build arguments where a Dockerfile names them.
type expander struct {
	lex  *shell.Lex
	args Args
}

// scope has the arguments that are declared so far. Each stage begins with none.
type scope struct {
	*expander
	values map[string]string
}

func (x *expander) scope() *scope { return &scope{expander: x, values: map[string]string{}} }

// checkBase refuses a base that has something in it: an image is assembled from nothing.
func (x *expander) checkBase(stage instructions.Stage, global []instructions.ArgCommand) error {
	scope := x.scope()
	for _, arg := range global {
		if err := scope.declare(&arg); err != nil {
			return err
		}
	}
	base, err := scope.word(stage.BaseName)
	if err != nil {
		return err
	}
	if base != "scratch" {
		return fmt.Errorf("the image is based on %s: that needs a builder, and here it is assembled from scratch", base)
	}
	return nil
}

// declare gives an argument the value that was asked for, else its default. Without either
// it stays unset.
func (s *scope) declare(c *instructions.ArgCommand) error {
	if err := c.Expand(s.word); err != nil {
		return err
	}
	for _, arg := range c.Args {
		if value, ok := s.args[arg.Key]; ok {
			s.values[arg.Key] = value
		} else if arg.Value != nil {
			s.values[arg.Key] = *arg.Value
		}
	}
	return nil
}

// word expands the arguments in a word.
func (s *scope) word(word string) (string, error) {
	expanded, _, err := s.lex.ProcessWord(word, s)
	return expanded, err
}

// Get and Keys make a scope the environment of the lexer.
func (s *scope) Get(name string) (string, bool) {
	value, ok := s.values[name]
	return value, ok
}

// Keys returns the names of the arguments that are set.
func (s *scope) Keys() []string {
	return slices.Sorted(maps.Keys(s.values))
}
