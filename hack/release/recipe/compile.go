// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package recipe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// Compile is a run of the Go compiler.
type Compile struct {
	// Env is set for the compiler, as NAME=VALUE.
	Env []string
	// Args are its arguments, those that name the output left out.
	Args []string
	// Output is where the Dockerfile has the program written.
	Output string
}

var assignment = regexp.MustCompile(`^[A-Z_]+=`)

// readRun reads what a RUN compiles. Fetching modules beforehand is not needed, as the
// compiler fetches them itself.
func (s *scope) readRun(recipe *Recipe, c *instructions.RunCommand) error {
	words, err := s.lex.ProcessWords(strings.Join(c.CmdLine, " "), s)
	if err != nil {
		return err
	}
	split := slices.IndexFunc(words, func(word string) bool { return !assignment.MatchString(word) })
	if split < 0 || len(words) < split+2 || words[split] != "go" {
		return fmt.Errorf("%q does not run go", c)
	}
	env, args := words[:split], words[split+1:]
	switch {
	case slices.Equal(args, []string{"mod", "download"}):
		return nil
	case args[0] != "build":
		return fmt.Errorf("go %s is not understood", args[0])
	case recipe.Compile.Output != "":
		return errors.New("two programs are compiled")
	}
	output := slices.Index(args, "-o")
	if output < 0 || output+1 == len(args) {
		return errors.New("go build without -o")
	}
	recipe.Compile = Compile{
		Env:    env,
		Args:   slices.Delete(slices.Clone(args), output, output+2),
		Output: args[output+1],
	}
	return nil
}

// Run compiles the source at root and writes the program to output.
func (c Compile) Run(ctx context.Context, root, output string) error {
	args := append([]string{c.Args[0], "-o", output}, c.Args[1:]...)
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = root
	// Flags that the caller has for other builds are none of the recipe's.
	command.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	command.Env = append(command.Env, c.Env...)
	if text, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, text)
	}
	return nil
}
