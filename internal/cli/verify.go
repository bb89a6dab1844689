// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/filekind"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/verify"
)

// maxFileSize bounds every input file, in bytes. The verifier's own bounds are lower (manifests: 4
// MiB) and give better errors; this one keeps a wrong file from filling the memory.
const maxFileSize = 8 << 20

// formats are the formats of signatures that the commands verify: all of them.
var formats = signature.Formats()

type verifyOptions struct {
	signature     string
	signatureType string
	trustedKeys   []string
	manifest      string
	digest        string
	image         string
	imageFile     string
	publicKeyID   string
	expiredKeys   string
	output        string
	identity      identityOptions
	signer        signerOptions
	fetch         fetchOptions

	// stored is the Image of imageFile.
	stored *imagev1.Image
	// warnings are what was printed about key files.
	warnings []string
}

const verifyExamples = `  # fetch the signatures of an image, and verify them
  assay verify registry.example.com/team/app:v1 --trusted-key release.asc

  # verify the output of "skopeo standalone-sign manifest.json REFERENCE KEY -o app.sig"
  skopeo inspect --raw docker://registry.example.com/team/app:v1 > manifest.json
  assay verify --signature app.sig --trusted-key release.asc --manifest manifest.json \
    --image registry.example.com/team/app:v1

  # verify an Image as it is in a repository or in a cluster
  kubectl get image sha256-2c26b4… -o yaml | assay verify --image-file - --trusted-key release.asc

  # verify a mirrored image that its vendor signed under the original name
  assay verify --signature signature-1 --trusted-key vendor.asc --digest sha256:2c26b4… \
    --image mirror.internal:5000/vendor/app:v1 --match-policy RemapIdentity \
    --remap-prefix mirror.internal:5000/vendor --remap-signed-prefix registry.vendor.example

  # verify a signature of cosign by key, which names the repository without a tag
  assay verify --type sigstore --signature app.sigstore --trusted-key cosign.pub \
    --manifest manifest.json --image registry.example.com/team/app:v1 \
    --match-policy MatchRepository

  # verify a signature of a GitHub workflow by its identity, in a bundle of cosign 3
  assay verify --type sigstore --signature bundle.json --trusted-root trusted_root.json \
    --certificate-oidc-issuer https://token.actions.githubusercontent.com \
    --certificate-uri-prefix https://github.com/org/app/.github/workflows/release.yml@ \
    --digest sha256:2c26b4… --image registry.example.com/team/app:v1 --unnamed-signatures Accept

  # read the signature from a pipe and print the verdict as JSON
  curl -fsS "$STORE/team/app@sha256=2c26b4…/signature-1" |
    assay verify --signature - --trusted-key release.asc --digest sha256:2c26b4… \
    --image registry.example.com/team/app:v1 -o json`

func newVerifyCommand() *cobra.Command {
	o := verifyOptions{}
	cmd := &cobra.Command{
		Use:   "verify [REFERENCE] [--signature FILE] [--trusted-key FILE]... [--manifest FILE | --digest DIGEST]",
		Short: "Verify the signatures of an image from files or its registry",
		Long: `Verify signatures of an image as the operator does, but without a cluster. With REFERENCE
alone, they come from the registry; with --lookaside, from a lookaside store, and with
--signature, from a file. --from-registry adds the registry to these. --image-file has an
Image with its reference, manifest and signatures, whose registry is asked only if it has no
signatures. A registry resolves a tag if neither --manifest nor --digest is given. It is
asked with the credential that REGISTRY_AUTH_FILE, podman login or docker login has for it.

A signature is verified when it was made by a trusted signer, for this manifest, and under
a name that --match-policy accepts for this image. User keyrings and policy files of the
machine are not consulted.

Signatures of type sigstore are a sigstore bundle, or the form in which containers/image
keeps signatures of cosign. They are verified by public keys in PEM, with --trusted-root or
--rekor-key only if a transparency log has them; by a certificate of Fulcio for one identity
(--certificate-oidc-issuer); or by a certificate of another CA (--ca-roots). No log is
asked.

Key files are independent of each other, and so are the keys in one. What was skipped is
reported on standard error and in the JSON and YAML output, and the others are still used.
A file that does not exist is an error.

Exit status:

    0  verified
    1  refused
    2  could not be checked, wrong usage, a file that cannot be read, or a registry or store
       that cannot be asked; a verdict, if there is one, is on standard output`,
		Example: verifyExamples,
		RunE:    o.run,
	}
	o.addFlags(cmd)
	return cmd
}

