// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/verify"
)

// errTooCostly ends the parsing of a policy.
var errTooCostly = errors.New("spec.keys: the keys and roots take too long to read; remove some, or export keys with gpg --export-options export-clean")

// parser parses the files of a policy within its budget.
type parser struct {
	keys    *Keys
	files   []verify.NamedKeyFile
	cost    int
	counted map[*content]struct{}
}

func parseKeys(p *Policy) *Keys {
	r := &parser{
		keys:    &Keys{signers: map[string]verify.KeyFile{}, rootsErrs: map[string]*RootsError{}, unread: map[*File]bool{}},
		counted: map[*content]struct{}{},
	}
	for i := range p.Sources {
		r.parseSource(&p.Sources[i])
	}
	for i := range p.Signers {
		r.parseSigner(&p.Spec.Signers[i], &p.Signers[i])
	}
	if r.keys.Err != nil {
		return r.keys
	}
	slices.Sort(r.keys.Unavailable) // The order of the spec changes no message.
	r.keys.Trust = signature.NewTrust(p.formats, r.files)
	return r.keys
}

// parse returns what a file holds. Content that several entries have costs once.
func (r *parser) parse(file *File) (verify.KeyFile, error) {
	if r.cost > maxPolicyCost {
		r.keys.Err = errTooCostly
		r.keys.unread[file] = true
		return nil, errTooCostly
	}
	parsed, err := file.Parsed()
	if _, counted := r.counted[file.content]; !counted && file.content != nil {
		r.counted[file.content] = struct{}{}
		r.cost += file.content.cost()
	}
	return parsed, err
}

// parseSource adds the keys of an entry of spec.keys. Each of its files stands alone.
func (r *parser) parseSource(source *Source) {
	material, rootsErr := r.material(source)
	available := true
	for _, file := range source.Files {
		parsed, err := r.parse(file)
		if err == nil && len(source.Roots) > 0 && rootsErr == nil {
			if parsed, err = signature.RequireLog(parsed, material); err != nil {
				rootsErr = &RootsError{Reason: assayv1alpha1.ReasonMalformedRoots, Err: err}
			}
		}
		if err != nil {
			available = false
			continue
		}
		if rootsErr == nil {
			r.files = append(r.files, verify.NamedKeyFile{Entry: source.Name, File: parsed})
		}
	}
	if rootsErr != nil {
		r.keys.rootsErrs[source.Name] = rootsErr
	}
	if !available || rootsErr != nil {
		r.keys.Unavailable = append(r.keys.Unavailable, source.Name)
	}
}

// parseSigner adds an entry of spec.signers.
func (r *parser) parseSigner(spec *assayv1alpha1.TrustedSigner, source *Source) {
	material, rootsErr := r.material(source)
	if rootsErr == nil {
		file, err := signature.NewSigner(spec, material)
		if err == nil {
			r.keys.signers[source.Name] = file
			r.files = append(r.files, verify.NamedKeyFile{Entry: source.Name, File: file})
			return
		}
		rootsErr = &RootsError{Reason: assayv1alpha1.ReasonMalformedRoots, Err: err}
	}
	r.keys.rootsErrs[source.Name] = rootsErr
	r.keys.Unavailable = append(r.keys.Unavailable, source.Name)
}

// material parses the files of an entry beside its keys. All of them must be usable: without one of
// its CAs or logs, an entry would refuse what it should accept.
func (r *parser) material(source *Source) (signature.Material, *RootsError) {
	material := signature.Material{}
	for _, roots := range source.Roots {
		for _, file := range roots.Files {
			parsed, err := r.parse(file)
			if err != nil {
				return nil, &RootsError{
					Reason: cmp.Or(file.Reason, assayv1alpha1.ReasonMalformedRoots),
					Err:    fmt.Errorf("%s: %s: %w", roots.Field, file.Location, err),
				}
			}
			material[roots.Kind] = append(material[roots.Kind], parsed)
		}
	}
	return material, nil
}

// RootsErr returns why an entry cannot be used for what it trusts beside keys; nil when it can.
func (p *Policy) RootsErr(entry string) *RootsError { return p.Keys().rootsErrs[entry] }

// SignerStatus describes an entry of spec.signers as a key without a fingerprint.
func (p *Policy) SignerStatus(entry string, now time.Time) verify.KeyStatus {
	keys := p.Keys()
	if err := keys.rootsErrs[entry]; err != nil {
		return verify.KeyStatus{Err: &verify.Error{Reason: err.Reason, Detail: err.Error()}}
	}
	for _, status := range p.KeysOf(keys.signers[entry], now) {
		return status
	}
	return verify.KeyStatus{Err: &verify.Error{Reason: assayv1alpha1.ReasonInvalidPolicy, Detail: "the policy cannot be applied"}}
}
