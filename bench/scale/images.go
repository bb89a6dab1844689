// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/operator"
)

const (
	made   = 1704067200 // When the keys were made.
	signed = made + 86400
	userID = "Release <release@example.com>"
	// teamLabel has the name of the team that an image is of.
	teamLabel = "scale.assay.dev/team"
)

// team is who makes images: with a key of its own, in a namespace of its own, and a policy
// that reads the key from a Secret.
type team struct {
	name string
	key  *pgp.Key
}

func newTeam(name string, bits int) *team {
	return &team{name: name, key: pgp.RSA(made, bits, name)}
}

func (t *team) scope() string { return "registry.example.com/" + t.name }

// secret holds the key, as it is or revoked.
func (t *team) secret(revoked bool) *corev1.Secret {
	var parts [][]byte
	if revoked {
		parts = append(parts, t.key.Direct(t.key.Standard(pgp.TypeKeyRevocation, signed+86400)))
	}
	parts = append(parts, t.key.User(userID, t.key.Standard(pgp.TypePositiveCert, made, pgp.Flags(pgp.FlagCertify|pgp.FlagSign))))
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: t.name},
		Data:       map[string][]byte{"key.asc": pgp.Armor("PGP PUBLIC KEY BLOCK", t.key.Certificate(parts...))},
	}
}

func (t *team) policy() *assayv1alpha1.TrustPolicy {
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: t.name}}
	policy.Spec.Scopes = []string{t.scope()}
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{{Name: "release", SecretRef: &assayv1alpha1.KeySourceRef{Name: t.name}}}
	return policy
}

// image makes an image with a manifest and a configuration of so many bytes, and signs it.
func (t *team) image(n, blob int) *imagev1.Image {
	name := fmt.Sprintf("%s/app-%d", t.scope(), n)
	manifest := newManifest(name, blob)
	d := digest.FromBytes(manifest)
	payload := fmt.Sprintf(`{"critical":{"identity":{"docker-reference":"%s:v1"},"image":{"docker-manifest-digest":%q},`+
		`"type":"atomic container signature"},"optional":{"creator":"containers/image 5.42.0","timestamp":%d}}`, name, d, signed)
	return &imagev1.Image{
		ObjectMeta:           metav1.ObjectMeta{Name: "sha256-" + d.Encoded(), Labels: map[string]string{teamLabel: t.name}},
		DockerImageReference: name + ":v1",
		DockerImageManifest:  string(manifest),
		DockerImageConfig:    newConfig(blob),
		Signatures: []imagev1.ImageSignature{{
			SignatureMeta: imagev1.SignatureMeta{Name: "sha256-" + d.Encoded() + "@release"},
			Type:          imagev1.SignatureTypeAtomicImageV1,
			Content:       t.key.Message(t.key.Standard(pgp.TypeBinary, signed), []byte(payload)),
		}},
	}
}

// newManifest writes a manifest with as many layers as there is room for.
func newManifest(name string, size int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
		`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":7023},"layers":[`, digest.FromString(name))
	for n := 0; n == 0 || b.Len() < size; n++ {
		if n > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":%q,"size":%d}`,
			digest.FromString(fmt.Sprint(name, n)), 1<<20+n)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

func newConfig(size int) string {
	const line = `{"created_by":"RUN /bin/sh -c make install","empty_layer":true}`
	return `{"os":"linux","history":[` + strings.Repeat(line+",", max(0, size/len(line)-1)) + line + `]}`
}

// newImages makes images of a team on all processors.
func newImages(t *team, from, count, blob int) []*imagev1.Image {
	images := make([]*imagev1.Image, count)
	_ = inParallel(makers, count, func(i int) error {
		images[i] = t.image(from+i, blob)
		return nil
	})
	return images
}

const (
	// makers make images at the same time.
	makers = 4
	// creators create or delete them at the same time. Nothing is measured meanwhile.
	creators = 8
)

// inParallel does something for every number below count, some at the same time.
func inParallel(workers, count int, do func(int) error) error {
	numbers := make(chan int)
	errs := make([]error, workers)
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for n := range numbers {
				if errs[w] == nil {
					errs[w] = do(n)
				}
			}
		})
	}
	for n := range count {
		numbers <- n
	}
	close(numbers)
	running.Wait()
	return errors.Join(errs...)
}

func createAll(ctx context.Context, c client.Client, images []*imagev1.Image) error {
	return inParallel(creators, len(images), func(i int) error { return c.Create(ctx, images[i].DeepCopy()) })
}

func deleteAll(ctx context.Context, c client.Client, images []*imagev1.Image) error {
	return inParallel(creators, len(images), func(i int) error { return c.Delete(ctx, images[i].DeepCopy()) })
}
