// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/assay-project/assay/internal/cli"
)

// waitingVariable turns the test binary into the program under test.
const waitingVariable = "ASSAY_TEST_WAITING"

// TestVerifyInterrupted checks that Ctrl-C ends a command that waits for input.
func TestVerifyInterrupted(t *testing.T) {
	_, good := files(t)
	if os.Getenv(waitingVariable) != "" {
		os.Exit(cli.Main(good.with("signature", "-").args(), notifyingReader{os.Stdin, os.Stdout}, io.Discard, io.Discard))
	}
	// A generous bound: only a command that keeps waiting reaches it.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestVerifyInterrupted$")
	cmd.Env = append(os.Environ(), waitingVariable+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close() }() // Open until the end, so that the command waits.
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Errorf("the command does not read its input: %q, %v", line, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Fatalf("ended with %v, want an interrupt", err)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGINT {
		t.Errorf("ended with %v, want an interrupt", exit)
	}
}

// notifyingReader is an input that announces its first read.
type notifyingReader struct {
	io.Reader
	teller io.Writer
}

func (r notifyingReader) Read(p []byte) (int, error) {
	if _, err := io.WriteString(r.teller, "waiting\n"); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
