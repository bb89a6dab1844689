// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package lookaside reads signatures from lookaside stores (containers-registries.d(5)): the
// signatures of HOST/PATH@sha256:<hex> are PATH@sha256=<hex>/signature-1, -2 and so on, up to the
// first that is missing. The host is no part of the name. A store is a directory or a web server.
//
// Two kinds of content lie in stores: OpenPGP messages, and signatures of sigstore, which begin with
// "\0sigstore-json\n". A file of another kind hides no other one. It verifies no signature.
package lookaside

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/registry"
)

// Store is a lookaside store.
type Store interface {
	// read returns a file of at most registry.MaxSignature bytes. The error is fs.ErrNotExist for
	// one that is missing, and errForbidden for one that may be.
	read(ctx context.Context, name string) ([]byte, error)
	// host of the store, for messages; empty for a directory.
	host() string
	close() error
}

// errForbidden is for a store that refuses a file. Object stores do so for files that are missing.
var errForbidden = errors.New("the store refuses the file")

// Open opens a store: a directory, file://DIRECTORY, or a URL, for which client is used. It is
// closed by Signatures.
func Open(store string, client *http.Client) (Store, error) {
	if u, err := url.Parse(store); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		switch {
		case u.Host == "":
			return nil, errors.New("the URL of a lookaside store has a host")
		case u.User != nil, u.RawQuery != "", u.Fragment != "":
			return nil, errors.New("the URL of a lookaside store has no user, query or fragment")
		}
		return &webStore{base: u, client: client}, nil
	}
	root, err := os.OpenRoot(strings.TrimPrefix(store, "file://"))
	if err != nil {
		return nil, err
	}
	return directory{root}, nil
}

// Signatures returns the signatures of an image, in the order of the store. An error means that
// the store could not be asked for all of them; those that were found before it are returned as
// well. Files that are no signatures are in Found.Skipped. The store is closed.
func Signatures(ctx context.Context, store Store, named reference.Named, d digest.Digest) (found registry.Found, err error) {
	defer func() { err = errors.Join(err, store.close()) }()
	folder := fmt.Sprintf("%s@%s=%s", reference.Path(named), d.Algorithm(), d.Encoded())
	for n := 1; n <= registry.MaxSignatures; n++ {
		content, err := store.read(ctx, fmt.Sprintf("%s/signature-%d", folder, n))
		var unusable *registry.Error
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, errForbidden) && n > 1:
			return found, nil
		case errors.Is(err, errForbidden):
			return found, &registry.Error{Code: registry.Unauthorized, Host: store.host(),
				Detail: "refuses the first signature; a store must be readable by everybody, and answer 404 for what it does not have"}
		case errors.As(err, &unusable) && (unusable.Code == registry.TooLarge || store.host() == ""):
			found.Skip(unusable)
			continue
		case err != nil:
			return found, err
		}
		signature, err := classify(content)
		switch {
		case isPage(content) && store.host() != "":
			// A server that has a page for every name would never say that a file is missing.
			return found, &registry.Error{Code: registry.Malformed, Host: store.host(), Detail: "answers with a web page in place of a signature"}
		case err != nil:
			found.Skip(&registry.Error{Code: registry.Malformed, Host: store.host(), Detail: fmt.Sprintf("has a file signature-%d that %s", n, err)})
		default:
			found.Signatures = append(found.Signatures, signature)
		}
	}
	// There may be no further one, but there was no end.
	found.More = true
	return found, nil
}

// sigstoreJSON begins a signature of sigstore.
const sigstoreJSON = "\x00sigstore-json\n"

// classify returns the signature in a file. An error is a clause about the file.
func classify(content []byte) (registry.Signature, error) {
	switch {
	case len(content) == 0:
		return registry.Signature{}, errors.New("is empty")
	case isPage(content):
		return registry.Signature{}, errors.New("is a web page")
	case bytes.HasPrefix(content, []byte(sigstoreJSON)):
		return registry.Signature{Type: registry.TypeSigstore, Content: content}, nil
	case content[0]&0x80 != 0:
		// The first bit of every OpenPGP packet is 1 (RFC 9580 section 4.2).
		return registry.Signature{Type: registry.TypeAtomic, Content: content}, nil
	default:
		return registry.Signature{}, errors.New("is neither an OpenPGP message nor a signature of sigstore")
	}
}

// isPage reports whether content is a page of HTML or XML.
func isPage(content []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(content, "\ufeff \t\r\n"), []byte("<"))
}

// directory is a store on disk.
type directory struct{ root *os.Root }

func (directory) host() string   { return "" }
func (d directory) close() error { return d.root.Close() }

// read never reads a file outside the store, even through links. What is there and cannot be read is
// an error of the file, and not of the store.
func (d directory) read(_ context.Context, name string) (content []byte, err error) {
	if _, err := d.root.Lstat(name); err != nil {
		return nil, err
	}
	info, err := d.root.Stat(name)
	switch {
	case err != nil:
		return nil, &registry.Error{Code: registry.Malformed, Detail: fmt.Sprintf("has a file %s that cannot be read: %v", name, cause(err))}
	case !info.Mode().IsRegular():
		// Opening a pipe would block until a writer opens it.
		return nil, &registry.Error{Code: registry.Malformed, Detail: fmt.Sprintf("has a file %s that is not a regular file", name)}
	case info.Size() > registry.MaxSignature:
		return nil, &registry.Error{Code: registry.TooLarge, Detail: fmt.Sprintf("has a file %s that is too large for a signature", name)}
	}
	return d.root.ReadFile(name)
}

// cause returns why a file cannot be read, without its name.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// webStore is a store on a web server.
type webStore struct {
	base   *url.URL
	client *http.Client
}

func (w *webStore) host() string { return w.base.Host }
func (w *webStore) close() error { return nil }

func (w *webStore) read(ctx context.Context, name string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base.JoinPath(name).String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := w.client.Do(req)
	if err != nil {
		return nil, registry.Describe(w.base.Host, err)
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		switch response.StatusCode {
		case http.StatusNotFound, http.StatusGone:
			return nil, fs.ErrNotExist
		case http.StatusForbidden:
			return nil, errForbidden
		}
		return nil, registry.StatusError(response)
	}
	content, err := registry.ReadBody(response, registry.MaxSignature)
	if err != nil {
		return nil, registry.Describe(w.base.Host, err)
	}
	return content, nil
}
