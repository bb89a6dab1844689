// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/filekind"
	"github.com/assay-project/assay/internal/imagejson"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/manifest"
)

const (
	// maxSignatures is the maximum number of signatures of an Image.
	maxSignatures = imagejson.MaxSignatures
	// maxSignatureContent is the maximum size of the signatures of an Image together, in bytes.
	maxSignatureContent = imagejson.MaxSignatureContent
	// maxApplySize is the maximum size of an Image that kubectl apply takes without --server-side: it
	// stores a copy in an annotation, and annotations have at most 256 KiB, less 1 KiB for others.
	maxApplySize = 255 << 10
	// maxImageSize is the maximum size of a request to the API server, and of a value in etcd: 1.5
	// MiB.
	maxImageSize = 3 << 19
)

func newImageCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Work with Images",
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { return usagef("a command is needed: create or apply") },
	}
	cmd.AddCommand(newImageCreateCommand(), newImageApplyCommand())
	return cmd
}

// imageSources are where an Image is made from.
type imageSources struct {
	manifest    string
	signatures  []string
	attachments []string
	name        string
	fetch       fetchOptions
}

func (o *imageSources) addFlags(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.StringArrayVar(&o.signatures, "signature", nil, "`FILE` with a signature, or - for standard input; may be repeated")
	o.fetch.addFlags(flags)
	flags.StringArrayVar(&o.attachments, "cosign-attachment", nil, "`DIRECTORY` with an attachment of cosign, as skopeo copy writes it to dir:DIRECTORY; may be repeated")
	flags.StringVar(&o.manifest, "manifest", "", "`FILE` with the manifest of the image, byte for byte; included in the Image")
	flags.StringVar(&o.name, "name", "", "`NAME` of the Image (default sha256-HEX, with the digest of the image)")
}

type imageCreateOptions struct {
	imageSources
	output string
}

const imageCreateExamples = `  # fetch the signatures of an image from its registry
  assay image create registry.example.com/team/app:v1 > app.yaml

  # fetch those that Red Hat publishes in a lookaside store
  assay image create registry.access.redhat.com/ubi9/ubi:latest \
    --lookaside https://access.redhat.com/webassets/docker/content/sigstore > ubi.yaml

  # sign an image and apply the result
  skopeo standalone-sign manifest.json registry.example.com/team/app:v1 KEY -o app.sig
  assay image create registry.example.com/team/app:v1 --manifest manifest.json --signature app.sig |
    kubectl apply --server-side -f -

  # read the store that podman push --sign-by writes to
  assay image create registry.example.com/team/app@sha256:2c26b4… \
    --lookaside /var/lib/containers/sigstore > app.yaml

  # copy what cosign 2 attached to an image
  skopeo copy docker://registry.example.com/team/app:sha256-2c26b4….sig dir:attachment
  assay image create registry.example.com/team/app@sha256:2c26b4… \
    --cosign-attachment attachment > app.yaml`

func newImageCreateCommand() *cobra.Command {
	o := imageCreateOptions{}
	cmd := &cobra.Command{
		Use:   "create REFERENCE [--signature FILE]... [--lookaside STORE] [--cosign-attachment DIRECTORY]... [--from-registry]",
		Short: "Print an Image with its signatures, ready to apply",
		Long: `Print an Image with its signatures, for kubectl or a GitOps repository. They come from the
registry of the image, unless files or a store are given; --from-registry adds the registry
to these. From files alone, the output depends on nothing else, and nothing is contacted.
The command verifies nothing; the operator and "assay verify" verify.

The digest of the image is taken from REFERENCE or computed from --manifest. If both are
given, they must agree. A tag without --manifest is resolved by the registry, and the Image
contains the manifest. The Image is named after the digest.

A signature is one that skopeo, podman or gpg has made, a sigstore bundle, or the form in
which containers/image keeps signatures of cosign. Its content tells which. A file that is
none is named on standard error and left out. So is, without being left out, an OpenPGP
signature for another image or under another name.

A lookaside store is a directory or web server as in containers-registries.d(5). The
signatures of registry.example.com/team/app@sha256:HEX are the files
team/app@sha256=HEX/signature-1, -2, and so on, up to the first that is missing.

A registry is asked for its signature extension, cosign's tag sha256-HEX.sig and OCI
referrers, with the credential that REGISTRY_AUTH_FILE, podman login or docker login has for
it. Credential helpers are not run.

An attachment of cosign 2 is the image under the tag sha256-HEX.sig, in a directory to which
skopeo has copied it: each of its layers is a signature.

Exit status:

    0  the Image was printed; files in a store or attachment that are no signatures were
       left out
    1  the Image was printed, and a file that --signature names was left out
    2  wrong usage, a file that cannot be read, a registry or store that cannot be asked, or
       no signature at all`,
		Example: imageCreateExamples,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), args, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	o.addFlags(flags)
	flags.StringVarP(&o.output, "output", "o", "yaml", "`FORMAT`: yaml or json")
	completeWords(cmd, "output", "yaml", "json")
	return cmd
}

