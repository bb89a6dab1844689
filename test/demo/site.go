// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"

	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/testenv/distribution"
	"github.com/assay-project/assay/internal/testenv/fixture"
)

// Repositories of the demo's registry.
const (
	webImage    = "team/web"    // OpenPGP, in a lookaside store
	legacyImage = "team/legacy" // Not signed.
	scanImage   = "tools/scan"  // Signed by cosign, attached under a tag.
	lintImage   = "tools/lint"  // Signed by cosign, attached as a bundle.
)

//go:embed manifests
var manifests embed.FS

// site is a registry with images, and where their signatures are.
type site struct {
	registry  *distribution.Registry
	lookaside *distribution.Lookaside
	digests   map[string]digest.Digest
	cosignKey []byte
}

// startSite starts a registry and a lookaside store, pushes and signs images, and writes the manifests
// that refer to them to a directory. cosign is its program; without one the demo signs in the same form.
func startSite(ctx context.Context, dir, cosign string) (s *site, err error) {
	s = &site{digests: map[string]digest.Digest{}}
	defer func() {
		if err != nil {
			err, s = errors.Join(err, s.close()), nil
		}
	}()
	store := filepath.Join(dir, "lookaside")
	if err := os.Mkdir(store, 0o755); err != nil {
		return s, err
	}
	if s.lookaside, err = distribution.StartLookaside(store); err != nil {
		return s, err
	}
	if s.registry, err = distribution.Start(ctx, distribution.Options{Dir: dir}); err != nil {
		return s, err
	}
	for _, repository := range []string{webImage, legacyImage, scanImage, lintImage} {
		if s.digests[repository], err = s.registry.Push(ctx, repository, "v1"); err != nil {
			return s, err
		}
	}
	release := fixture.Signature(s.registry.Host+"/"+webImage, s.digests[webImage], releaseKey)
	if err := s.lookaside.Add(webImage, s.digests[webImage], release.Content); err != nil {
		return s, err
	}
	if cosign == "" {
		err = s.signLikeCosign(ctx)
	} else {
		err = s.signWithCosign(ctx, dir, cosign)
	}
	if err != nil {
		return s, err
	}
	return s, s.writeManifests(dir)
}

var releaseKey = fixture.Key("demo")

// reference is how a workload names an image.
func (s *site) reference(repository string) string {
	return s.registry.Host + "/" + repository + "@" + s.digests[repository].String()
}

// image is the name of the Image that the operator makes.
func (s *site) image(repository string) string { return "sha256-" + s.digests[repository].Encoded() }

// signLikeCosign signs in the forms of cosign 2 and 3.
func (s *site) signLikeCosign(ctx context.Context) error {
	key, err := fixture.NewCosignKey()
	if err != nil {
		return err
	}
	if s.cosignKey, err = key.Public(); err != nil {
		return err
	}
	payload, signature, err := key.Sign(s.registry.Host+"/"+scanImage, s.digests[scanImage])
	if err != nil {
		return err
	}
	if err := s.registry.Attach(ctx, scanImage, s.digests[scanImage], payload, signature); err != nil {
		return err
	}
	bundle, err := key.Bundle(s.digests[lintImage])
	if err != nil {
		return err
	}
	return s.registry.AttachBundle(ctx, lintImage, s.digests[lintImage], bundle)
}

// signWithCosign signs with a key and without a transparency log, which would be on the internet.
func (s *site) signWithCosign(ctx context.Context, dir, cosign string) error {
	sign := []string{"sign", "--yes", "--key", "cosign.key", "--use-signing-config=false", "--tlog-upload=false"}
	for _, args := range [][]string{
		{"generate-key-pair"},
		append(sign[:len(sign):len(sign)], "--new-bundle-format=false", s.reference(scanImage)),
		append(sign[:len(sign):len(sign)], s.reference(lintImage)),
	} {
		cmd := exec.CommandContext(ctx, cosign, args...)
		cmd.Dir = dir
		// Nothing of this machine counts.
		cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=", "HOME="+dir, "DOCKER_CONFIG="+dir)
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("cosign %s: %w\n%s", args[0], err, output)
		}
	}
	var err error
	s.cosignKey, err = os.ReadFile(filepath.Join(dir, "cosign.pub"))
	return err
}

// writeManifests fills in what differs from run to run.
func (s *site) writeManifests(dir string) error {
	all, err := template.ParseFS(manifests, "manifests/*.yaml")
	if err != nil {
		return err
	}
	images := map[string]string{}
	for repository := range s.digests {
		images[repository] = s.reference(repository)
	}
	data := map[string]any{
		"Registry": s.registry.Host, "Lookaside": s.lookaside.URL, "Images": images, "CosignKey": string(s.cosignKey),
		"ReleaseKey": string(fixture.PublicKey(releaseKey)), "RevokedKey": string(fixture.RevokedKey(releaseKey)),
	}
	for _, manifest := range all.Templates() {
		file, err := os.Create(filepath.Join(dir, manifest.Name()))
		if err != nil {
			return err
		}
		if err := errors.Join(manifest.Execute(file, data), file.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) close() error {
	var errs []error
	if s.registry != nil {
		errs = append(errs, s.registry.Stop())
	}
	if s.lookaside != nil {
		errs = append(errs, s.lookaside.Stop())
	}
	return errors.Join(errs...)
}
