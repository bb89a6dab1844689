// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// timeout bounds the wait for each result. Each takes a second or two on an idle machine.
	timeout      = 2 * time.Minute
	pollInterval = 100 * time.Millisecond
)

// errOperatorExited means that no result can be expected any more.
var errOperatorExited = errors.New("the operator exited")

// kubectl shows a command and what it prints. A command that fails is an error.
func (d *demo) kubectl(ctx context.Context, args ...string) error {
	return d.kubectlInto(ctx, d.out.block, args...)
}

// table is kubectl for commands that print a table.
func (d *demo) table(ctx context.Context, args ...string) error {
	return d.kubectlInto(ctx, d.out.table, args...)
}

func (d *demo) kubectlInto(ctx context.Context, show func(string), args ...string) error {
	d.out.command(append([]string{"kubectl"}, args...)...)
	output, err := d.quietly(ctx, args...)
	if err != nil {
		return err
	}
	show(output)
	return nil
}

// refused shows a command that the API server has to refuse, and the reason that it gives.
func (d *demo) refused(ctx context.Context, reason string, args ...string) error {
	d.out.command(append([]string{"kubectl"}, args...)...)
	output, err := d.quietly(ctx, args...)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return fmt.Errorf("kubectl %s was not refused", strings.Join(args, " "))
	case !errors.As(err, &exit) || !strings.Contains(output, reason):
		return err
	}
	d.out.block(output)
	return nil
}

// quietly runs kubectl where the files of the demo are, and returns what it prints.
func (d *demo) quietly(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(d.programs, "kubectl"), args...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), "KUBECONFIG="+d.cp.Kubeconfig(), "KUBECACHEDIR="+filepath.Join(d.dir, "cache"))
	output, err := cmd.CombinedOutput()
	if err != nil {
		return string(output), fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	return string(output), nil
}

// await polls until a condition holds. Otherwise the error has the last observation and the end of
// the operator's log.
func (d *demo) await(ctx context.Context, what string, holds func(context.Context) (ok bool, seen string, err error)) error {
	last := ""
	err := wait.PollUntilContextTimeout(ctx, pollInterval, timeout, true, func(ctx context.Context) (bool, error) {
		select {
		case <-d.manager.Exited():
			return false, errOperatorExited
		default:
		}
		ok, seen, err := holds(ctx)
		if ctx.Err() != nil {
			return false, nil // The last request had no time left.
		}
		last = seen
		return ok, err
	})
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("waiting for %s: %w; last seen:\n%s\n\nThe end of the operator's log:\n%s", what, err, last, d.manager.LogTail())
}
