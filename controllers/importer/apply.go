// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
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
// came from a store and are in none any longer. Those give way when there is no room otherwise, unless
// they verify; no other is removed. It returns false if there was no room for one.
func applySignatures(image *imagev1.Image, r *result) (room bool) {
	inStore := map[signatureKey]struct{}{}
	for _, s := range r.signatures {
		inStore[keyOf(typeOf(s.Type), s.Content)] = struct{}{}
	}
	present := map[signatureKey]struct{}{}
	names := map[string]struct{}{}
	size := 0
	for i := range image.Signatures {
		s := &image.Signatures[i]
		key := keyOf(s.Type, s.Content)
		present[key], names[s.Name] = struct{}{}, struct{}{}
		size += len(s.Content)
		mark(s, key, inStore, r.complete)
	}
	room = true
	for _, s := range r.signatures {
		signatureType := typeOf(s.Type)
		key := keyOf(signatureType, s.Content)
		if _, ok := present[key]; ok {
			continue
		}
		left, ok := makeRoom(image, size, len(s.Content))
		if !ok {
			room = false
			continue
		}
		present[key], size = struct{}{}, left+len(s.Content)
		image.Signatures = append(image.Signatures, imagev1.ImageSignature{
			SignatureMeta: imagev1.SignatureMeta{
				Name:        signatureName(image.Name, s.Content, names),
				Annotations: map[string]string{assayv1alpha1.ImportedFromAnnotation: assayv1alpha1.ImportedFromStore},
			},
			Type: signatureType, Content: s.Content,
		})
	}
	return room
}

// makeRoom lets signatures give way, the oldest first, until another of so many bytes fits, and returns
// the size of what is left. It removes nothing if that would not suffice.
func makeRoom(image *imagev1.Image, size, another int) (left int, ok bool) {
	count, give := len(image.Signatures), map[int]bool{}
	for i := range image.Signatures {
		if count < imagejson.MaxSignatures && size+another <= imagejson.MaxSignatureContent {
			break
		}
		if s := &image.Signatures[i]; givesWay(s) {
			count, size, give[i] = count-1, size-len(s.Content), true
		}
	}
	if count >= imagejson.MaxSignatures || size+another > imagejson.MaxSignatureContent {
		return 0, false
	}
	kept := make([]imagev1.ImageSignature, 0, count+1)
	for i := range image.Signatures {
		if !give[i] {
			kept = append(kept, image.Signatures[i])
		}
	}
	image.Signatures = kept
	return size, true
}

// givesWay reports whether a signature can be removed: it came from a store, is in none any longer, and
// does not verify. Whoever may write to a store could fill an Image for good otherwise.
func givesWay(s *imagev1.ImageSignature) bool {
	verified := slices.ContainsFunc(s.Conditions, func(c imagev1.SignatureCondition) bool {
		return c.Type == imagev1.SignatureComplete && c.Status == corev1.ConditionTrue
	})
	return s.Annotations[assayv1alpha1.ImportedFromAnnotation] == assayv1alpha1.ImportedLeftStore && !verified
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