func (o *verifyOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.signature, "signature", "", "`FILE` with the signature, or - for standard input")
	flags.StringVar(&o.signatureType, "type", imagev1.SignatureTypeAtomic, "`TYPE` of the signature: atomic or AtomicImageV1, two names of one format, or sigstore")
	flags.StringArrayVar(&o.trustedKeys, "trusted-key", nil, "`FILE` with trusted public keys: OpenPGP, armored or binary, or PEM for --type sigstore; may be repeated")
	flags.StringVar(&o.manifest, "manifest", "", "`FILE` with the manifest of the image, byte for byte")
	flags.StringVar(&o.digest, "digest", "", "`DIGEST` of the manifest, sha256:HEX, in place of --manifest")
	flags.StringVar(&o.image, "image", "", "`REFERENCE` by which the image is run, in place of an argument; asks no registry by itself")
	flags.StringVar(&o.imageFile, "image-file", "", "`FILE` with an Image in YAML or JSON, or - for standard input, in place of --image, --manifest and --signature")
	o.fetch.addFlags(flags)
	flags.StringVar(&o.publicKeyID, "public-key-id", "", "the trusted `KEY` that must have signed: 0x and its fingerprint, or at least the last 16 digits of it")
	flags.StringVar(&o.expiredKeys, "expired-keys", string(assayv1alpha1.ExpiredKeysReject),
		"`POLICY` for signatures by expired keys: Reject or AcceptSignaturesBeforeExpiry")
	o.identity.addFlags(flags)
	o.signer.addFlags(flags)
	flags.StringVarP(&o.output, "output", "o", "text", "`FORMAT` of the verdict: text, json or yaml")
	completeWords(cmd, "output", "text", "json", "yaml")
	completeWords(cmd, "match-policy", matchPolicies...)
	completeWords(cmd, "type", imagev1.SignatureTypeAtomic, imagev1.SignatureTypeAtomicImageV1, imagev1.SignatureTypeSigstore)
	completeWords(cmd, "unnamed-signatures", string(assayv1alpha1.UnnamedSignaturesReject), string(assayv1alpha1.UnnamedSignaturesAccept))
	completeWords(cmd, "expired-keys", string(assayv1alpha1.ExpiredKeysReject), string(assayv1alpha1.ExpiredKeysAcceptSignaturesBeforeExpiry))
}

func (o *verifyOptions) run(cmd *cobra.Command, args []string) error {
	if err := o.takeReference(args); err != nil {
		return err
	}
	if err := o.takeImageFile(cmd.InOrStdin()); err != nil {
		return err
	}
	write, err := o.complete()
	if err != nil {
		return err
	}
	in, err := o.input(cmd.Context(), cmd.InOrStdin(), cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	verdict := verify.New(formats...).Check(in)
	result, outcome := o.result(&verdict)
	if err := write(cmd.OutOrStdout(), result); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	switch outcome {
	case verify.Verified:
		return nil
	case verify.Refused:
		return exitError(ExitRefused)
	default:
		return exitError(ExitError)
	}
}

// takeReference takes the image from the argument, which also asks for its registry if nothing else
// is given.
func (o *verifyOptions) takeReference(args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case len(args) > 1:
		return usagef("unexpected argument %q: one image is verified", args[1])
	case o.image != "":
		return usagef("give the image as an argument or by --image, not both")
	}
	o.image = args[0]
	if o.signature == "" && o.fetch.lookaside == "" {
		o.fetch.fromRegistry = true
	}
	return nil
}

