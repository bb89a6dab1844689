// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command install-controlplane makes sure that etcd, kube-apiserver and kubectl are on this
// machine and prints the directory that holds them, alone on standard output.
//
//	go run ./hack/install-controlplane [-version 1.37.2] [-build] [-controller-manager] [-registry] [-cosign]
//
// It takes the first of these that works:
//
//  1. $KUBEBUILDER_ASSETS or the store that setup-envtest keeps, if complete
//     (package internal/controlplane/assets has the details);
//  2. a download by setup-envtest, when its index can be reached;
//  3. a build from the Go modules pinned in hack/controlplane, which needs a Go
//     module proxy and nothing else. With a cold build cache it takes five to
//     fifteen minutes on two cores; progress goes to standard error.
//
// With -controller-manager, kube-controller-manager is built beside them if it is not there, as it is
// in no download. With -registry, distribution is, the registry on which most others are based, from
// the module hack/registry; and with -cosign, cosign from the module test/cosign. One of another
// version is replaced.
//
// Programs enter the store by rename once they are complete and have run, and one
// lock per store keeps two invocations apart, so that neither an interrupt nor a
// concurrent run can leave a half-written program behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/assay-project/assay/internal/testenv/controlplane/assets"
)

// versionTimeout bounds one run of a program with --version. A cold start of the
// 120 MB kube-apiserver from a slow disk takes seconds.
const versionTimeout = time.Minute

// Versions of the programs that have modules of their own; their go.mod pins the same ones.
const (
	registryVersion = "v3.1.2"
	cosignVersion   = "v3.1.3"
)

// installer carries what every step needs to know.
type installer struct {
	// version is the Kubernetes version, MAJOR.MINOR.PATCH.
	version string
	// root is the repository's top directory.
	root string
	// log takes what a person wants to see; standard output is the result's alone.
	log *progress
}

func main() {
	version := flag.String("version", assets.DefaultVersion, "Kubernetes `version` to install")
	build := flag.Bool("build", false, "build from source without trying setup-envtest's download")
	withControllers := flag.Bool("controller-manager", false, "also build kube-controller-manager")
	withRegistry := flag.Bool("registry", false, "also build distribution, a registry")
	withCosign := flag.Bool("cosign", false, "also build cosign")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	dir, err := run(ctx, *version, *build)
	for _, also := range []struct {
		wanted bool
		program
	}{{*withControllers, controllerManager(*version)}, {*withRegistry, registry()}, {*withCosign, cosign()}} {
		if err == nil && also.wanted {
			err = add(ctx, *version, dir, also.program)
		}
	}
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case interrupted:
		fmt.Fprintln(os.Stderr, "install-controlplane: interrupted; what is compiled so far is kept in Go's build cache")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "install-controlplane:", err)
		os.Exit(1)
	}
	fmt.Println(dir)
}

// run returns the directory of the programs, installing them first if need be.
func run(ctx context.Context, version string, buildOnly bool) (string, error) {
	dir, err := assets.Locate(version)
	if err == nil || !errors.Is(err, assets.ErrNotFound) {
		return dir, err
	}
	root, err := repositoryRoot()
	if err != nil {
		return "", err
	}
	target, err := assets.Dir(version)
	if err != nil {
		return "", err
	}
	in := &installer{version: version, root: root, log: newProgress(os.Stderr)}
	defer in.log.close()

	unlock, err := lockStore(ctx, filepath.Dir(target), in.log)
	if err != nil {
		return "", err
	}
	defer unlock()
	// The previous holder of the lock may have installed the same version.
	if dir, err := assets.Locate(version); err == nil {
		return dir, nil
	}
	if !buildOnly {
		dir, err := in.download(ctx)
		if err == nil {
			return dir, nil
		}
		in.log.printf("setup-envtest has no download here (%v)", err)
	}
	if err := in.build(ctx, target, programs(version)); err != nil {
		return "", err
	}
	return target, nil
}

// add builds a program into the directory of the others, if it is not there.
func add(ctx context.Context, version, dir string, p program) error {
	in := &installer{version: version, log: newProgress(os.Stderr)}
	defer in.log.close()
	if in.has(ctx, dir, p) {
		return nil
	}
	var err error
	if in.root, err = repositoryRoot(); err != nil {
		return err
	}
	unlock, err := lockStore(ctx, filepath.Dir(dir), in.log)
	if err != nil {
		return err
	}
	defer unlock()
	// The previous holder of the lock may have built it.
	if in.has(ctx, dir, p) {
		return nil
	}
	return in.build(ctx, dir, []program{p})
}

// has reports whether a program is in the directory. Those with a module of their own must have the
// version that it pins: the directory is named for the version of Kubernetes alone.
func (in *installer) has(ctx context.Context, dir string, p program) bool {
	return assets.Has(dir, p.name) && (p.modules == "" || in.verify(ctx, dir, []string{p.name}) == nil)
}

// repositoryRoot walks up from the working directory to the one that holds
// hack/controlplane.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "hack", "controlplane", "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("hack/controlplane/go.mod is not above the working directory: run this from the repository")
		}
		dir = parent
	}
}

// verify asks programs in dir for their version. Those of Kubernetes must name the series asked for,
// the registry and cosign the version pinned; any etcd will do.
func (in *installer) verify(ctx context.Context, dir string, names []string) error {
	minor, err := assets.Minor(in.version)
	if err != nil {
		return err
	}
	wants := []struct {
		program string
		args    []string
		output  string
	}{
		{assets.Etcd, []string{"--version"}, "etcd Version: "},
		{assets.APIServer, []string{"--version"}, "Kubernetes v" + minor + "."},
		{assets.Kubectl, []string{"version", "--client"}, "Client Version: v" + minor + "."},
		{assets.ControllerManager, []string{"--version"}, "Kubernetes v" + minor + "."},
		{assets.Registry, []string{"--version"}, "distribution/v3 " + registryVersion},
		{assets.Cosign, []string{"version"}, cosignVersion},
	}
	for _, want := range wants {
		if !slices.Contains(names, want.program) {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, versionTimeout)
		cmd := exec.CommandContext(ctx, filepath.Join(dir, want.program), want.args...)
		out, err := cmd.CombinedOutput()
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", cmd, err)
		}
		if !strings.Contains(string(out), want.output) {
			return fmt.Errorf("%s printed %.200q, want %q in it", cmd, out, want.output)
		}
	}
	return nil
}
