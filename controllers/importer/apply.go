// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagejson"
	"github.com/assay-project/assay/internal/registry"
	"github.com/assay-project/assay/internal/safetext"
)

const (
	// maxMessage bounds the message of the condition, in bytes.
	maxMessage = 1024
	// maxListedStores is how many stores the message names.
	maxListedStores = 3
)

// applySignatures adds the signatures of a result that an image does not have, and marks those that
// came from a store and are in none any longer. It removes none. It returns false if there was no
// room for one.
func applySignatures(image *imagev1.Image, r *result) (room bool) {
	present := map[signatureKey]*imagev1.ImageSignature{}
	names := map[string]struct{}{}
	size := 0
	for i := range image.Signatures {
		s := &image.Signatures[i]
		present[keyOf(s.Type, s.Content)] = s
		names[s.Name] = struct{}{}
		size += len(s.Content)
	}
	inStore := map[signatureKey]struct{}{}
	var added []imagev1.ImageSignature
	room = true
	for _, s := range r.signatures {
		signatureType := typeOf(s.Type)
		key := keyOf(signatureType, s.Content)
		inStore[key] = struct{}{}
		if _, ok := present[key]; ok {
			continue
		}
		if len(image.Signatures)+len(added) >= imagejson.MaxSignatures || size+len(s.Content) > imagejson.MaxSignatureContent {
			room = false
			continue
		}
		size += len(s.Content)
		added = append(added, imagev1.ImageSignature{
			SignatureMeta: imagev1.SignatureMeta{
				Name:        signatureName(image.Name, s.Content, names),
				Annotations: map[string]string{assayv1alpha1.ImportedFromAnnotation: assayv1alpha1.ImportedFromStore},
			},
			Type: signatureType, Content: s.Content,
		})
	}
	for key, s := range present {
		mark(s, key, inStore, r.complete)
	}
	image.Signatures = append(image.Signatures, added...)
	return room
}

// mark records on a signature that came from a store whether a store has it. Signatures that
// somebody put there are left as they are.
func mark(s *imagev1.ImageSignature, key signatureKey, inStore map[signatureKey]struct{}, complete bool) {
	state, imported := s.Annotations[assayv1alpha1.ImportedFromAnnotation]
	_, found := inStore[key]
	want := state
	switch {
	case !imported:
		return
	case found:
		want = assayv1alpha1.ImportedFromStore
	case complete:
		want = assayv1alpha1.ImportedLeftStore
	}
	if want != state {
		s.Annotations[assayv1alpha1.ImportedFromAnnotation] = want
	}
}

// signatureKey identifies a signature by what it is.
type signatureKey struct {
	signatureType string
	content       [sha256.Size]byte
}

func keyOf(signatureType string, content []byte) signatureKey {
	if signatureType == imagev1.SignatureTypeAtomic {
		signatureType = imagev1.SignatureTypeAtomicImageV1
	}
	return signatureKey{signatureType, sha256.Sum256(content)}
}

// typeOf returns the type that an Image has for that of a store. OpenShift's name for the atomic
// format is the one that its tools know.
func typeOf(storeType string) string {
	if storeType == registry.TypeAtomic {
		return imagev1.SignatureTypeAtomicImageV1
	}
	return storeType
}

// signatureName returns the name of a signature, as OpenShift's import calls it: the same content
// always has the same name. A name that is taken by other content is made longer.
func signatureName(image string, content []byte, taken map[string]struct{}) string {
	sum := sha256.Sum256(content)
	name := image + "@" + hex.EncodeToString(sum[:])
	for _, ok := taken[name]; ok; _, ok = taken[name] {
		name += "-imported"
	}
	taken[name] = struct{}{}
	return name
}

// applyStatus writes a result into the status of an image. lastTime changes only if something else
// does.
func applyStatus(image *imagev1.Image, r *result, room bool, now metav1.Time) {
	next := imagev1.ImageImport{
		Result: r.reason, Configuration: r.planID, Stores: r.stores, LastHandledRecheckRequest: recheckRequest(image),
	}
	if !room && (next.Result == assayv1alpha1.ReasonImported || next.Result == assayv1alpha1.ReasonTooLarge) {
		next.Result = assayv1alpha1.ReasonTooManySignatures
	}
	if before := image.Status.Import; before != nil {
		next.LastTime = before.LastTime
		if equality.Semantic.DeepEqual(*before, next) {
			return
		}
	}
	next.LastTime = now
	image.Status.Import = &next
}

// applyCondition sets the condition Imported from the status. It changes nothing at rest.
func applyCondition(image *imagev1.Image, now metav1.Time) {
	in := image.Status.Import
	if in == nil {
		return
	}
	status := metav1.ConditionTrue
	if isIncomplete(in.Result) {
		status = metav1.ConditionFalse
	}
	condition := metav1.Condition{
		Type: assayv1alpha1.ImportedCondition, Status: status, Reason: in.Result,
		Message: message(in), LastTransitionTime: now,
	}
	if have := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.ImportedCondition); have != nil {
		// What was fetched does not depend on the generation, which every write of a signature
		// changes.
		condition.ObservedGeneration = have.ObservedGeneration
	}
	meta.SetStatusCondition(&image.Status.Conditions, condition)
}

// isIncomplete reports whether signatures may be missing for a reason. They may for one that is not
// known: an image is not refused by mistake.
func isIncomplete(reason string) bool {
	switch reason {
	case assayv1alpha1.ReasonImported, assayv1alpha1.ReasonNoSignaturesFound, assayv1alpha1.ReasonTooManySignatures,
		assayv1alpha1.ReasonTooLarge, assayv1alpha1.ReasonManifestNotFound, assayv1alpha1.ReasonNoSignatureStore:
		return false
	}
	return true
}

// message says what the stores answered.
func message(in *imagev1.ImageImport) string {
	switch in.Result {
	case assayv1alpha1.ReasonNoSignatureStore:
		return "no store can be asked: the RegistryConfig leaves none, or nothing on the Image states its sha256 digest"
	case assayv1alpha1.ReasonTooManySignatures:
		return fmt.Sprintf("the stores hold more signatures than an Image can have (%d of %d KiB in all); the first are used: %s",
			imagejson.MaxSignatures, imagejson.MaxSignatureContent>>10, stores(in))
	default:
		return safetext.TruncateWithEllipsis(stores(in), maxMessage)
	}
}

// stores lists the first stores with their answers.
func stores(in *imagev1.ImageImport) string {
	var parts []string
	for i, s := range in.Stores {
		if i == maxListedStores {
			parts = append(parts, fmt.Sprintf("and %d more", len(in.Stores)-i))
			break
		}
		part := fmt.Sprintf("%s: %s", s.URL, s.Result)
		if s.Signatures > 0 {
			part = fmt.Sprintf("%s: %s (%d)", s.URL, s.Result, s.Signatures)
		}
		if s.Message != "" {
			part += ": " + s.Message
		}
		parts = append(parts, safetext.TruncateWithEllipsis(part, maxMessage/maxListedStores-8))
	}
	return strings.Join(slices.Clip(parts), "; ")
}
