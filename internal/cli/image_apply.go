// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/distribution/reference"
	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/imageref"
)

const (
	// applyFieldManager is the field manager of the command.
	applyFieldManager = "assay-image-apply"
	// applyAttempts is how often the command begins again when others write the Image meanwhile.
	applyAttempts = 10
)

type imageApplyOptions struct {
	imageSources
	kubeconfig string
	context    string
	dryRun     bool
	timeout    time.Duration
}

const imageApplyExamples = `  # add the signatures of an image from its registry to the cluster
  assay image apply registry.example.com/team/app:v1

  # add one signature
  assay image apply registry.example.com/team/app@sha256:2c26b4… --signature app.sig`

func newImageApplyCommand() *cobra.Command {
	o := imageApplyOptions{}
	cmd := &cobra.Command{
		Use:   "apply REFERENCE [--signature FILE]... [--lookaside STORE] [--cosign-attachment DIRECTORY]... [--from-registry]",
		Short: "Add an image and its signatures to the cluster",
		Long: `Make the Image that "assay image create" prints, or add to the one that the cluster has what
it lacks: signatures, and the manifest. Nothing that is there is changed or removed, so that
the command can be repeated, and others can write the same Image meanwhile. An Image with
nothing to add is not written.

Exit status:

    0  the Image has all signatures
    1  likewise, but a file that --signature names was left out
    2  as "assay image create"; or the cluster cannot be asked, refuses, or has an Image of
       that name for another image`,
		Example: imageApplyExamples,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), args, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	o.addFlags(flags)
	flags.BoolVar(&o.dryRun, "dry-run", false, "let the API server check the change, and store nothing")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `FILE` (default: $KUBECONFIG or ~/.kube/config)")
	flags.StringVar(&o.context, "context", "", "`NAME` of the kubeconfig context (default: the current context)")
	flags.DurationVar(&o.timeout, "request-timeout", 30*time.Second, "maximum `DURATION` of a request to the API server; 0 is no limit")
	return cmd
}

func (o *imageApplyOptions) run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	image, missing, err := o.read(ctx, args, stdin, stderr)
	if err != nil {
		return err
	}
	c, err := o.client()
	if err != nil {
		return err
	}
	done, err := image.apply(ctx, c)
	if err != nil {
		return fmt.Errorf("applying Image %s: %w", image.Metadata.Name, err)
	}
	if o.dryRun {
		done += " (dry run)"
	}
	if _, err := fmt.Fprintf(stdout, "image.image.openshift.io/%s %s\n", image.Metadata.Name, done); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	if missing {
		return exitError(ExitRefused)
	}
	return nil
}

func (o *imageApplyOptions) client() (client.Client, error) {
	config, err := clusterConfig(o.kubeconfig, o.context)
	if err != nil {
		return nil, err
	}
	config.UserAgent, config.Timeout = applyFieldManager+"/"+version(), o.timeout
	scheme := runtime.NewScheme()
	if err := imagev1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{Scheme: scheme, DryRun: &o.dryRun})
	if err != nil {
		return nil, fmt.Errorf("no cluster to connect to: %w", err)
	}
	return c, nil
}

// apply makes the Image or adds to it what it lacks, and returns what was done.
func (d *imageDocument) apply(ctx context.Context, c client.Client) (done string, err error) {
	for range applyAttempts {
		stored := &imagev1.Image{}
		err = c.Get(ctx, client.ObjectKey{Name: d.Metadata.Name}, stored)
		switch {
		case apierrors.IsNotFound(err):
			done, err = "created", d.create(ctx, c)
		case err != nil:
			return "", err
		default:
			done, err = d.addTo(ctx, c, stored)
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			return done, err
		}
	}
	return "", fmt.Errorf("others write it all the time: %w", err)
}

func (d *imageDocument) create(ctx context.Context, c client.Client) error {
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	image := &imagev1.Image{}
	if err := json.Unmarshal(data, image); err != nil {
		return err
	}
	return c.Create(ctx, image, client.FieldOwner(applyFieldManager))
}

// patchOperation is an operation of a JSON patch (RFC 6902).
type patchOperation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// addTo adds to a stored Image what it lacks. The patch holds only for the state that was read.
func (d *imageDocument) addTo(ctx context.Context, c client.Client, stored *imagev1.Image) (done string, err error) {
	if err := d.checkSame(stored); err != nil {
		return "", err
	}
	guard := patchOperation{"replace", "/metadata/resourceVersion", stored.ResourceVersion}
	operations := []patchOperation{guard}
	if stored.DockerImageReference == "" {
		operations = append(operations, patchOperation{"add", "/dockerImageReference", d.DockerImageReference})
	}
	if stored.DockerImageManifest == "" && d.DockerImageManifest != "" {
		operations = append(operations, patchOperation{"add", "/dockerImageManifest", d.DockerImageManifest},
			patchOperation{"add", "/dockerImageManifestMediaType", d.DockerImageManifestMediaType})
	}
	added := d.lacking(stored)
	if len(stored.Signatures)+len(added) > maxSignatures {
		return "", fmt.Errorf("it has %d signatures, and %d more are more than the %d that an Image can have", len(stored.Signatures), len(added), maxSignatures)
	}
	if len(added) > 0 && len(stored.Signatures) == 0 {
		operations = append(operations, patchOperation{"add", "/signatures", added})
	} else {
		for _, s := range added {
			operations = append(operations, patchOperation{"add", "/signatures/-", s})
		}
	}
	if len(operations) == 1 {
		return "unchanged", nil
	}
	data, err := json.Marshal(operations)
	if err != nil {
		return "", err
	}
	err = c.Patch(ctx, stored, client.RawPatch(types.JSONPatchType, data), client.FieldOwner(applyFieldManager))
	return fmt.Sprintf("configured (%d signatures added)", len(added)), err
}

// checkSame returns an error if a stored Image is for another image.
func (d *imageDocument) checkSame(stored *imagev1.Image) error {
	if stored.DockerImageReference == "" {
		return nil
	}
	want, err := imageref.ParseImage(d.DockerImageReference)
	if err != nil {
		return err
	}
	have, err := imageref.ParseImage(stored.DockerImageReference)
	if err != nil {
		return fmt.Errorf("its dockerImageReference is none: %w", err)
	}
	if have.Name() != want.Name() {
		return fmt.Errorf("it is for %s; choose another name with --name", have.Name())
	}
	if stated, ok := have.(reference.Digested); ok {
		if own, ok := want.(reference.Digested); ok && own.Digest() != stated.Digest() {
			return fmt.Errorf("it is for %s; choose another name with --name", stated.Digest())
		}
	}
	if d.DockerImageManifest != "" && stored.DockerImageManifest != "" && d.DockerImageManifest != stored.DockerImageManifest {
		return errors.New("it has another manifest; choose another name with --name")
	}
	return nil
}

// lacking returns the signatures that a stored Image does not have.
func (d *imageDocument) lacking(stored *imagev1.Image) []signatureDocument {
	var added []signatureDocument
	for _, s := range d.Signatures {
		found := false
		for i := range stored.Signatures {
			have := &stored.Signatures[i]
			found = found || sameType(have.Type, s.Type) && bytes.Equal(have.Content, s.Content)
		}
		if !found {
			added = append(added, s)
		}
	}
	return added
}

// sameType reports whether two types are names of one format.
func sameType(a, b string) bool {
	atomic := func(t string) bool {
		return t == imagev1.SignatureTypeAtomic || t == imagev1.SignatureTypeAtomicImageV1
	}
	return a == b || atomic(a) && atomic(b)
}
