// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package team generates signed images for the benchmarks, with the policies and keys to verify
// them.
package team

import (
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/testenv/manager"
)

const (
	made   = 1704067200 // Creation time of the keys.
	signed = made + 86400
	userID = "Release <release@example.com>"
	// Label is the label with the name of an image's team.
	Label = "bench.assay.dev/team"
)

// Team has its own key and scope, and a policy that reads the key from a Secret.
type Team struct {
	Name string
	key  *pgp.Key
}

// New returns a team with an RSA key.
func New(name string, bits int) *Team {
	return &Team{Name: name, key: pgp.RSA(made, bits, name)}
}

// Scope is the scope of the team's policy, which covers its images.
func (t *Team) Scope() string { return "registry.example.com/" + t.Name }

// Secret returns the Secret with the key, valid or revoked.
func (t *Team) Secret(revoked bool) *corev1.Secret {
	var parts [][]byte
	if revoked {
		parts = append(parts, t.key.Direct(t.key.Standard(pgp.TypeKeyRevocation, signed+86400)))
	}
	parts = append(parts, t.key.User(userID, t.key.Standard(pgp.TypePositiveCert, made, pgp.Flags(pgp.FlagCertify|pgp.FlagSign))))
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: manager.Namespace, Name: t.Name},
		Data:       map[string][]byte{"key.asc": pgp.Armor("PGP PUBLIC KEY BLOCK", t.key.Certificate(parts...))},
	}
}

// Policy returns a policy that trusts the key.
func (t *Team) Policy() *assayv1alpha1.TrustPolicy {
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: t.Name}}
	policy.Spec.Scopes = []assayv1alpha1.Scope{assayv1alpha1.Scope(t.Scope())}
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{{Name: "release", SecretRef: &assayv1alpha1.KeySourceRef{Name: t.Name}}}
	return policy
}

// Image returns a signed image with a manifest and a configuration of the given size in bytes.
func (t *Team) Image(n, blob int) *imagev1.Image {
	name := fmt.Sprintf("%s/app-%d", t.Scope(), n)
	manifest := newManifest(name, blob)
	d := digest.FromBytes(manifest)
	return &imagev1.Image{
		ObjectMeta:           metav1.ObjectMeta{Name: "sha256-" + d.Encoded(), Labels: map[string]string{Label: t.Name}},
		DockerImageReference: name + ":v1",
		DockerImageManifest:  string(manifest),
		DockerImageConfig:    newConfig(blob),
		Signatures: []imagev1.ImageSignature{{
			SignatureMeta: imagev1.SignatureMeta{Name: "sha256-" + d.Encoded() + "@release"},
			Type:          imagev1.SignatureTypeAtomicImageV1,
			Content:       t.Sign(name+":v1", d),
		}},
	}
}

// Sign returns the team's signature of an image.
func (t *Team) Sign(reference string, d digest.Digest) []byte {
	payload := fmt.Sprintf(`{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},`+
		`"type":"atomic container signature"},"optional":{"creator":"containers/image 5.42.0","timestamp":%d}}`, reference, d, signed)
	return t.key.Message(t.key.Standard(pgp.TypeBinary, signed), []byte(payload))
}

// newManifest writes a manifest with as many layers as fit.
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
