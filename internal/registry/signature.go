// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

// Types of signatures, as Images have them.
const (
	TypeAtomic   = "atomic"
	TypeSigstore = "sigstore"
	TypeNotation = "notation"
)

// Signature is a signature as a store holds it. Nothing of it is verified.
type Signature struct {
	// Type is one of the constants of this package.
	Type string
	// Content is the signature itself, 1 to MaxSignature bytes.
	Content []byte
}

// Found are the signatures of one image in one store.
type Found struct {
	// Signatures are the first MaxSignatures in the order of the store.
	Signatures []Signature
	// More reports that there are others.
	More bool
	// Skipped are signatures that could not be used; the first of them for each cause.
	Skipped []*Error
}

// add adds a signature, and reports whether there is room for another.
func (f *Found) add(s Signature) bool {
	if len(f.Signatures) >= MaxSignatures {
		f.More = true
		return false
	}
	f.Signatures = append(f.Signatures, s)
	return true
}

// Skip records that a signature could not be used, once for each cause.
func (f *Found) Skip(e *Error) {
	for _, known := range f.Skipped {
		if known.Code == e.Code {
			return
		}
	}
	f.Skipped = append(f.Skipped, e)
}

// Join adds what was found in another place.
func (f *Found) Join(other Found) {
	for _, s := range other.Signatures {
		if !f.add(s) {
			break
		}
	}
	f.More = f.More || other.More
	for _, e := range other.Skipped {
		f.Skip(e)
	}
}