func (o *imageCreateOptions) run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if o.output != "yaml" && o.output != "json" {
		return usagef("--output must be yaml or json, and is %q", o.output)
	}
	image, missing, err := o.read(ctx, args, stdin, stderr)
	if err != nil {
		return err
	}
	if err := image.write(stdout, stderr, o.output); err != nil {
		return err
	}
	if missing {
		return exitError(ExitRefused)
	}
	return nil
}

// read returns the Image, and reports whether a file that the command line names was left out.
func (o *imageSources) read(ctx context.Context, args []string, stdin io.Reader, stderr io.Writer) (image *imageDocument, missing bool, err error) {
	if len(args) != 1 {
		return nil, false, usagef("one image reference is needed")
	}
	if len(o.signatures) == 0 && o.fetch.lookaside == "" && len(o.attachments) == 0 {
		o.fetch.fromRegistry = true
	}
	if problems := validation.IsDNS1123Subdomain(o.name); o.name != "" && len(problems) > 0 {
		return nil, false, usagef("--name is not the name of an object: %s", problems[0])
	}
	named, err := imageref.ParseImage(args[0])
	if err != nil {
		return nil, false, usageError{err}
	}
	fetcher, err := o.fetch.newFetcher(named)
	if err != nil {
		return nil, false, err
	}
	image = &imageDocument{APIVersion: imagev1.GroupVersion.String(), Kind: "Image", DockerImageReference: args[0]}
	imageDigest, err := o.readManifest(named, image)
	if err == nil && o.manifest == "" && (imageDigest == "" || o.fetch.fromRegistry) {
		imageDigest, err = fetchManifest(ctx, fetcher, imageDigest, image)
	}
	if err != nil {
		return nil, false, err
	}
	if image.Metadata.Name = o.name; o.name == "" {
		image.Metadata.Name = "sha256-" + imageDigest.Encoded()
	}
	collector := &signatureCollector{image: named, digest: imageDigest, stderr: stderr}
	if missing, err = o.collect(ctx, collector, fetcher, stdin); err != nil {
		return nil, false, err
	}
	image.addSignatures(collector.found)
	return image, missing, nil
}

// readManifest returns the digest of the image and adds the manifest, if any.
func (o *imageSources) readManifest(named reference.Named, image *imageDocument) (digest.Digest, error) {
	var stated digest.Digest
	if digested, ok := named.(reference.Digested); ok {
		stated = digested.Digest()
	}
	if stated != "" && stated.Algorithm() != digest.SHA256 {
		return "", usagef("the digest is %s; images are identified by sha256", stated.Algorithm())
	}
	if o.manifest == "" {
		if stated == "" && o.fetch.asksNothing() {
			return "", usagef("the digest is unknown: use %s@sha256:<digest> or --manifest", image.DockerImageReference)
		}
		return stated, nil
	}
	raw, err := readFile(o.manifest)
	if err != nil {
		return "", fmt.Errorf("--manifest: %w", err)
	}
	info, err := manifest.Inspect(raw)
	if err != nil {
		if kind := filekind.NotAManifest(raw); kind != "" {
			err = errors.New(kind)
		}
		return "", fmt.Errorf("--manifest: %w", err)
	}
	if stated != "" && stated != info.Digest {
		return "", fmt.Errorf("--manifest: its digest is %s; the reference has %s", info.Digest, stated)
	}
	image.DockerImageManifest, image.DockerImageManifestMediaType = string(raw), info.MediaType
	return info.Digest, nil
}

