// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagejson"
	"github.com/assay-project/assay/internal/registry"
)

func fetchedSignatures(n, size int) []registry.Signature {
	all := make([]registry.Signature, n)
	for i := range all {
		all[i] = registry.Signature{Type: registry.TypeAtomic, Content: fmt.Appendf(make([]byte, 0, size), "%0*d", size, i)}
	}
	return all
}

// TestApplySignaturesTwice checks that the same result adds nothing the second time, whatever the
// order and the name of the type.
func TestApplySignaturesTwice(t *testing.T) {
	image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Signatures: []imagev1.ImageSignature{
		{SignatureMeta: imagev1.SignatureMeta{Name: "mine"}, Type: imagev1.SignatureTypeAtomic, Content: []byte("0001")},
	}}
	r := &result{signatures: fetchedSignatures(3, 4), complete: true}
	if !applySignatures(image, r) || len(image.Signatures) != 3 {
		t.Fatalf("%d signatures", len(image.Signatures))
	}
	if image.Signatures[0].Name != "mine" || image.Signatures[0].Annotations != nil {
		t.Errorf("the signature of a person is changed: %+v", image.Signatures[0])
	}
	before := image.DeepCopy()
	r.signatures[0], r.signatures[2] = r.signatures[2], r.signatures[0]
	applySignatures(image, r)
	if diff := cmp.Diff(before.Signatures, image.Signatures); diff != "" {
		t.Errorf("the second time (-first +second):\n%s", diff)
	}
}