// complete validates the options and returns the writer of the result.
func (o *verifyOptions) complete() (resultWriter, error) {
	for _, option := range []struct {
		missing bool
		flag    string
	}{
		{o.signature == "" && o.stored == nil && o.fetch.asksNothing(), "an image, --image-file or --signature"},
		{len(o.trustedKeys) == 0 && !o.signer.hasSigner(), "--trusted-key, --certificate-oidc-issuer or --ca-roots"},
		{o.manifest == "" && o.digest == "" && o.stored == nil && o.fetch.asksNothing(), "--manifest or --digest"},
		{o.image == "" && o.stored == nil, "--image"},
	} {
		if option.missing {
			return nil, usagef("%s is needed", option.flag)
		}
	}
	if o.manifest != "" && o.digest != "" {
		return nil, usagef("give --manifest or --digest, not both")
	}
	if !verify.IsPublicKeyID(o.publicKeyID) {
		return nil, usagef("--public-key-id must be 0x and a fingerprint or at least its lowest 16 hexadecimal digits")
	}
	switch assayv1alpha1.ExpiredKeysPolicy(o.expiredKeys) {
	case assayv1alpha1.ExpiredKeysReject, assayv1alpha1.ExpiredKeysAcceptSignaturesBeforeExpiry:
	default:
		return nil, usagef("--expired-keys must be Reject or AcceptSignaturesBeforeExpiry, and is %q", o.expiredKeys)
	}
	signatureType := o.signatureType
	if !o.fetch.asksNothing() || o.stored != nil {
		// Images and stores state the types of what they have.
		signatureType = imagev1.SignatureTypeSigstore
	}
	if err := o.signer.validate(signatureType, len(o.trustedKeys) > 0); err != nil {
		return nil, err
	}
	return outputWriter(o.output)
}

// input reads the files and validates the options together with them.
func (o *verifyOptions) input(ctx context.Context, stdin io.Reader, stderr io.Writer) (verify.Input, error) {
	in := verify.Input{Now: time.Now()}
	ref := verify.ParseReference(o.image)
	if ref.Err != nil {
		return in, usagef("--image: %w", ref.Err)
	}
	policy, err := o.policy(stderr)
	if err != nil {
		return in, err
	}
	in.Policies = []verify.Policy{policy}
	in.Image = o.storedImage(ref)
	if o.manifest != "" || o.digest != "" {
		if in.Image.Manifest, err = o.readManifest(); err != nil {
			return in, err
		}
	}
	if o.signature != "" {
		content, err := readInput(o.signature, stdin)
		if err != nil {
			return in, fmt.Errorf("--signature: %w", err)
		}
		in.Image.Signatures = append(in.Image.Signatures, verify.Signature{Type: o.signatureType, Content: content, PublicKeyID: o.publicKeyID})
	}
	if o.fetch.asksNothing() {
		return in, nil
	}
	return in, o.fetchInto(ctx, &in.Image, stderr)
}

// fetchInto adds the signatures of the registry and the store, and the digest unless it is known.
func (o *verifyOptions) fetchInto(ctx context.Context, image *verify.Image, stderr io.Writer) error {
	named, err := imageref.ParseImage(o.image)
	if err != nil {
		return usageError{err}
	}
	fetcher, err := o.fetch.newFetcher(named)
	if err != nil {
		return err
	}
	d := image.Digest()
	if digested, ok := named.(reference.Digested); ok && d == "" {
		d = digested.Digest()
	}
	if d == "" && image.Manifest.Err == nil {
		if d, _, err = fetcher.head(ctx); err != nil {
			return err
		}
	}
	if image.Manifest.Digest == "" && image.Manifest.Err == nil {
		image.Manifest = verify.Manifest{Digest: d}
	}
	sources, err := fetcher.signatures(ctx, d)
	if err != nil {
		return err
	}
	for _, source := range sources {
		for _, problem := range source.found.Skipped {
			// There is no way to report an error on standard error.
			_, _ = fmt.Fprintf(stderr, "assay: %s: %v; it is left out\n", source.name, problem)
		}
		for i := range source.found.Signatures {
			s := &source.found.Signatures[i]
			image.Signatures = append(image.Signatures, verify.Signature{Type: imageType(s), Content: s.Content, PublicKeyID: o.publicKeyID})
		}
	}
	return nil
}

