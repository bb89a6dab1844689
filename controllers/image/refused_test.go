// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/signature/atomic"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verdictcache"
	"github.com/assay-project/assay/internal/verify"
)

// oneImage is a reader of TrustPolicies and of one Image.
type oneImage struct {
	policies
	image *imagecache.Image
}

func (r *oneImage) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	if r.image == nil {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "images"}, key.Name)
	}
	r.image.DeepCopyInto(obj.(*imagecache.Image))
	return nil
}

// countingFormat counts how many signatures are parsed.
type countingFormat struct {
	atomic.Format
	parsed *int
}

func (f countingFormat) Parse(content []byte, budget *verify.Budget) (verify.Message, error) {
	*f.parsed++
	return f.Format.Parse(content, budget)
}

// TestRefusedSignaturesAreVerifiedOnce evaluates an Image as often as somebody writes it. Its
// refused signatures are verified once, until the trust or the signatures change, and its verified
// one each time.
func TestRefusedSignaturesAreVerifiedOnce(t *testing.T) {
	const created, signed, refused = 1735689600, 1748736000, 20
	key := func(name string) *pgp.Key { return pgp.Ed25519(4, created, "refused "+name) }
	alice := key("alice")
	policy := assayv1alpha1.TrustPolicy{}
	policy.Name, policy.UID, policy.Generation = "team", "1", 1
	policy.Spec.Scopes = []assayv1alpha1.Scope{"registry.example.com"}
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{{Name: "alice", Inline: string(pgp.Armor("PGP PUBLIC KEY BLOCK", alice.Simple("alice")))}}
	manifest := verify.ParseManifest([]byte(`{"schemaVersion":2,"config":{},"layers":[]}`), "")
	sign := func(k *pgp.Key) imagev1.ImageSignature {
		payload := fmt.Sprintf(`{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":%q},`+
			`"identity":{"docker-reference":"registry.example.com/app:v1"}},"optional":{}}`, manifest.Digest)
		return imagev1.ImageSignature{Type: "atomic", Content: k.Message(k.Standard(pgp.TypeBinary, signed), []byte(payload))}
	}
	image := &imagecache.Image{Manifest: manifest}
	image.Name, image.DockerImageReference = "app", "registry.example.com/app:v1"
	image.Signatures = []imagev1.ImageSignature{sign(alice)}
	for i := range refused {
		image.Signatures = append(image.Signatures, sign(key(fmt.Sprint(i))))
	}
	parsed := 0
	format := countingFormat{parsed: &parsed}
	reader := &oneImage{policies: policies{policy}, image: image}
	e := &Evaluator{
		Client: reader, Trust: &trust.Store{Client: reader, Formats: []verify.Format{format}}, Verifier: verify.New(format),
		Verdicts: verdictcache.New(), Clock: clocktesting.NewFakePassiveClock(time.Unix(signed+3600, 0)),
	}
	evaluate := func(what string, want int, outcome verify.Outcome) {
		t.Helper()
		parsed = 0
		got, err := e.Evaluate(t.Context(), types.NamespacedName{Name: "app"}, verify.FullEffort, func(*Subject) bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		if parsed != want || got != nil && got.Verdict.Outcome != outcome {
			t.Errorf("%s: %d signatures are parsed, want %d: %+v", what, parsed, want, got)
		}
	}
	evaluate("the first time", refused+1, verify.Verified)
	for n := range 10 {
		image.ResourceVersion, image.Annotations = fmt.Sprint(n), map[string]string{"n": fmt.Sprint(n)}
		evaluate("another annotation", 1, verify.Verified)
	}
	image.Signatures = append(image.Signatures, sign(key("one more")))
	evaluate("one signature more", 2, verify.Verified)
	reader.policies[0].Generation, reader.policies[0].Spec.RequiredSignatures = 2, 2
	e.Trust.Invalidate()
	evaluate("another policy", refused+2, verify.Refused)
	evaluate("the same policy", 1, verify.Refused)
	reader.image = nil
	evaluate("no Image", 0, verify.Refused)
	reader.image = image
	evaluate("the Image again", refused+2, verify.Refused)
}
