// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/assay-project/assay/internal/testenv/controlplane/assets"
)

const (
	// indexURL is the index of setup-envtest's releases. Probing it first detects a machine without
	// that network in seconds, before compiling setup-envtest.
	indexURL = "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml"
	// probeTimeout bounds the probe.
	probeTimeout = 5 * time.Second
	// downloadTimeout bounds the download, of about 80 MB.
	downloadTimeout = 5 * time.Minute
)

// download fetches the newest release of the version's series with setup-envtest and returns its
// directory. The error is one line.
func (in *installer) download(ctx context.Context) (string, error) {
	minor, err := assets.Minor(in.version)
	if err != nil {
		return "", err
	}
	if err := probe(ctx); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := in.goCommand(ctx, in.root, "tool", "-modfile="+filepath.Join("hack", "tools", "go.mod"),
		"setup-envtest", "use", minor+".x", "-p", "path")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	done := in.log.watch(func() string { return "setup-envtest: fetching Kubernetes " + minor })
	err = cmd.Run()
	done()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, lastLine(stderr.String()))
	}
	dir := strings.TrimSpace(stdout.String())
	if !assets.Complete(dir) {
		return "", fmt.Errorf("setup-envtest's %q lacks a program", dir)
	}
	return dir, in.verify(ctx, dir, assets.Programs())
}

// probe checks that the index is reachable.
func probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, indexURL, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	var failed *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s did not answer within %s", req.URL.Host, probeTimeout)
	case errors.As(err, &failed):
		return failed.Err
	case err != nil:
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", req.URL.Host, resp.Status)
	}
	return nil
}

// lastLine returns the last line of text that is not blank.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// goCommand is the go command in dir, in an environment that builds the same programs on every
// machine.
func (in *installer) goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = goEnvironment()
	stopGently(cmd)
	return cmd
}