// fetchManifest asks the registry for the manifest of an index, or of a tag. Others are known by
// their digest.
func fetchManifest(ctx context.Context, f *fetcher, stated digest.Digest, image *imageDocument) (digest.Digest, error) {
	d, index, err := f.head(ctx)
	if err != nil || stated != "" && !index {
		return d, err
	}
	raw, err := f.manifest(ctx, d)
	if err != nil {
		return "", err
	}
	info, err := manifest.Inspect(raw)
	if err != nil {
		return "", fmt.Errorf("the manifest from the registry: %w", err)
	}
	if info.Digest != d {
		return "", fmt.Errorf("the manifest from the registry has the digest %s as an image, and %s as a file", info.Digest, d)
	}
	image.DockerImageManifest, image.DockerImageManifestMediaType = string(raw), info.MediaType
	return d, nil
}

// collect collects the signatures without duplicates, those from files first. It reports whether a
// file that the command line names was left out.
func (o *imageSources) collect(ctx context.Context, c *signatureCollector, f *fetcher, stdin io.Reader) (missing bool, err error) {
	for _, name := range o.signatures {
		content, err := readInput(name, stdin)
		if err != nil {
			return false, fmt.Errorf("--signature: %w", err)
		}
		if err := c.add("--signature: "+name, content); err != nil {
			return false, err
		}
	}
	missing = c.leftOut > 0
	if err := c.addFetched(ctx, f); err != nil {
		return missing, err
	}
	for _, directory := range o.attachments {
		if err := readAttachment(directory, c); err != nil {
			return missing, fmt.Errorf("--cosign-attachment: %w", err)
		}
	}
	switch {
	case len(c.found) > 0:
		return missing, nil
	case c.leftOut == 0:
		return missing, errors.New("no signature of the image was found: name its file with --signature, or its store with --lookaside")
	default:
		return missing, errors.New("none of the files is a signature")
	}
}

// imageDocument is an Image as users write it: without a status and without results of Assay.
type imageDocument struct {
	APIVersion                   string              `json:"apiVersion"`
	Kind                         string              `json:"kind"`
	Metadata                     nameDocument        `json:"metadata"`
	DockerImageReference         string              `json:"dockerImageReference"`
	DockerImageManifestMediaType string              `json:"dockerImageManifestMediaType,omitempty"`
	DockerImageManifest          string              `json:"dockerImageManifest,omitempty"`
	Signatures                   []signatureDocument `json:"signatures"`
}

type signatureDocument struct {
	Metadata nameDocument `json:"metadata"`
	Type     string       `json:"type"`
	Content  []byte       `json:"content"`
}

type nameDocument struct {
	Name string `json:"name"`
}

// addSignatures names each signature after its content, as OpenShift's import does, so that adding
// one later does not change the others.
func (d *imageDocument) addSignatures(found []foundSignature) {
	for _, s := range found {
		d.Signatures = append(d.Signatures, signatureDocument{
			Metadata: nameDocument{fmt.Sprintf("%s@%x", d.Metadata.Name, sha256.Sum256(s.content))},
			Type:     s.kind,
			Content:  s.content,
		})
	}
}

func (d *imageDocument) write(w, stderr io.Writer, format string) error {
	compact, err := json.Marshal(d)
	if err != nil {
		return err
	}
	switch {
	case len(compact) > maxImageSize:
		return errors.New("the Image is larger than 1.5 MiB, the limit of the API server: omit --manifest, the digest is known")
	case len(compact) > maxApplySize:
		// There is no way to report an error on standard error.
		_, _ = fmt.Fprintln(stderr, "assay: the Image is too large for kubectl apply: add --server-side, or omit --manifest, since the digest is known")
	}
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if format == "yaml" {
		if data, err = yaml.Marshal(d); err != nil {
			return err
		}
		// The output of several commands in one file is several documents.
		data = append([]byte("---\n"), data...)
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("writing the Image: %w", err)
	}
	return nil
}
