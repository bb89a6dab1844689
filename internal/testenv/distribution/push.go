// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package distribution

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"
)

// Media types of what cosign attaches to images, and the annotation with a signature over the layer.
const (
	cosignPayload    = "application/vnd.dev.cosign.simplesigning.v1+json"
	cosignBundle     = "application/vnd.dev.sigstore.bundle.v0.3+json"
	cosignAnnotation = "dev.cosignproject.cosign/signature"
)

// repository is a repository of the registry.
type repository struct{ *remote.Repository }

func (r *Registry) repository(name string) (repository, error) {
	to, err := remote.NewRepository(r.Host + "/" + name)
	if err != nil {
		return repository{}, err
	}
	to.PlainHTTP, to.Client = true, r.client
	return repository{to}, nil
}

// Push pushes an image under a tag. Each tag has a digest of its own.
func (r *Registry) Push(ctx context.Context, name, tag string) (digest.Digest, error) {
	to, err := r.repository(name)
	if err != nil {
		return "", err
	}
	image, err := to.pushImage(ctx, name+":"+tag, &v1.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		return "", fmt.Errorf("push %s: %w", name, err)
	}
	return image.Digest, to.Tag(ctx, image, tag)
}

// PushIndex pushes an index of images for architectures under a tag.
func (r *Registry) PushIndex(ctx context.Context, name, tag string, architectures ...string) (index digest.Digest, images []digest.Digest, err error) {
	to, err := r.repository(name)
	if err != nil {
		return "", nil, err
	}
	list := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex}
	for _, architecture := range architectures {
		platform := &v1.Platform{OS: "linux", Architecture: architecture}
		image, err := to.pushImage(ctx, name+":"+tag+" for "+architecture, platform)
		if err != nil {
			return "", nil, fmt.Errorf("push %s: %w", name, err)
		}
		image.Platform = platform
		list.Manifests = append(list.Manifests, image)
		images = append(images, image.Digest)
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return "", nil, err
	}
	described := content.NewDescriptorFromBytes(v1.MediaTypeImageIndex, raw)
	return described.Digest, images, to.PushReference(ctx, described, bytes.NewReader(raw), tag)
}

// pushImage pushes an image with one layer. The name distinguishes its digest from others.
func (to repository) pushImage(ctx context.Context, name string, platform *v1.Platform) (v1.Descriptor, error) {
	layer, err := to.pushBlob(ctx, v1.MediaTypeImageLayer, []byte(name))
	if err != nil {
		return v1.Descriptor{}, err
	}
	raw, err := json.Marshal(v1.Image{Platform: *platform, RootFS: v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{layer.Digest}}})
	if err != nil {
		return v1.Descriptor{}, err
	}
	return to.pushManifest(ctx, v1.MediaTypeImageConfig, raw, nil, layer)
}

// pushManifest pushes a manifest with a configuration and a layer that is there, and returns its
// descriptor.
func (to repository) pushManifest(ctx context.Context, mediaType string, configuration []byte, subject *v1.Descriptor, layer v1.Descriptor) (v1.Descriptor, error) {
	described, err := to.pushBlob(ctx, mediaType, configuration)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return oras.PackManifest(ctx, to, oras.PackManifestVersion1_1, "", oras.PackManifestOptions{
		Subject: subject, Layers: []v1.Descriptor{layer}, ConfigDescriptor: &described,
	})
}

func (to repository) pushBlob(ctx context.Context, mediaType string, blob []byte) (v1.Descriptor, error) {
	described := content.NewDescriptorFromBytes(mediaType, blob)
	return described, to.Blobs().Push(ctx, described, bytes.NewReader(blob))
}

// Attach attaches a signature to an image as cosign 2 does: under the tag sha256-<hex>.sig, with the
// payload as a layer and the signature in its annotation.
func (r *Registry) Attach(ctx context.Context, name string, image digest.Digest, payload, signature []byte) error {
	to, err := r.repository(name)
	if err != nil {
		return err
	}
	layer, err := to.pushBlob(ctx, cosignPayload, payload)
	if err != nil {
		return fmt.Errorf("attach to %s: %w", name, err)
	}
	layer.Annotations = map[string]string{cosignAnnotation: base64.StdEncoding.EncodeToString(signature)}
	attachment, err := to.pushManifest(ctx, v1.MediaTypeImageConfig, []byte("{}"), nil, layer)
	if err != nil {
		return fmt.Errorf("attach to %s: %w", name, err)
	}
	return to.Tag(ctx, attachment, image.Algorithm().String()+"-"+image.Encoded()+".sig")
}

// AttachBundle attaches a bundle to an image as cosign 3 does: as a referrer. distribution lists no
// referrers, so the library writes the tag that stands for the list.
func (r *Registry) AttachBundle(ctx context.Context, name string, image digest.Digest, bundle []byte) error {
	to, err := r.repository(name)
	if err != nil {
		return err
	}
	subject, err := to.Resolve(ctx, image.String())
	if err != nil {
		return fmt.Errorf("attach to %s: %w", name, err)
	}
	layer, err := to.pushBlob(ctx, cosignBundle, bundle)
	if err != nil {
		return fmt.Errorf("attach to %s: %w", name, err)
	}
	_, err = oras.PackManifest(ctx, to, oras.PackManifestVersion1_1, cosignBundle, oras.PackManifestOptions{
		Subject: &subject, Layers: []v1.Descriptor{layer},
	})
	return err
}
