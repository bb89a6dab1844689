// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/assay-project/assay/internal/testenv/controlplane/assets"
)

// Modules of the control plane's programs.
const (
	kubernetesModule = "k8s.io/kubernetes"
	etcdModule       = "go.etcd.io/etcd/server/v3"
	// etcdClientModule is a requirement of Kubernetes itself. etcd releases all its modules
	// together, so the server has the same version.
	etcdClientModule = "go.etcd.io/etcd/client/v3"
)

// modulesOf returns the directory of a module that pins all dependencies of a program: for one of
// the control plane, hack/controlplane for the default version, with a reviewed and committed
// go.sum; otherwise a temporary one in work, checked by Go's checksum database.
func (in *installer) modulesOf(ctx context.Context, p program, work string) (string, error) {
	switch {
	case p.modules != "":
		return filepath.Join(in.root, filepath.FromSlash(p.modules)), nil
	case in.version == assets.DefaultVersion:
		return filepath.Join(in.root, "hack", "controlplane"), nil
	}
	dir := filepath.Join(work, "modules")
	if err := os.Mkdir(dir, 0o755); errors.Is(err, fs.ErrExist) {
		return dir, nil
	} else if err != nil {
		return "", err
	}
	meter := &buildMeter{name: "modules of Kubernetes " + in.version}
	done := in.log.watch(meter.status)
	err := in.pinModules(ctx, dir, meter)
	meter.finish(err)
	done()
	return dir, err
}

// pinModules writes go.mod and go.sum for in.version to dir.
func (in *installer) pinModules(ctx context.Context, dir string, meter *buildMeter) error {
	upstream, err := in.kubernetesRequirements(ctx, dir, meter)
	if err != nil {
		return err
	}
	mod, err := upstream.controlPlaneModule(in.version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644); err != nil {
		return err
	}
	list := in.goCommand(ctx, dir, "list", "-mod=mod", "-deps", "-f", "")
	for _, p := range append(programs(in.version), controllerManager(in.version)) {
		list.Args = append(list.Args, p.pkg)
	}
	return in.runMetered(meter, list)
}

// requirements is the part of `go mod edit -json` that matters here.
type requirements struct {
	Go      string
	Require []struct{ Path, Version string }
	Replace []struct{ Old, New struct{ Path string } }
}

// kubernetesRequirements reads the go.mod of Kubernetes in.version. It runs in an empty directory,
// without the influence of another module.
func (in *installer) kubernetesRequirements(ctx context.Context, dir string, meter *buildMeter) (*requirements, error) {
	var downloaded struct{ GoMod string }
	query := kubernetesModule + "@v" + in.version
	if err := in.goJSON(ctx, dir, meter, &downloaded, "mod", "download", "-json", query); err != nil {
		return nil, err
	}
	upstream := &requirements{}
	if err := in.goJSON(ctx, dir, meter, upstream, "mod", "edit", "-json", downloaded.GoMod); err != nil {
		return nil, err
	}
	return upstream, nil
}

// goJSON decodes the output of a go command into v.
func (in *installer) goJSON(ctx context.Context, dir string, meter *buildMeter, v any, args ...string) error {
	cmd := in.goCommand(ctx, dir, args...)
	var stdout strings.Builder
	cmd.Stdout = &stdout
	if err := in.runMetered(meter, cmd); err != nil {
		return err
	}
	return json.Unmarshal([]byte(stdout.String()), v)
}

// controlPlaneModule returns the text of a go.mod file. Kubernetes replaces its staging modules
// with directories of its own repository; each is published under the same minor and patch number
// with major version 0.
func (r *requirements) controlPlaneModule(version string) (string, error) {
	etcd := ""
	for _, req := range r.Require {
		if req.Path == etcdClientModule {
			etcd = req.Version
		}
	}
	_, staging, _ := strings.Cut(version, ".")
	var replace strings.Builder
	for _, rep := range r.Replace {
		if strings.HasPrefix(rep.New.Path, "./staging/") {
			fmt.Fprintf(&replace, "replace %s => %s v0.%s\n", rep.Old.Path, rep.Old.Path, staging)
		}
	}
	if etcd == "" || replace.Len() == 0 {
		return "", errors.New("kubernetes " + version + " names no etcd client or no staging modules in its go.mod: unknown layout")
	}
	return fmt.Sprintf("module controlplane\n\ngo %s\n\nrequire (\n\t%s v%s\n\t%s %s\n)\n\n%s",
		r.Go, kubernetesModule, version, etcdModule, etcd, replace.String()), nil
}
