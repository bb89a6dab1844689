// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/pflag"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/lookaside"
	"github.com/assay-project/assay/internal/manifest"
	"github.com/assay-project/assay/internal/registry"
)

// maxFetchedManifest bounds a manifest from a registry, in bytes, as one from a file is bounded.
const maxFetchedManifest = 4 << 20

// fetchOptions are which stores of signatures are asked.
type fetchOptions struct {
	fromRegistry bool
	lookaside    string
	insecure     bool
}

func (o *fetchOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.lookaside, "lookaside", "", "`STORE` of signatures, a lookaside store: DIRECTORY, file://DIRECTORY, or URL")
	flags.BoolVar(&o.fromRegistry, "from-registry", false, "ask the registry of the image for signatures (default if no file and no store is given)")
	flags.BoolVar(&o.insecure, "insecure", false, "contact the registry by http, without TLS")
}

// asksNothing reports whether neither a registry nor a store is asked.
func (o *fetchOptions) asksNothing() bool { return !o.fromRegistry && o.lookaside == "" }

// fetcher asks the registry and the lookaside store of one image.
type fetcher struct {
	*fetchOptions
	// named is the image in canonical form.
	named   reference.Named
	network *registry.Network
	// repository is nil until the registry is asked.
	repository *registry.Repository
}

// newFetcher returns a fetcher for an image. Private addresses are contacted, because a person names
// the host; those of this machine only if the name says so.
func (o *fetchOptions) newFetcher(named reference.Named) (*fetcher, error) {
	canonical, err := imageref.Canonical(named)
	if err != nil {
		return nil, usageError{err}
	}
	network := &registry.Network{}
	_, store, _ := strings.Cut(o.lookaside, "://")
	store, _, _ = strings.Cut(store, "/")
	if isLoopback(reference.Domain(canonical)) || isLoopback(store) {
		network.AllowedAddresses = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	return &fetcher{fetchOptions: o, named: canonical, network: network}, nil
}

// isLoopback reports whether a host, host or host:port, is called localhost or by a loopback address.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// open returns the repository in its registry.
func (f *fetcher) open() (*registry.Repository, error) {
	if f.repository != nil {
		return f.repository, nil
	}
	host := reference.Domain(f.named)
	credential, err := findCredential(host, reference.Path(f.named))
	if err != nil {
		return nil, err
	}
	f.repository = f.network.NewClient(host, registry.Access{AnyHost: true, Insecure: f.insecure}, credential).Repository(f.named)
	return f.repository, nil
}

// head returns the digest of the image, for which a tag is resolved, and reports whether it is an
// index.
func (f *fetcher) head(ctx context.Context) (d digest.Digest, index bool, err error) {
	repository, err := f.open()
	if err != nil {
		return "", false, err
	}
	ref := "latest"
	if tagged, ok := f.named.(reference.Tagged); ok {
		ref = tagged.Tag()
	}
	if digested, ok := f.named.(reference.Digested); ok {
		ref = digested.Digest().String()
	}
	descriptor, err := repository.Head(ctx, ref)
	if err != nil {
		return "", false, f.explain(err)
	}
	return descriptor.Digest, descriptor.MediaType == manifest.MediaTypeOCIIndex || descriptor.MediaType == manifest.MediaTypeDockerList, nil
}

// explain adds to an error of the registry what it means for the image, or what to do about it.
func (f *fetcher) explain(err error) error {
	var failed *registry.Error
	switch {
	case !errors.As(err, &failed):
		return err
	case failed.Code == registry.NotFound:
		return fmt.Errorf("%s: the registry has no such image: %w", f.named, err)
	case failed.Code == registry.TLSError && !f.insecure:
		return fmt.Errorf("%w; --insecure is for registries that speak http only", err)
	default:
		return err
	}
}

// manifest returns the manifest of the image.
func (f *fetcher) manifest(ctx context.Context, d digest.Digest) ([]byte, error) {
	repository, err := f.open()
	if err != nil {
		return nil, err
	}
	return repository.Manifest(ctx, d, maxFetchedManifest)
}

// source is a store, and what it has.
type source struct {
	name  string
	found registry.Found
}

// signatures asks the stores. One that cannot be asked for all of its signatures is an error.
func (f *fetcher) signatures(ctx context.Context, d digest.Digest) ([]source, error) {
	var sources []source
	if f.lookaside != "" {
		found, err := f.fromStore(ctx, d)
		if err != nil {
			return nil, fmt.Errorf("--lookaside: %w", err)
		}
		sources = append(sources, source{"--lookaside: " + f.lookaside, found})
	}
	if !f.fromRegistry {
		return sources, nil
	}
	repository, err := f.open()
	if err != nil {
		return nil, err
	}
	found, err := repository.Extension(ctx, d)
	if err != nil {
		return nil, f.explain(err)
	}
	attached, err := repository.Attachments(ctx, d)
	if err != nil {
		return nil, f.explain(err)
	}
	found.Join(attached)
	return append(sources, source{repository.URL(), found}), nil
}

// fromStore reads the lookaside store. A URL with http is one that the user has chosen.
func (f *fetcher) fromStore(ctx context.Context, d digest.Digest) (registry.Found, error) {
	store, err := lookaside.Open(f.lookaside, f.network.HTTPClient(registry.Access{
		AnyHost: true, Insecure: strings.HasPrefix(f.lookaside, "http://"),
	}))
	if err != nil {
		return registry.Found{}, err
	}
	found, err := lookaside.Signatures(ctx, store, f.named, d)
	if err == nil && found.More {
		err = fmt.Errorf("an Image has at most %d signatures, and the store has more", maxSignatures)
	}
	return found, err
}

// imageType returns the type of a signature in an Image.
func imageType(s *registry.Signature) string {
	switch s.Type {
	case registry.TypeAtomic:
		return imagev1.SignatureTypeAtomicImageV1
	case registry.TypeSigstore:
		return imagev1.SignatureTypeSigstore
	default:
		return s.Type
	}
}

// findCredential returns the credential for a repository from the files that podman, skopeo and
// docker use (containers-auth.json(5)). REGISTRY_AUTH_FILE names the only one. Credential helpers
// are not run.
func findCredential(host, repository string) (registry.Credential, error) {
	if name := os.Getenv("REGISTRY_AUTH_FILE"); name != "" {
		credential, _, err := credentialIn(name, host, repository)
		if err != nil {
			return registry.Credential{}, fmt.Errorf("REGISTRY_AUTH_FILE: %w", err)
		}
		return credential, nil
	}
	var names []string
	if directory := os.Getenv("XDG_RUNTIME_DIR"); directory != "" {
		names = append(names, filepath.Join(directory, "containers", "auth.json"))
	}
	home, _ := os.UserHomeDir()
	if directory := cmp.Or(os.Getenv("DOCKER_CONFIG"), filepath.Join(home, ".docker")); filepath.IsAbs(directory) {
		names = append(names, filepath.Join(directory, "config.json"))
	}
	for _, name := range names {
		credential, ok, err := credentialIn(name, host, repository)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return registry.Credential{}, err
		case ok:
			return credential, nil
		}
	}
	return registry.Credential{}, nil
}

func credentialIn(name, host, repository string) (credential registry.Credential, ok bool, err error) {
	data, err := readFile(name)
	if err != nil {
		return credential, false, err
	}
	credentials, err := registry.ParseDockerConfigJSON(data)
	if err != nil {
		return credential, false, fmt.Errorf("%s: %w", name, err)
	}
	credential, ok = credentials.For(host, repository)
	return credential, ok, nil
}
