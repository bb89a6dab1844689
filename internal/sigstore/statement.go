// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"fmt"
	"maps"
	"slices"

	"github.com/assay-project/assay/internal/strictjson"
)

// predicateTypeSign is the predicate type of image signatures. A statement of another type is an
// attestation.
const predicateTypeSign = "https://sigstore.dev/cosign/sign/v1"

// maxSubjects is the largest number of subjects of a statement.
const maxSubjects = 1024

// statementTypes are the versions of in-toto statements, which have the same members.
var statementTypes = []string{"https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"}

// inTotoStatement is an in-toto statement without its predicate.
type inTotoStatement struct {
	kind, predicateType string
	subjects            []Statement
}

// parseStatement reads an authenticated in-toto statement. Members that it does not know are passed
// over, as the specification asks, and the predicate may be absent.
func parseStatement(payload []byte) (*inTotoStatement, *Error) {
	s := &inTotoStatement{}
	err := strictjson.Parse(payload, contentLimits, func(d *strictjson.Decoder) error {
		return d.Some(strictjson.Fields{
			"_type":         stringInto(d, &s.kind),
			"predicateType": stringInto(d, &s.predicateType),
			"subject": func() error {
				return d.Elements(maxSubjects, func() error {
					subject, err := parseSubject(d)
					s.subjects = append(s.subjects, subject)
					return err
				})
			},
		})
	})
	switch {
	case err != nil:
		return nil, fail(MalformedPayload, "signed statement: "+err.Error())
	case !slices.Contains(statementTypes, s.kind):
		return nil, fail(MalformedPayload, "the payload is not an in-toto statement of version 0.1 or 1")
	}
	s.subjects = slices.DeleteFunc(s.subjects, func(s Statement) bool { return len(s.Digests) == 0 })
	if len(s.subjects) == 0 {
		return nil, fail(MalformedPayload, "the signed statement has no subject with a digest by sha256, sha384 or sha512")
	}
	return s, nil
}

// parseSubject reads a subject. Digests by other algorithms than those of images are passed over.
func parseSubject(d *strictjson.Decoder) (Statement, error) {
	var s Statement
	digests := make(map[string]string)
	err := d.Some(strictjson.Fields{
		"name": stringInto(d, &s.Name),
		"digest": func() error {
			return d.Object(func(algorithm string) error {
				digits, err := d.String()
				switch _, known := digestHashes[algorithm]; {
				case err != nil || !known:
					return err
				case !validDigest(algorithm, digits):
					return fmt.Errorf("a subject's %s digest is malformed", algorithm)
				}
				digests[algorithm] = algorithm + ":" + digits
				return nil
			})
		},
	})
	if len(s.Name) > maxReference {
		return s, fmt.Errorf("a subject's name is longer than %d bytes", maxReference)
	}
	s.Digests = slices.Sorted(maps.Values(digests))
	return s, err
}
