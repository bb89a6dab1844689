// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// manifest is an Image as a Git repository has it.
type manifest struct {
	name        string
	annotations map[string]string
	signatures  []imagev1.ImageSignature
}

func (m manifest) data(t *testing.T) []byte {
	t.Helper()
	signatures := make([]map[string]any, 0, len(m.signatures))
	for _, s := range m.signatures {
		signature := map[string]any{"type": s.Type, "content": s.Content}
		if s.Name != "" {
			signature["metadata"] = map[string]any{"name": s.Name}
		}
		if s.IssuedTo != nil {
			signature["issuedTo"] = map[string]any{"publicKeyID": s.IssuedTo.PublicKeyID}
		}
		signatures = append(signatures, signature)
	}
	metadata := map[string]any{"name": m.name}
	if m.annotations != nil {
		metadata["annotations"] = m.annotations
	}
	data, err := json.Marshal(map[string]any{
		"apiVersion": "image.openshift.io/v1", "kind": "Image", "signatures": signatures, "metadata": metadata,
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// apply applies a manifest on the server as a field manager, and returns what is stored then.
func (m manifest) apply(t *testing.T, opts ...client.PatchOption) *imagev1.Image {
	t.Helper()
	image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: m.name}}
	opts = append(opts, client.FieldOwner("git"))
	if err := editor.Patch(t.Context(), image, client.RawPatch(types.ApplyPatchType, m.data(t)), opts...); err != nil {
		t.Fatalf("applying: %v", err)
	}
	return image
}

// stateVerdicts writes signatures as the operator does.
func stateVerdicts(t *testing.T, name string, signatures ...imagev1.ImageSignature) *imagev1.Image {
	t.Helper()
	data, err := json.Marshal(map[string]any{"signatures": signatures})
	if err != nil {
		t.Fatal(err)
	}
	image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}}
	// An API server that has just learned of the custom resource answers 503 for some seconds.
	waitFor(t, "the schema of Images in the API server", func() bool {
		err := operator.Patch(t.Context(), image, client.RawPatch(types.MergePatchType, data), client.FieldOwner(assayv1alpha1.FieldManager))
		if err != nil && !apierrors.IsServiceUnavailable(err) {
			t.Fatal(err)
		}
		return err == nil
	})
	return image
}

// TestAppliedAgain: an Image that has a verdict is applied again, in every way in which tools do. Nothing changes, whatever
// the verdict is, and there are no conflicts.
func TestAppliedAgain(t *testing.T) {
	ways := map[string]func(*testing.T, manifest) *imagev1.Image{
		"server-side": func(t *testing.T, m manifest) *imagev1.Image { return m.apply(t) },
		"server-side, forced": func(t *testing.T, m manifest) *imagev1.Image {
			return m.apply(t, client.ForceOwnership)
		},
		"server-side, dry run": func(t *testing.T, m manifest) *imagev1.Image { return m.apply(t, client.DryRunAll) },
		"client-side": func(t *testing.T, m manifest) *imagev1.Image {
			image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: m.name}}
			if err := editor.Patch(t.Context(), image, client.RawPatch(types.MergePatchType, m.data(t))); err != nil {
				t.Fatal(err)
			}
			return image
		},
		"replace": func(t *testing.T, m manifest) *imagev1.Image {
			image := &imagev1.Image{}
			if err := editor.Get(t.Context(), client.ObjectKey{Name: m.name}, image); err != nil {
				t.Fatal(err)
			}
			image.Signatures = slices.Clone(m.signatures)
			if err := editor.Update(t.Context(), image); err != nil {
				t.Fatal(err)
			}
			return image
		},
	}
	for way, again := range ways {
		t.Run(way, func(t *testing.T) {
			m := manifest{name: "again-" + digits(way), signatures: []imagev1.ImageSignature{signature("one"), signature("two")}}
			if strings.HasPrefix(way, "server-side") {
				m.apply(t)
			} else if err := editor.Create(t.Context(), &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: m.name}, Signatures: m.signatures}); err != nil {
				t.Fatal(err)
			}
			refused := withVerdict(signature("two"))
			refused.Conditions[0].Status, refused.Conditions[1].Status = "False", "True"
			for round, verdicts := range [][]imagev1.ImageSignature{
				{withVerdict(signature("one")), withVerdict(signature("two"))}, {withVerdict(signature("one")), refused},
			} {
				stored := stateVerdicts(t, m.name, verdicts...)
				for range 2 {
					wantSame(t, again(t, m), stored, fmt.Sprint("verdict ", round))
				}
			}
		})
	}
}

func wantSame(t *testing.T, got, want *imagev1.Image, about string) {
	t.Helper()
	if got.ResourceVersion != want.ResourceVersion || got.Generation != want.Generation {
		t.Errorf("%s: resource version %s, generation %d, want %s, %d", about, got.ResourceVersion, got.Generation, want.ResourceVersion, want.Generation)
	}
	if g, w := text(t, got.Signatures), text(t, want.Signatures); g != w {
		t.Errorf("%s: signatures\n%s\nwant\n%s", about, g, w)
	}
}

