// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package distribution

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"
)

// headerTimeout bounds how long a client may take to send a request.
const headerTimeout = 10 * time.Second

// Lookaside is a web server on loopback with a store of signatures, as containers/image writes and
// reads them.
type Lookaside struct {
	// URL is what a RegistryConfig names.
	URL string

	dir    string
	server *http.Server
	done   chan error
}

// StartLookaside serves the store in a directory.
func StartLookaside(dir string) (*Lookaside, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start a lookaside store: %w", err)
	}
	l := &Lookaside{
		URL: "http://" + listener.Addr().String(), dir: dir, done: make(chan error, 1),
		server: &http.Server{Handler: http.FileServer(http.Dir(dir)), ReadHeaderTimeout: headerTimeout},
	}
	go func() { l.done <- l.server.Serve(listener) }()
	return l, nil
}

// Add stores the first signature of an image. The repository has no host.
func (l *Lookaside) Add(repository string, d digest.Digest, signature []byte) error {
	folder := filepath.Join(l.dir, filepath.FromSlash(repository)+"@"+d.Algorithm().String()+"="+d.Encoded())
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "signature-1"), signature, 0o644)
}

// Stop ends the web server. The files stay.
func (l *Lookaside) Stop() error {
	err := l.server.Close()
	if served := <-l.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
