// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// Media types of attachments that are signatures.
const (
	// typeBundle begins the media types of sigstore bundles (cosign's bundle specification):
	// application/vnd.dev.sigstore.bundle.v0.3+json, and earlier
	// application/vnd.dev.sigstore.bundle+json;version=0.2.
	typeBundle = "application/vnd.dev.sigstore.bundle"
	// typeCosign is an attachment in the form of the tag, as a referrer.
	typeCosign = "application/vnd.dev.cosign.artifact.sig.v1+json"
	// typeSimpleSigning is the payload of a signature of cosign; the rest are annotations.
	typeSimpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"
	// typeNotary is a signature of notation (Notary Project, "OCI signature specification").
	typeNotary = "application/vnd.cncf.notary.signature"

	// predicateAnnotation is what a bundle states; one that is no image signature is not fetched.
	predicateAnnotation = "dev.sigstore.bundle.predicateType"
	predicateSign       = "https://sigstore.dev/cosign/sign/v1"
)

// sigstoreJSON begins the form in which containers/image keeps signatures of cosign.
const sigstoreJSON = "\x00sigstore-json\n"

// maxAttachment bounds the manifest of an attachment, in bytes: its annotations hold signatures and
// certificates.
const maxAttachment = 1 << 20

// Attachments returns the signatures that are attached to an image by OCI referrers, or by the
// tags that stand for them.
func (r *Repository) Attachments(ctx context.Context, d digest.Digest) (Found, error) {
	found, err := r.cosignTag(ctx, d)
	if err != nil {
		return found, err
	}
	referrers, more, err := r.referrers(ctx, d)
	if err != nil {
		return found, err
	}
	found.More = found.More || more
	for i := range referrers {
		// Those that turn out to be no signatures cost a request as well.
		if len(found.Signatures) >= MaxSignatures || i >= MaxSignatures {
			found.More = true
			return found, nil
		}
		if err := r.referrer(ctx, &referrers[i], &found); err != nil {
			return found, err
		}
	}
	return found, nil
}

// cosignTag reads the signatures of the tag sha256-<hex>.sig.
func (r *Repository) cosignTag(ctx context.Context, d digest.Digest) (Found, error) {
	var found Found
	data, _, err := r.get(ctx, "/v2/"+r.name+"/manifests/"+d.Algorithm().String()+"-"+d.Encoded()+".sig", accept, maxAttachment)
	switch {
	case err == nil:
		if manifest, ok := r.parseAttachment(data, &found); ok {
			err = r.cosignLayers(ctx, manifest, &found)
		}
		return found, err
	case codeOf(err) == NotFound:
		return found, nil
	default:
		return found, r.skippable(err, &found)
	}
}

// errEnough ends a list of referrers that is long enough.
var errEnough = errors.New("enough referrers")

// referrers lists the attachments that are signatures, and after them those that may be. It reports
// whether there are others, of which some may be signatures as well.
func (r *Repository) referrers(ctx context.Context, d digest.Digest) (list []ocispec.Descriptor, more bool, err error) {
	var signatures, untyped []ocispec.Descriptor
	seen := 0
	collect := func(page []ocispec.Descriptor) error {
		for i := range page {
			switch {
			case isUntyped(&page[i]):
				untyped = append(untyped, page[i])
			case isSignature(page[i].ArtifactType, page[i].Annotations):
				signatures = append(signatures, page[i])
			}
			seen++
			// One more than is used, so that the rest is noticed.
			if seen >= maxAttachments || len(signatures) > MaxSignatures {
				return errEnough
			}
		}
		return nil
	}
	subject := ocispec.Descriptor{Digest: d}
	fetch := func(repository *remote.Repository) error {
		return repository.Referrers(ctx, subject, "", collect)
	}
	err = fetch(r.library())
	var response *errcode.ErrorResponse
	if errors.As(err, &response) && lacksReferrers(response.StatusCode) {
		// Some registries refuse what they do not know by other statuses than 404.
		byTag := r.library()
		if err = byTag.SetReferrersCapability(false); err == nil {
			err = fetch(byTag)
		}
	}
	switch {
	case err == nil, errors.Is(err, errEnough), errors.Is(err, errdef.ErrTooManyPages):
		return append(signatures, untyped...), err != nil, nil
	case errors.As(err, &response) && response.StatusCode == http.StatusNotFound, errors.Is(err, errdef.ErrNotFound):
		return nil, false, nil
	case errors.Is(err, errdef.ErrSizeExceedsLimit):
		return nil, false, &Error{Code: TooLarge, Host: r.client.host, Detail: "has a list of attachments that is too large"}
	}
	var e *Error
	if errors.As(err, &e) || response != nil {
		return nil, false, r.explain(Describe(r.client.host, err))
	}
	return nil, false, r.malformed("does not list attachments as the specification says")
}

func lacksReferrers(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusUnsupportedMediaType, http.StatusNotImplemented:
		return true
	}
	return false
}

// library returns the repository as the library has it, which sends its requests through r.
func (r *Repository) library() *remote.Repository {
	return &remote.Repository{
		Client: r, Reference: r.oras(), PlainHTTP: r.client.access.Insecure,
		ReferrerListMaxPages: maxPages, MaxMetadataBytes: maxManifest,
	}
}

