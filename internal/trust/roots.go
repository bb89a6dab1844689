// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/signature"
)

// rootsField is a field of an entry that is a source of what the entry trusts beside keys.
type rootsField struct {
	name   string
	kind   signature.RootsKind
	source *assayv1alpha1.TrustSource
}

// logSources returns the sources of a transparency log, which may be nil, in a fixed order.
func logSources(log *assayv1alpha1.TransparencyLog) []rootsField {
	if log == nil {
		return nil
	}
	return present(
		rootsField{"transparencyLog.trustedRoot", signature.TrustedRoot, log.TrustedRoot},
		rootsField{"transparencyLog.rekorKeys", signature.RekorKeys, log.RekorKeys},
	)
}

// signerSources returns the sources of a signer in a fixed order.
func signerSources(signer *assayv1alpha1.TrustedSigner) []rootsField {
	switch {
	case signer.Fulcio != nil:
		return present(
			rootsField{"fulcio.trustedRoot", signature.TrustedRoot, signer.Fulcio.TrustedRoot},
			rootsField{"fulcio.caCertificates", signature.CACertificates, signer.Fulcio.CACertificates},
			rootsField{"fulcio.rekorKeys", signature.RekorKeys, signer.Fulcio.RekorKeys},
		)
	case signer.PKI != nil:
		return present(
			rootsField{"pki.caCertificates", signature.CACertificates, &signer.PKI.CACertificates},
			rootsField{"pki.intermediates", signature.Intermediates, signer.PKI.Intermediates},
		)
	default:
		return nil
	}
}

func present(fields ...rootsField) []rootsField {
	var given []rootsField
	for _, field := range fields {
		if field.source != nil {
			given = append(given, field)
		}
	}
	return given
}

// RootsError is why an entry cannot be used for what it trusts beside keys.
type RootsError struct {
	// Reason is that of the status.
	Reason string
	Err    error
}

// Error returns the text of the error.
func (e *RootsError) Error() string { return e.Err.Error() }

// Unwrap returns the error.
func (e *RootsError) Unwrap() error { return e.Err }

// Problems lists what was passed over in the files that an entry of the policy has beside its keys.
func (p *Policy) Problems(source *Source) []string {
	var problems []string
	for _, roots := range source.Roots {
		for _, file := range roots.Files {
			parsed, err := p.ParsedFile(file)
			if err != nil {
				continue
			}
			for _, problem := range parsed.Problems() {
				problems = append(problems, roots.Field+": "+file.Location+": "+problem)
			}
		}
	}
	return problems
}
