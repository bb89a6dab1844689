// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/registry"
	"github.com/assay-project/assay/internal/trust"
)

// plan is which stores are asked for the signatures of an image, and how.
type plan struct {
	// id identifies the configuration that the plan follows from.
	id string
	// err is why no store may be asked, nil when they may.
	err *registry.Error

	named     reference.Named // In canonical form.
	digest    digest.Digest
	config    *Config
	endpoints []endpoint
	// wantIndex: the bytes of an index are to be fetched if the image is one. It is false where the
	// Image has a manifest, and where the image is known to be none.
	wantIndex bool
}

// endpoint is a registry that has the image, under a name of its own.
type endpoint struct {
	named  reference.Named
	config *Config
	// hostNamed: an administrator named the host.
	hostNamed bool
}

// host is where the API of the registry is.
func (e *endpoint) host() string { return registry.APIHost(reference.Domain(e.named)) }

// open returns the repository with its credential, for which a program may have to run. Without a
// credential because of an error, it returns the error as well: the image may be readable by
// everybody.
func (e *endpoint) open(ctx context.Context) (*registry.Repository, error) {
	credential, err := e.config.credential(ctx, e.named)
	return e.config.client(e.named, e.hostNamed, credential).Repository(e.named), err
}

// withoutCredential returns why an image could not be read: that there is no credential, if that is
// what the registry asks for.
func withoutCredential(err, noCredential error) error {
	var e *registry.Error
	if noCredential != nil && errors.As(err, &e) && e.Code == registry.Unauthorized {
		return noCredential
	}
	return err
}

// Planner finds the stores of images.
type Planner struct {
	// Configs are the RegistryConfigs.
	Configs *Configs
	// Trust holds the policies, whose scopes allow to contact registries.
	Trust *trust.Store
}

// plan returns the plan for an image.
func (p *Planner) plan(ctx context.Context, image *imagecache.Image) (*plan, error) {
	configs, err := p.Configs.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	policies, err := p.Trust.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	named, err := canonical(image.DockerImageReference)
	if err != nil {
		// The verdict says what is wrong with the reference.
		return &plan{id: "invalid", err: &registry.Error{Code: registry.HostNotAllowed, Detail: "dockerImageReference names no image"}}, nil
	}
	pl := p.forName(configs, policies, named)
	pl.digest, pl.wantIndex = digestOf(image, named), image.Manifest.Digest == "" && image.Manifest.Err == nil
	return pl, nil
}

// canonical returns a reference in canonical form.
func canonical(text string) (reference.Named, error) {
	named, err := imageref.ParseImage(text)
	if err != nil {
		return nil, err
	}
	return imageref.Canonical(named)
}

// forName returns the plan for a name.
func (p *Planner) forName(configs *Snapshot, policies *trust.Snapshot, named reference.Named) *plan {
	config := configs.For(named)
	scope := policies.ScopeFor(named)
	pl := &plan{named: named, config: config}
	hostNamed := scope != "" && !strings.HasPrefix(scope, "*")
	switch {
	case config.Name == "" && scope == "":
		pl.id = "not-allowed"
		pl.err = &registry.Error{Code: registry.HostNotAllowed, Host: reference.Domain(named),
			Detail: "is not contacted, because no TrustPolicy and no RegistryConfig has a scope that covers the image"}
		return pl
	case config.Err != nil:
		pl.id, pl.err = config.ID, config.Err
		return pl
	}
	pl.id = config.ID
	if config.Name == "" && hostNamed {
		pl.id += "-named"
	}
	for _, mirror := range config.spec.Mirrors {
		if mirrored := inMirror(named, configs.scopeFor(named), string(mirror)); mirrored != nil {
			pl.endpoints = append(pl.endpoints, endpoint{named: mirrored, config: config})
		}
	}
	if config.spec.MirrorSourcePolicy != assayv1alpha1.NeverContactSource {
		pl.endpoints = append(pl.endpoints, endpoint{named: named, config: config, hostNamed: hostNamed})
	}
	return pl
}

// keepsSignatures reports whether registries are asked for signatures. Where they are not, they are
// asked for the manifest of an index alone.
func (c *Config) keepsSignatures() bool {
	return c.spec.SignatureExtension != assayv1alpha1.StoreNever || c.spec.Attachments != assayv1alpha1.StoreNever
}

// lane names the hosts that a plan has asked. Images whose stores are on the same hosts wait for each
// other, because all of them have to answer; images with fewer or other hosts do not.
func (p *plan) lane() string {
	if p.err != nil || p.config == nil {
		return ""
	}
	var hosts []string
	if _, rest, ok := strings.Cut(string(p.config.spec.Lookaside), "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		hosts = append(hosts, strings.ToLower(host))
	}
	if p.asksRegistry() {
		for i := range p.endpoints {
			hosts = append(hosts, p.endpoints[i].host())
		}
	}
	slices.Sort(hosts)
	return strings.Join(slices.Compact(hosts), " ")
}

// asksRegistry reports whether registries are asked at all.
func (p *plan) asksRegistry() bool { return p.config.keepsSignatures() || p.wantIndex }

// inMirror returns the name of an image in a mirror, which takes the place of the scope; nil for a
// name that is none.
func inMirror(named reference.Named, scope, mirror string) reference.Named {
	rest, ok := strings.CutPrefix(named.Name(), scope)
	if !ok {
		return nil
	}
	mirrored, err := reference.ParseNormalizedNamed(mirror + rest)
	if err != nil {
		return nil
	}
	return mirrored
}

// digestOf returns the digest of an image, by which stores keep its signatures; empty when nothing
// states it.
func digestOf(image *imagecache.Image, named reference.Named) digest.Digest {
	if digested, ok := named.(reference.Digested); ok {
		return digested.Digest()
	}
	if image.Manifest.Digest != "" {
		return image.Manifest.Digest
	}
	if hex, ok := strings.CutPrefix(image.Name, "sha256-"); ok {
		if d := digest.NewDigestFromEncoded(digest.SHA256, hex); d.Validate() == nil {
			return d
		}
	}
	return ""
}
