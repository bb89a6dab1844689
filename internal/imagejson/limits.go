// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagejson

import "fmt"

// Bounds of what one Image may keep in memory. An Image beyond them is not verified.
const (
	// MaxSignatures is how many signatures an Image may have, which is also what its schema
	// allows.
	MaxSignatures = 128

	// MaxSignatureContent bounds the content of all signatures of an Image together, in
	// bytes. An OpenPGP signature by an RSA-4096 key has less than 1 KiB with its payload, so
	// that MaxSignatures of them fit.
	MaxSignatureContent = 128 << 10

	// MaxSignatureText bounds everything else that signatures hold, in bytes: 3 KiB for each
	// of MaxSignatures, which is three times what Assay itself writes into one as a rule.
	// Conditions, finalizers and members of maps count with elementCost on top of their text.
	MaxSignatureText = 384 << 10

	// MaxStatus bounds the texts of the status. Assay writes at most 64 policies of 765 bytes
	// and three conditions.
	MaxStatus = 96 << 10
)

const (
	// maxText bounds each text outside of signatures and status, in bytes. Names have at most
	// 253 and references 1024.
	maxText = 1024

	// maxAnnotation bounds the value of an annotation, in bytes. Of longer ones the beginning
	// is kept. maxAnnotations is what an API server takes for all annotations of an object.
	maxAnnotation  = 1024
	maxAnnotations = 256 << 10

	// maxFinalizers bounds all finalizers of an Image together, in bytes.
	maxFinalizers = 64 << 10

	// elementCost is what a condition, a finalizer or a member of a map takes in memory beside its text.
	elementCost = 128

	// listText bounds the texts of a list's metadata, in bytes.
	listText = 64 << 10

	// maxErrorObject bounds the object of an ERROR event, a Status without stored content.
	maxErrorObject = 1 << 20
)

// FaultKind is a way in which an Image cannot be used.
type FaultKind int

const (
	// Undecodable is an Image with a value that cannot be read, can be read in two ways or
	// could not be written back.
	Undecodable FaultKind = iota + 1
	// OverBudget is an Image with more signatures than one Image may keep in memory.
	OverBudget
)

// String returns the kind's name, one word.
func (k FaultKind) String() string {
	switch k {
	case Undecodable:
		return "Undecodable"
	case OverBudget:
		return "OverBudget"
	default:
		return ""
	}
}

// Fault is why an Image cannot be verified, found before any signature was looked at. Its text
// is bounded, deterministic and without anything from the object but numbers.
type Fault struct {
	Kind FaultKind
	// Field is the path of the value, for example signatures[3].metadata.generation.
	Field string
	// Detail is one clause about the value.
	Detail string
}

// Error implements the error interface.
func (f *Fault) Error() string {
	if f.Field == "" {
		return f.Detail
	}
	return fmt.Sprintf("%s: %s", f.Field, f.Detail)
}
