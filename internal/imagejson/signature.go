// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagejson

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	imagev1 "github.com/assay-project/assay/api/image/v1"
)

var (
	tooManySignatures = Fault{Kind: OverBudget, Field: "signatures",
		Detail: fmt.Sprintf("there are more than %d", MaxSignatures)}
	tooMuchContent = Fault{Kind: OverBudget, Field: "signatures",
		Detail: fmt.Sprintf("their content takes more than %d KiB", MaxSignatureContent>>10)}
	tooMuchText = Fault{Kind: OverBudget, Field: "signatures",
		Detail: fmt.Sprintf("what they hold beside their content takes more than %d KiB", MaxSignatureText>>10)}
)

// signatures reads all signatures of an Image.
func (d *decoder) signatures(field string) []imagev1.ImageSignature {
	var signatures []imagev1.ImageSignature
	content := MaxSignatureContent
	d.section(MaxSignatureText, tooMuchText)
	present := d.array(field, func() {
		if len(signatures) == MaxSignatures {
			d.failAs(tooManySignatures)
		}
		if d.broken() {
			signatures = nil
			return
		}
		signatures = append(signatures, imagev1.ImageSignature{})
		s := &signatures[len(signatures)-1]
		d.signature(s, content)
		content -= len(s.Content)
	})
	if present && signatures == nil {
		return []imagev1.ImageSignature{}
	}
	return signatures
}

var signatureMembers = []string{
	"apiVersion", "kind", "metadata", "type", "content", "conditions", "imageIdentity",
	"signedClaims", "created", "issuedBy", "issuedTo",
}

// signature reads a signature, whose content has at most the given bytes.
func (d *decoder) signature(s *imagev1.ImageSignature, content int) {
	d.object("", signatureMembers, func(i int) {
		switch name := signatureMembers[i]; name {
		case "apiVersion":
			s.APIVersion = d.sharedString(name)
		case "kind":
			s.Kind = d.sharedString(name)
		case "metadata":
			d.signatureMeta(name, &s.SignatureMeta)
		case "type":
			s.Type = d.sharedString(name)
		case "content":
			s.Content = d.binary(name, content, func() Fault { return tooMuchContent })
		case "conditions":
			s.Conditions = d.signatureConditions(name)
		case "imageIdentity":
			s.ImageIdentity = d.string(name)
		case "signedClaims":
			s.SignedClaims = d.stringMap(name)
		case "created":
			s.Created = d.optionalTime(name)
		case "issuedBy":
			var issuer imagev1.SignatureIssuer
			if d.entity(name, &issuer.SignatureGenericEntity, nil) {
				s.IssuedBy = &issuer
			}
		case "issuedTo":
			var subject imagev1.SignatureSubject
			if d.entity(name, &subject.SignatureGenericEntity, &subject.PublicKeyID) {
				s.IssuedTo = &subject
			}
		}
	})
}

func (d *decoder) optionalTime(field string) *metav1.Time {
	if t, ok := d.writableTime(field); ok {
		return &t
	}
	return nil
}

var signatureMetaMembers = []string{
	"name", "generateName", "namespace", "uid", "resourceVersion", "generation",
	"creationTimestamp", "labels", "annotations", "finalizers",
}

func (d *decoder) signatureMeta(field string, meta *imagev1.SignatureMeta) {
	d.object(field, signatureMetaMembers, func(i int) {
		switch name := signatureMetaMembers[i]; name {
		case "name":
			meta.Name = d.string(name)
		case "generateName":
			meta.GenerateName = d.string(name)
		case "namespace":
			meta.Namespace = d.string(name)
		case "uid":
			meta.UID = types.UID(d.string(name))
		case "resourceVersion":
			meta.ResourceVersion = d.string(name)
		case "generation":
			meta.Generation = d.integer(name)
		case "creationTimestamp":
			meta.CreationTimestamp = d.optionalTime(name)
		case "labels":
			meta.Labels = d.stringMap(name)
		case "annotations":
			meta.Annotations = d.stringMap(name)
		case "finalizers":
			meta.Finalizers = d.strings(name)
		}
	})
}

var signatureConditionMembers = []string{"type", "status", "lastProbeTime", "lastTransitionTime", "reason", "message"}

func (d *decoder) signatureConditions(field string) []imagev1.SignatureCondition {
	return list(&d.reader, field, func(c *imagev1.SignatureCondition) {
		d.object("", signatureConditionMembers, func(i int) {
			switch name := signatureConditionMembers[i]; name {
			case "type":
				c.Type = imagev1.SignatureConditionType(d.sharedString(name))
			case "status":
				c.Status = corev1.ConditionStatus(d.sharedString(name))
			case "lastProbeTime":
				c.LastProbeTime, _ = d.writableTime(name)
			case "lastTransitionTime":
				c.LastTransitionTime, _ = d.writableTime(name)
			case "reason":
				c.Reason = d.sharedString(name)
			case "message":
				c.Message = d.sharedString(name)
			}
		})
	})
}

// entity reads who issued a signature, or to whom with a keyID.
func (d *decoder) entity(field string, entity *imagev1.SignatureGenericEntity, keyID *string) (present bool) {
	names := []string{"organization", "commonName", "publicKeyID"}
	if keyID == nil {
		names = names[:2]
	}
	return d.object(field, names, func(i int) {
		text := d.sharedString(names[i])
		switch i {
		case 0:
			entity.Organization = text
		case 1:
			entity.CommonName = text
		case 2:
			*keyID = text
		}
	})
}
