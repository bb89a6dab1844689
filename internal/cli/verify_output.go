// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sigs.k8s.io/yaml"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/verify"
)

// verifyResult is the output of `assay verify -o json`.
type verifyResult struct {
	// Verified is true for a verified signature only.
	Verified bool `json:"verified"`
	// Outcome is verified, refused or "could not be checked".
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// ImageIdentity, SignedClaims and Created are signed statements; absent unless verified, and
	// Created also where the signature states no time.
	ImageIdentity string `json:"imageIdentity,omitempty"`
	// PublicKeyID is the primary key of the trusted signer or, if the signature is not verified,
	// the key that it names.
	PublicKeyID string `json:"publicKeyID,omitempty"`
	CommonName  string `json:"commonName,omitempty"`
	// Organization is the OIDC issuer that identified the signer, and IssuedBy the certificate
	// authority; absent where a key of the options has signed.
	Organization string            `json:"organization,omitempty"`
	IssuedBy     *verifyEntity     `json:"issuedBy,omitempty"`
	SignedClaims map[string]string `json:"signedClaims,omitempty"`
	Created      *time.Time        `json:"created,omitempty"`
	Digest       string            `json:"digest,omitempty"`
	Conditions   []verifyCondition `json:"conditions"`
	// Warnings are about key files, as standard error has them: what was skipped in them.
	Warnings []string `json:"warnings,omitempty"`
}

// verifyEntity is a certificate authority.
type verifyEntity struct {
	CommonName   string `json:"commonName,omitempty"`
	Organization string `json:"organization,omitempty"`
}

// verifyCondition is a condition as the operator would write it, without times.
type verifyCondition struct {
	Type    imagev1.SignatureConditionType `json:"type"`
	Status  string                         `json:"status"`
	Reason  string                         `json:"reason"`
	Message string                         `json:"message"`
}

// result converts a verdict, and returns its outcome.
func (o *verifyOptions) result(verdict *verify.Verdict) (*verifyResult, verify.Outcome) {
	s := decisive(verdict)
	finding := s.Finding
	if finding.Outcome != verdict.Outcome || len(verdict.Signatures) > 1 && verdict.Outcome != verify.Verified {
		// The image takes precedence: an image that contradicts itself is refused, even if the
		// signature was not checked. Of several refused signatures, it names the reason that counts.
		finding = verdict.Finding
	}
	words := o.words()
	complete, failed := s.Outcome.Conditions()
	result := &verifyResult{
		Verified:    finding.Outcome == verify.Verified,
		Outcome:     finding.Outcome.String(),
		Reason:      finding.Reason,
		Message:     words.Replace(finding.Message),
		PublicKeyID: s.ClaimedKeyID,
		Digest:      verdict.Digest.String(),
		Warnings:    o.warnings,
		Conditions: []verifyCondition{
			{Type: imagev1.SignatureComplete, Status: complete, Reason: s.Reason, Message: words.Replace(s.Message)},
			{Type: imagev1.SignatureFailed, Status: failed, Reason: s.Reason, Message: words.Replace(s.Message)},
		},
	}
	if s.Claims != nil {
		result.ImageIdentity = s.Claims.Identity
		result.PublicKeyID = s.Claims.PublicKeyID
		result.CommonName = s.Claims.Subject.CommonName
		result.Organization = s.Claims.Subject.Organization
		if s.Claims.Issuer != s.Claims.Subject {
			result.IssuedBy = &verifyEntity{CommonName: s.Claims.Issuer.CommonName, Organization: s.Claims.Issuer.Organization}
		}
		result.SignedClaims = s.Claims.Signed
		if !s.Claims.Created.IsZero() {
			result.Created = &s.Claims.Created
		}
	}
	return result, finding.Outcome
}

// decisive returns the signature that the verdict is about: of several, the first with its outcome,
// and for an image without any, one that stands for the image.
func decisive(verdict *verify.Verdict) *verify.SignatureVerdict {
	for i := range verdict.Signatures {
		if s := &verdict.Signatures[i]; s.Outcome == verdict.Outcome {
			return s
		}
	}
	if len(verdict.Signatures) > 0 {
		return &verdict.Signatures[0]
	}
	return &verify.SignatureVerdict{Finding: verdict.Finding}
}

// words replaces the fields of an Image in messages with the options.
func (o *verifyOptions) words() *strings.Replacer {
	manifest := "the digest"
	switch {
	case o.manifest != "":
		manifest = "--manifest"
	case o.digest != "":
		manifest = "--digest"
	}
	return strings.NewReplacer(
		"dockerImageManifest", manifest,
		"dockerImageReference", "--image",
		"issuedTo.publicKeyID", "--public-key-id",
		"unnamedSignatures", "--unnamed-signatures",
		"name it in signers", "name it with --certificate-oidc-issuer or --ca-roots",
	)
}

// resultWriter writes a result in one of the formats.
type resultWriter func(io.Writer, *verifyResult) error

// outputWriter returns the writer for a format.
func outputWriter(format string) (resultWriter, error) {
	switch format {
	case "text":
		return writeText, nil
	case "json":
		return writeJSON, nil
	case "yaml":
		return writeYAML, nil
	default:
		return nil, usagef("--output must be text, json or yaml, and is %q", format)
	}
}

func writeJSON(w io.Writer, result *verifyResult) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}

func writeYAML(w io.Writer, result *verifyResult) error {
	data, err := yaml.Marshal(result)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

func writeText(w io.Writer, result *verifyResult) error {
	if _, err := fmt.Fprintf(w, "%s (%s): %s\n", result.Outcome, result.Reason, result.Message); err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			// A tabwriter keeps its first error for Flush.
			_, _ = fmt.Fprintf(table, "  %s:\t%s\n", name, value)
		}
	}
	row("image", result.Digest)
	row("identity", result.ImageIdentity)
	if result.Verified {
		row("signed by", result.CommonName)
		row("identified by", result.Organization)
		row("key", result.PublicKeyID)
		if result.Created != nil {
			row("created", result.Created.Format(time.RFC3339))
		}
	} else {
		row("claimed key", result.PublicKeyID)
	}
	for _, name := range slices.Sorted(maps.Keys(result.SignedClaims)) {
		// The lines above show the others.
		if strings.HasPrefix(name, "optional.") {
			row(name, result.SignedClaims[name])
		}
	}
	return table.Flush()
}
