// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package recipe reads from the Dockerfile how the program is compiled and what its image
// is made of, so that this is written down once, there.
//
// It knows just the instructions that the Dockerfile has. Another one is an error: an image
// assembled without it would not be the image that a builder makes.
package recipe

import (
	"errors"
	"fmt"
	"io"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// Recipe is a Dockerfile with the values of its build arguments put in.
type Recipe struct {
	// Compile makes the program.
	Compile Compile
	// Context are the files and folders that the compiler is given.
	Context []string
	// Files are in the image, each in a layer of its own, in this order.
	Files []File
	// Labels, User and Entrypoint are the image's configuration.
	Labels     map[string]string
	User       string
	Entrypoint []string
}

// File is a file of the image. Built means that it is what Compile made.
type File struct {
	Built  bool
	Source string
	Target string
}

// Args are the build arguments, by name.
type Args map[string]string

// Read reads a Dockerfile of two stages: one compiles, and the other, on an empty base,
// holds the result.
func Read(r io.Reader, args Args) (*Recipe, error) {
	file, err := parser.Parse(r)
	if err != nil {
		return nil, err
	}
	stages, global, err := instructions.Parse(file.AST, nil)
	if err != nil {
		return nil, err
	}
	if len(stages) != 2 {
		return nil, fmt.Errorf("%d stages, and 2 are expected", len(stages))
	}
	x := expander{lex: shell.NewLex(file.EscapeToken), args: args}
	if err := x.checkBase(stages[1], global); err != nil {
		return nil, err
	}
	recipe := &Recipe{Labels: map[string]string{}}
	if err := x.readBuild(recipe, stages[0]); err != nil {
		return nil, fmt.Errorf("stage %s: %w", stages[0].Name, err)
	}
	if err := x.readImage(recipe, stages[1], stages[0].Name); err != nil {
		return nil, fmt.Errorf("last stage: %w", err)
	}
	return recipe, nil
}

// readBuild reads the stage that compiles.
func (x *expander) readBuild(recipe *Recipe, stage instructions.Stage) error {
	scope := x.scope()
	for _, command := range stage.Commands {
		var err error
		switch c := command.(type) {
		case *instructions.ArgCommand:
			err = scope.declare(c)
		case *instructions.CopyCommand:
			recipe.Context = append(recipe.Context, c.SourcePaths...)
		case *instructions.RunCommand:
			err = scope.readRun(recipe, c)
		case *instructions.WorkdirCommand:
			// The compiler runs in the source's folder, wherever that is.
		default:
			err = fmt.Errorf("%s is not understood here", command.Name())
		}
		if err != nil {
			return err
		}
	}
	if recipe.Compile.Output == "" {
		return errors.New("nothing is compiled")
	}
	return nil
}

// readImage reads the stage that is the image.
func (x *expander) readImage(recipe *Recipe, stage instructions.Stage, build string) error {
	scope := x.scope()
	for _, command := range stage.Commands {
		if arg, ok := command.(*instructions.ArgCommand); ok {
			if err := scope.declare(arg); err != nil {
				return err
			}
			continue
		}
		if c, ok := command.(instructions.SupportsSingleWordExpansion); ok {
			if err := c.Expand(scope.word); err != nil {
				return err
			}
		}
		if err := recipe.add(command, build); err != nil {
			return err
		}
	}
	if len(recipe.Entrypoint) == 0 || recipe.User == "" {
		return errors.New("an image has a USER and an ENTRYPOINT")
	}
	return nil
}

// add adds what an instruction says of the image.
func (recipe *Recipe) add(command instructions.Command, build string) error {
	switch c := command.(type) {
	case *instructions.LabelCommand:
		for _, label := range c.Labels {
			recipe.Labels[label.Key] = label.Value
		}
	case *instructions.CopyCommand:
		return recipe.addFile(c, build)
	case *instructions.UserCommand:
		recipe.User = c.User
	case *instructions.EntrypointCommand:
		if c.PrependShell {
			return errors.New("there is no shell to run the ENTRYPOINT: write it as a list")
		}
		recipe.Entrypoint = c.CmdLine
	default:
		return fmt.Errorf("%s is not understood here", command.Name())
	}
	return nil
}

// addFile adds a file that is copied, from the source or from the stage that compiles.
func (recipe *Recipe) addFile(c *instructions.CopyCommand, build string) error {
	if len(c.SourcePaths) != 1 || c.Chown != "" || c.Chmod != "" || c.Parents || len(c.ExcludePatterns) > 0 {
		return fmt.Errorf("%q is not understood: one file is copied as it is", c)
	}
	file := File{Built: c.From != "", Source: c.SourcePaths[0], Target: c.DestPath}
	if file.Built && (c.From != build || file.Source != recipe.Compile.Output) {
		return fmt.Errorf("%q copies something that is not compiled", c)
	}
	recipe.Files = append(recipe.Files, file)
	return nil
}