// TestApplySignaturesMarks checks what becomes of the mark of a signature that stores no longer
// hold.
func TestApplySignaturesMarks(t *testing.T) {
	signature := func(mark string) imagev1.ImageSignature {
		return imagev1.ImageSignature{Type: "sigstore", Content: []byte("x"),
			SignatureMeta: imagev1.SignatureMeta{Name: "s", Annotations: map[string]string{assayv1alpha1.ImportedFromAnnotation: mark}}}
	}
	held := []registry.Signature{{Type: registry.TypeSigstore, Content: []byte("x")}}
	for name, tt := range map[string]struct {
		mark string
		r    result
		want string
	}{
		"held":                  {assayv1alpha1.ImportedFromStore, result{signatures: held, complete: true}, assayv1alpha1.ImportedFromStore},
		"gone":                  {assayv1alpha1.ImportedFromStore, result{complete: true}, assayv1alpha1.ImportedLeftStore},
		"gone, not all said":    {assayv1alpha1.ImportedFromStore, result{}, assayv1alpha1.ImportedFromStore},
		"back":                  {assayv1alpha1.ImportedLeftStore, result{signatures: held}, assayv1alpha1.ImportedFromStore},
		"still gone":            {assayv1alpha1.ImportedLeftStore, result{complete: true}, assayv1alpha1.ImportedLeftStore},
		"of another type there": {assayv1alpha1.ImportedFromStore, result{signatures: []registry.Signature{{Type: registry.TypeNotation, Content: []byte("x")}}, complete: true}, assayv1alpha1.ImportedLeftStore},
	} {
		t.Run(name, func(t *testing.T) {
			image := &imagev1.Image{Signatures: []imagev1.ImageSignature{signature(tt.mark)}}
			applySignatures(image, &tt.r)
			if got := image.Signatures[0].Annotations[assayv1alpha1.ImportedFromAnnotation]; got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// TestApplySignaturesBounds checks that an Image stays one that the decoder of Images takes.
func TestApplySignaturesBounds(t *testing.T) {
	for name, tt := range map[string]struct {
		have, n, size, want int
	}{
		"as many as may be": {28, 100, 10, 128},
		"one more":          {28, 101, 10, 128},
		"all content":       {0, 4, imagejson.MaxSignatureContent / 4, 4},
		"a byte more":       {1, 4, imagejson.MaxSignatureContent / 4, 4},
	} {
		t.Run(name, func(t *testing.T) {
			image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
			for i := range tt.have {
				image.Signatures = append(image.Signatures, imagev1.ImageSignature{SignatureMeta: imagev1.SignatureMeta{Name: fmt.Sprint(i)}, Type: "x", Content: []byte("y")})
			}
			room := applySignatures(image, &result{signatures: fetchedSignatures(tt.n, tt.size)})
			if room != (tt.have+tt.n == len(image.Signatures)) || len(image.Signatures) != tt.want {
				t.Errorf("%d signatures, room: %t", len(image.Signatures), room)
			}
			size := 0
			for i := range image.Signatures {
				size += len(image.Signatures[i].Content)
			}
			if size > imagejson.MaxSignatureContent {
				t.Errorf("%d bytes", size)
			}
		})
	}
}

// TestApplySignaturesMakesRoom checks that signatures that left their stores give way to those that are
// there, unless they verify or a person put them there.
func TestApplySignaturesMakesRoom(t *testing.T) {
	left := map[string]string{assayv1alpha1.ImportedFromAnnotation: assayv1alpha1.ImportedLeftStore}
	complete := []imagev1.SignatureCondition{{Type: imagev1.SignatureComplete, Status: corev1.ConditionTrue}}
	image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
	for i := range imagejson.MaxSignatures {
		s := imagev1.ImageSignature{SignatureMeta: imagev1.SignatureMeta{Name: fmt.Sprint(i), Annotations: left}, Type: "x", Content: fmt.Append(nil, i)}
		switch i {
		case 0:
			s.Annotations = nil
		case 1:
			s.Conditions = complete
		}
		image.Signatures = append(image.Signatures, s)
	}
	if !applySignatures(image, &result{signatures: fetchedSignatures(2, 4), complete: true}) || len(image.Signatures) != imagejson.MaxSignatures {
		t.Fatalf("%d signatures", len(image.Signatures))
	}
	for i, want := range map[int]string{0: "0", 1: "1", 2: "4", imagejson.MaxSignatures - 3: "127"} {
		if got := image.Signatures[i].Name; got != want {
			t.Errorf("signature %d is %s, want %s", i, got, want)
		}
	}
	// There are two that stay, and two that are in the store.
	if applySignatures(image, &result{signatures: fetchedSignatures(imagejson.MaxSignatures, 4)}) {
		t.Error("there is room for more than may be")
	}
	if n := len(image.Signatures); n != imagejson.MaxSignatures {
		t.Errorf("%d signatures", n)
	}
}

// TestSignatureNames checks that a name that is taken by other content is not used.
func TestSignatureNames(t *testing.T) {
	first := signatureName("a", []byte("x"), map[string]struct{}{})
	taken := map[string]struct{}{first: {}}
	second := signatureName("a", []byte("x"), taken)
	third := signatureName("a", []byte("x"), taken)
	if !strings.HasPrefix(first, "a@2d711642b726b044") || second != first+"-imported" || third != second+"-imported" {
		t.Errorf("%s, %s, %s", first, second, third)
	}
}

// TestApplyStatus checks that an answer that does not change changes nothing, not even the time.
func TestApplyStatus(t *testing.T) {
	image := &imagev1.Image{}
	r := &result{planID: "p", reason: assayv1alpha1.ReasonImported, stores: []imagev1.ImportStore{{URL: "https://a", Result: assayv1alpha1.ReasonImported, Signatures: 1}}}
	apply := func(at int, room bool) {
		now := metav1.Unix(int64(at), 0)
		applyStatus(image, r, room, now)
		applyCondition(image, now)
	}
	apply(1, true)
	first := image.DeepCopy()
	apply(2, true)
	if diff := cmp.Diff(first, image); diff != "" {
		t.Errorf("the second time (-first +second):\n%s", diff)
	}
	if c := image.Status.Conditions[0]; c.Status != metav1.ConditionTrue || c.Message != "https://a: Imported (1)" {
		t.Errorf("condition: %+v", c)
	}
	apply(3, false)
	if image.Status.Import.LastTime.Unix() != 3 || image.Status.Conditions[0].Reason != assayv1alpha1.ReasonTooManySignatures {
		t.Errorf("status: %+v", image.Status)
	}
	r.stores = nil
	for i := range 16 {
		r.stores = append(r.stores, imagev1.ImportStore{URL: strings.Repeat("a", 1024), Result: assayv1alpha1.ReasonUnauthorized, Message: strings.Repeat("b", 512), Signatures: int32(i)})
	}
	r.reason = assayv1alpha1.ReasonUnauthorized
	apply(4, true)
	if c := image.Status.Conditions[0]; c.Status != metav1.ConditionFalse || len(c.Message) > maxMessage || !strings.HasSuffix(c.Message, "and 13 more") {
		t.Errorf("condition: %s, %d bytes: …%s", c.Status, len(c.Message), c.Message[len(c.Message)-20:])
	}
}

func TestOverall(t *testing.T) {
	down := &registry.Error{}
	for name, tt := range map[string]struct {
		results []string
		answers []answer
		want    string
	}{
		"nothing to ask":   {nil, nil, assayv1alpha1.ReasonNoSignatureStore},
		"mirror is down":   {[]string{assayv1alpha1.ReasonStoreUnavailable, assayv1alpha1.ReasonNoSignaturesFound}, []answer{{err: down}, {required: true}}, assayv1alpha1.ReasonNoSignaturesFound},
		"source is down":   {[]string{assayv1alpha1.ReasonNoSignaturesFound, assayv1alpha1.ReasonTLSError}, []answer{{}, {err: down, required: true}}, assayv1alpha1.ReasonStoreUnavailable},
		"one has some":     {[]string{assayv1alpha1.ReasonImported, assayv1alpha1.ReasonNoSignaturesFound}, []answer{{required: true}, {required: true}}, assayv1alpha1.ReasonImported},
		"not in registry":  {[]string{assayv1alpha1.ReasonNoSignaturesFound, assayv1alpha1.ReasonManifestNotFound}, []answer{{required: true}, {err: down, required: true}}, assayv1alpha1.ReasonManifestNotFound},
		"one of two is up": {[]string{assayv1alpha1.ReasonImported, assayv1alpha1.ReasonRateLimited}, []answer{{required: true}, {err: down, required: true}}, assayv1alpha1.ReasonRateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			var stores []imagev1.ImportStore
			for _, r := range tt.results {
				stores = append(stores, imagev1.ImportStore{Result: r})
			}
			if got := overall(stores, tt.answers); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