func (o *verifyOptions) readManifest() (verify.Manifest, error) {
	if o.manifest == "" {
		d, err := digest.Parse(o.digest)
		if err != nil || d.Algorithm() != digest.SHA256 {
			return verify.Manifest{}, usagef("--digest must be sha256: and 64 lower-case hexadecimal digits")
		}
		return verify.Manifest{Digest: d}, nil
	}
	raw, err := readFile(o.manifest)
	if err != nil {
		return verify.Manifest{}, fmt.Errorf("--manifest: %w", err)
	}
	manifest := verify.ParseManifest(raw, "")
	if kind := filekind.NotAManifest(raw); kind != "" && (manifest.Err != nil || len(raw) == 0) {
		return manifest, fmt.Errorf("--manifest: %s: %s", o.manifest, kind)
	}
	return manifest, nil
}

// policy builds the policy that a TrustPolicy with the options would give.
func (o *verifyOptions) policy(stderr io.Writer) (verify.Policy, error) {
	policy := verify.Policy{
		Label:              o.signer.label(len(o.trustedKeys) > 0),
		RequiredSignatures: 1,
		AcceptBeforeExpiry: o.expiredKeys == string(assayv1alpha1.ExpiredKeysAcceptSignaturesBeforeExpiry),
		AcceptUnnamed:      o.signer.unnamed == string(assayv1alpha1.UnnamedSignaturesAccept),
	}
	matcher, err := o.identity.matcher()
	if err != nil {
		return policy, err
	}
	policy.Identity = matcher
	material, err := o.signer.material()
	if err != nil {
		return policy, err
	}
	var files []verify.NamedKeyFile
	for _, name := range o.trustedKeys {
		file, err := o.readKeys(name, o.signer.log(material), stderr)
		if err != nil {
			return policy, err
		}
		if file == nil {
			policy.UnavailableKeys = append(policy.UnavailableKeys, name)
			continue
		}
		files = append(files, verify.NamedKeyFile{Entry: name, File: file})
	}
	slices.Sort(policy.UnavailableKeys)
	signer, err := o.signer.signer(material)
	if err != nil {
		return policy, err
	}
	if signer != nil {
		files = append(files, verify.NamedKeyFile{Entry: "signer", File: signer})
	}
	policy.Trust = signature.NewTrust(formats, files)
	return policy, nil
}

// readKeys reads a key file. It returns nil for one without a usable key: the other files remain in use,
// as in the operator.
func (o *verifyOptions) readKeys(name string, log signature.Material, stderr io.Writer) (verify.KeyFile, error) {
	data, err := readFile(name)
	if err != nil {
		return nil, fmt.Errorf("--trusted-key: %w", err)
	}
	file, err := signature.ParseKeyFile(formats, data)
	if err == nil && log != nil {
		file, err = signature.RequireLog(file, log)
	}
	if err != nil {
		o.warn(stderr, name, err.Error())
		return nil, nil
	}
	for _, problem := range file.Problems() {
		o.warn(stderr, name, problem)
	}
	return file, nil
}

// warn prints and records a warning about a skipped part of a key file.
func (o *verifyOptions) warn(stderr io.Writer, name, problem string) {
	warning := fmt.Sprintf("--trusted-key: %s: %s", name, problem)
	o.warnings = append(o.warnings, warning)
	// There is no way to report an error on standard error.
	_, _ = fmt.Fprintf(stderr, "assay: %s\n", warning)
}

func readInput(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return readBounded("standard input", stdin)
	}
	return readFile(name)
}

func readFile(name string) (data []byte, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return readBounded(name, file)
}

func readBounded(name string, r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFileSize+1))
	if err != nil {
		// Some errors, as of reading a directory, already have the name.
		return nil, err
	}
	if len(data) > maxFileSize {
		problem := fmt.Sprintf("%s is larger than %d MiB, the limit of every input", name, maxFileSize>>20)
		if kind := filekind.Name(data); kind != "" {
			problem += "; it looks like " + kind
		}
		return nil, errors.New(problem)
	}
	return data, nil
}
