// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cli implements the commands of the assay binary: manager.go runs the operator, verify.go
// verifies signatures, fetch.go asks registries and stores for them, status.go summarizes a cluster.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// Exit codes of every command.
const (
	// ExitOK: the command succeeded; for verify, the signature is verified.
	ExitOK = 0
	// ExitRefused: the signature was checked and refused; for policy convert, something is lost.
	ExitRefused = 1
	// ExitError: wrong usage, an error or a signature that could not be checked.
	ExitError = 2
)

// exitError carries an exit code other than ExitError through cobra. The command has already
// printed its message.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usageError is an error in the command line.
type usageError struct{ error }

// usagef formats a usageError.
func usagef(format string, values ...any) error {
	return usageError{fmt.Errorf(format, values...)}
}

// Main runs a command line (without the program's name) and returns the exit code. Results go to
// stdout, everything else to stderr.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := NewCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteC()
	if err == nil {
		return ExitOK
	}
	var exit exitError
	if errors.As(err, &exit) {
		return int(exit)
	}
	// There is no way to report an error on standard error.
	_, _ = fmt.Fprintf(stderr, "assay: %v\n", err)
	var usage usageError
	if errors.As(err, &usage) {
		_, _ = fmt.Fprintf(stderr, "Run \"%s --help\" for the options and examples.\n", cmd.CommandPath())
	}
	return ExitError
}

// NewCommand returns the command assay with all commands below it. Programs that document it
// need it; to run it, there is Main.
func NewCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "assay",
		Short:         "Verify the signatures of container images",
		Long:          "Assay verifies OpenPGP signatures (containers-signature(5)) and sigstore signatures of\ncontainer images, in a cluster as an operator that records verdicts on Images, or on the\ncommand line from files.",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: displayName(os.Args[0])},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newManagerCommand(), newVerifyCommand(), newImageCommand(), newPolicyCommand(), newStatusCommand(), newVersionCommand())
	return root
}

// noArguments refuses arguments that are not flags.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q: every input is a flag", args[0])
	}
	return nil
}
