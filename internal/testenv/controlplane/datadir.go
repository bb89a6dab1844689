// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	dataDirPattern = "assay-controlplane-*"
	// ownerFile is locked by the process that a data directory belongs to. The kernel
	// drops the lock when the process ends, however it ends.
	ownerFile = "owner.lock"
	// maxSocketPath is how long the path of a UNIX socket may be on every system
	// (macOS has 104 bytes including the final NUL).
	maxSocketPath = 103
)

// dataDir is a directory for one control plane, mode 0700.
type dataDir struct {
	path  string
	owner *os.File
}

// newDataDir creates a data directory in parent and removes those whose owner is
// gone.
func newDataDir(parent string) (*dataDir, error) {
	if err := sweep(parent); err != nil {
		return nil, err
	}
	path, err := os.MkdirTemp(parent, dataDirPattern)
	if err != nil {
		return nil, err
	}
	dir := &dataDir{path: path}
	if err := dir.claim(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	if n := len(filepath.Join(path, etcdSocket)); n > maxSocketPath {
		return nil, errors.Join(fmt.Errorf("%s is too long for a socket: set TMPDIR to a directory with a shorter path", path), dir.remove())
	}
	return dir, nil
}

// claim creates the owner file. It gets its name only when it is locked already, so
// that a sweep never sees one that looks abandoned.
func (d *dataDir) claim() error {
	unnamed := filepath.Join(d.path, ownerFile+".new")
	file, err := os.OpenFile(unnamed, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("lock %s: %w", unnamed, err), file.Close())
	}
	d.owner = file
	return os.Rename(unnamed, filepath.Join(d.path, ownerFile))
}

// remove deletes the directory with all it holds.
func (d *dataDir) remove() error {
	err := os.RemoveAll(d.path)
	if d.owner == nil {
		return err
	}
	return errors.Join(err, d.owner.Close())
}

// sweep removes the data directories in parent that belong to nobody. Those of
// another user, or on the way to being claimed, are left alone.
func sweep(parent string) error {
	found, err := filepath.Glob(filepath.Join(parent, dataDirPattern))
	if err != nil {
		return err
	}
	for _, path := range found {
		file, err := os.Open(filepath.Join(path, ownerFile))
		if err != nil {
			continue
		}
		if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(path)
		}
		_ = file.Close()
	}
	return nil
}