// isUntyped reports whether a list of referrers leaves open what an attachment is. Some registries
// list the media type of the configuration in any case, which is empty for bundles.
func isUntyped(d *ocispec.Descriptor) bool {
	return d.ArtifactType == "" || d.ArtifactType == ocispec.MediaTypeEmptyJSON
}

func isSignature(artifactType string, annotations map[string]string) bool {
	switch {
	case artifactType == typeCosign, artifactType == typeNotary:
		return true
	case strings.HasPrefix(artifactType, typeBundle):
		predicate := annotations[predicateAnnotation]
		return predicate == "" || predicate == predicateSign
	default:
		return false
	}
}

// referrer fetches one attachment. One that cannot be used is skipped.
func (r *Repository) referrer(ctx context.Context, d *ocispec.Descriptor, found *Found) error {
	data, err := r.Manifest(ctx, d.Digest, maxAttachment)
	if err != nil {
		return r.skippable(err, found)
	}
	manifest, ok := r.parseAttachment(data, found)
	if !ok {
		return nil
	}
	artifactType := d.ArtifactType
	if isUntyped(d) {
		// OCI distribution specification, "Listing Referrers": the type of the configuration
		// stands in for an artifactType that is absent.
		artifactType = cmp.Or(manifest.ArtifactType, manifest.Config.MediaType)
		if !isSignature(artifactType, manifest.Annotations) {
			return nil
		}
	}
	switch artifactType {
	case typeCosign:
		return r.cosignLayers(ctx, manifest, found)
	case typeNotary:
		return r.layers(ctx, manifest, found, TypeNotation, func(mediaType string) bool {
			return mediaType == "application/jose+json" || mediaType == "application/cose"
		})
	default:
		return r.layers(ctx, manifest, found, TypeSigstore, func(mediaType string) bool {
			return strings.HasPrefix(mediaType, typeBundle)
		})
	}
}

// layers adds the first layer of a wanted media type, which is the signature itself.
func (r *Repository) layers(ctx context.Context, manifest *ocispec.Manifest, found *Found, signatureType string, wanted func(mediaType string) bool) error {
	for i := range manifest.Layers {
		if !wanted(manifest.Layers[i].MediaType) {
			continue
		}
		content, err := r.layer(ctx, &manifest.Layers[i])
		if err != nil {
			return r.skippable(err, found)
		}
		found.add(Signature{Type: signatureType, Content: content})
		return nil
	}
	found.Skip(r.malformed("has an attachment without the signature that its type names"))
	return nil
}

// cosignLayers adds every signature of an attachment of cosign.
func (r *Repository) cosignLayers(ctx context.Context, manifest *ocispec.Manifest, found *Found) error {
	for i := range manifest.Layers {
		layer := &manifest.Layers[i]
		mediaType, _, err := mime.ParseMediaType(layer.MediaType)
		if err != nil || mediaType != typeSimpleSigning {
			continue
		}
		if len(found.Signatures) >= MaxSignatures {
			found.More = true
			return nil
		}
		payload, err := r.layer(ctx, layer)
		if err != nil {
			if err := r.skippable(err, found); err != nil {
				return err
			}
			continue
		}
		if content, ok := r.cosignBlob(payload, layer.Annotations, found); ok {
			found.add(Signature{Type: TypeSigstore, Content: content})
		}
	}
	return nil
}

// cosignBlob joins the parts of a signature of cosign in the form of containers/image. The same
// parts make the same bytes.
func (r *Repository) cosignBlob(payload []byte, annotations map[string]string, found *Found) ([]byte, bool) {
	document, err := json.Marshal(struct {
		MIMEType    string            `json:"mimeType"`
		Payload     []byte            `json:"payload"`
		Annotations map[string]string `json:"annotations"`
	}{typeSimpleSigning, payload, annotations})
	if err != nil || len(document)+len(sigstoreJSON) > MaxSignature {
		found.Skip(&Error{Code: TooLarge, Host: r.client.host, Detail: "has a signature that is too large"})
		return nil, false
	}
	return append([]byte(sigstoreJSON), document...), true
}

// parseAttachment reads the manifest of an attachment.
func (r *Repository) parseAttachment(data []byte, found *Found) (*ocispec.Manifest, bool) {
	manifest := &ocispec.Manifest{}
	if err := json.Unmarshal(data, manifest); err != nil {
		found.Skip(r.malformed("has an attachment that is not an image manifest"))
		return nil, false
	}
	if len(manifest.Layers) > maxAttachments {
		manifest.Layers, found.More = manifest.Layers[:maxAttachments], true
	}
	return manifest, true
}

// layer returns the bytes of a layer.
func (r *Repository) layer(ctx context.Context, d *ocispec.Descriptor) ([]byte, error) {
	if d.Size < 1 || d.Size > MaxSignature {
		return nil, &Error{Code: TooLarge, Host: r.client.host, Detail: "has a signature that is empty or too large"}
	}
	return r.blob(ctx, d.Digest, MaxSignature)
}

// skippable records an error that is about one attachment alone, and returns any other.
func (r *Repository) skippable(err error, found *Found) error {
	e := Describe(r.client.host, err)
	switch e.Code {
	case NotFound, TooLarge, Malformed:
		found.Skip(e)
		return nil
	default:
		return e
	}
}
