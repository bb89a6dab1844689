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
	// ownerFile is locked by the process that owns a data directory. The kernel releases the lock
	// when the process ends for any reason.
	ownerFile = "owner.lock"
	// maxSocketPath is the maximum length of a UNIX socket's path on all systems (macOS allows 104
	// bytes including the final NUL).
	maxSocketPath = 103
)

// dataDir is a directory for one control plane, mode 0700.
type dataDir struct {
	path  string
	owner *os.File
}

// newDataDir creates a data directory in parent and removes those without an owner.
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

// claim creates the owner file. It locks the file before giving it its name, so that a sweep never
// sees a directory that looks abandoned.
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

// remove deletes the directory and its content.
func (d *dataDir) remove() error {
	err := os.RemoveAll(d.path)
	if d.owner == nil {
		return err
	}
	return errors.Join(err, d.owner.Close())
}

// sweep removes the data directories in parent without an owner. It ignores those of other users
// and those about to be claimed.
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