func text(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestKeepVerdicts changes what a manifest says of an Image whose signatures one and two have verdicts, and whose signature
// fetched was fetched by Assay.
func TestKeepVerdicts(t *testing.T) {
	one, two := withVerdict(signature("one")), withVerdict(signature("two"))
	fetched := withVerdict(signature("fetched"))
	fetched.Annotations = map[string]string{assayv1alpha1.ImportedFromAnnotation: assayv1alpha1.ImportedFromStore}
	left := withVerdict(signature("left"))
	left.Annotations = map[string]string{assayv1alpha1.ImportedFromAnnotation: assayv1alpha1.ImportedLeftStore}
	asked := func(s imagev1.ImageSignature, id string) imagev1.ImageSignature {
		s.IssuedTo = &imagev1.SignatureSubject{PublicKeyID: id}
		return s
	}
	mismatch := asked(signature("one"), "0x01")
	mismatch.Conditions = slices.Clone(one.Conditions)
	mismatch.Conditions[1].Reason = "PublicKeyIDMismatch"
	unnamed := func(s imagev1.ImageSignature) imagev1.ImageSignature {
		s.Name = ""
		return s
	}
	imported := map[string]string{assayv1alpha1.ImportAnnotation: "true"}
	tests := map[string]struct {
		before   []imagev1.ImageSignature
		manifest manifest
		want     []imagev1.ImageSignature
	}{
		"one in front": {
			[]imagev1.ImageSignature{one, two}, manifest{signatures: []imagev1.ImageSignature{signature("new"), signature("one"), signature("two")}},
			[]imagev1.ImageSignature{signature("new"), one, two},
		},
		"one less":       {[]imagev1.ImageSignature{one, two}, manifest{signatures: []imagev1.ImageSignature{signature("two")}}, []imagev1.ImageSignature{two}},
		"another order":  {[]imagev1.ImageSignature{one, two}, manifest{signatures: []imagev1.ImageSignature{signature("two"), signature("one")}}, []imagev1.ImageSignature{two, one}},
		"without a name": {[]imagev1.ImageSignature{one, two}, manifest{signatures: []imagev1.ImageSignature{unnamed(signature("two"))}}, []imagev1.ImageSignature{two}},
		"the key that was found": {
			[]imagev1.ImageSignature{one}, manifest{signatures: []imagev1.ImageSignature{asked(signature("one"), "0x89ABCDEF")}},
			[]imagev1.ImageSignature{one},
		},
		"another key": {
			[]imagev1.ImageSignature{one}, manifest{signatures: []imagev1.ImageSignature{asked(signature("one"), "0x01")}},
			[]imagev1.ImageSignature{asked(signature("one"), "0x01")},
		},
		"no key any longer": {[]imagev1.ImageSignature{mismatch}, manifest{signatures: []imagev1.ImageSignature{signature("one")}}, []imagev1.ImageSignature{signature("one")}},
		"what was fetched": {
			[]imagev1.ImageSignature{one, fetched}, manifest{annotations: imported, signatures: []imagev1.ImageSignature{signature("one")}},
			[]imagev1.ImageSignature{one, fetched},
		},
		"what is in no store any longer": {
			[]imagev1.ImageSignature{one, left}, manifest{annotations: imported, signatures: []imagev1.ImageSignature{signature("one")}},
			[]imagev1.ImageSignature{one},
		},
		"fetched, and in the manifest too": {
			[]imagev1.ImageSignature{one, fetched}, manifest{annotations: imported, signatures: []imagev1.ImageSignature{signature("fetched")}},
			[]imagev1.ImageSignature{withVerdict(signature("fetched"))},
		},
		"nothing is fetched any longer": {
			[]imagev1.ImageSignature{one, fetched}, manifest{signatures: []imagev1.ImageSignature{signature("one")}}, []imagev1.ImageSignature{one},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			m := tc.manifest
			m.name = "keep-" + digits(name)
			manifest{name: m.name, signatures: []imagev1.ImageSignature{signature("zero")}}.apply(t)
			stateVerdicts(t, m.name, tc.before...)
			for range 2 {
				if got, want := text(t, m.apply(t).Signatures), text(t, tc.want); got != want {
					t.Errorf("signatures\n%s\nwant\n%s", got, want)
				}
			}
		})
	}
}

// TestKeepMany: the largest lists can be applied again, whether or not the policy can afford to look through them.
func TestKeepMany(t *testing.T) {
	var plain, verdicts []imagev1.ImageSignature
	for i := range 128 {
		s := signature(fmt.Sprint("many-", i))
		s.Content = fmt.Appendf(nil, "%02048d", i)
		verdicts = append(verdicts, withVerdict(s))
		s.Name = ""
		plain = append(plain, s)
	}
	m := manifest{name: "keep-many", signatures: plain}
	m.apply(t)
	stored := stateVerdicts(t, m.name, verdicts...)
	wantSame(t, m.apply(t), stored, "in order")
	slices.Reverse(m.signatures)
	if got := m.apply(t); len(got.Signatures) != len(plain) || string(got.Signatures[0].Content) != string(plain[0].Content) {
		t.Errorf("%d signatures, the first with content %.10s", len(got.Signatures), got.Signatures[0].Content)
	}
}

// digits makes a name for an object of any text.
func digits(text string) string { return fmt.Sprintf("%x", text) }
