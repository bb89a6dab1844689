// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assay-project/assay/internal/pubkey"
)

// maxName bounds subjects and the values of Fulcio's extensions, in bytes.
const maxName = 2048

// certificate is the certificate of a signer, parsed and not verified.
type certificate struct {
	*x509.Certificate
	key *pubkey.Key
}

// parseSigner reads the certificate of a signer and holds it to what every signer needs.
func parseSigner(der []byte) (*certificate, *Error) {
	x, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fail(InvalidCertificate, "the signer's certificate is malformed")
	}
	key, err := pubkey.New(x.PublicKey)
	switch {
	case err != nil:
		return nil, fail(WeakAlgorithm, "the signer's certificate: "+err.Error())
	case x.IsCA:
		return nil, fail(InvalidCertificate, "the signer's certificate is that of a CA")
	case x.KeyUsage != 0 && x.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return nil, fail(InvalidCertificate, "the key of the signer's certificate is not for signatures")
	}
	// Package x509 does not know the names that Fulcio issues to usernames; this package does.
	x.UnhandledCriticalExtensions = slices.DeleteFunc(x.UnhandledCriticalExtensions, oidSAN.Equal)
	return &certificate{Certificate: x, key: key}, nil
}

// Object identifiers of X.509 and Fulcio (docs/oid-info.md of Fulcio).
var (
	oidSAN       = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidFulcio    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1}
	oidOtherName = append(slices.Clone(oidFulcio), 7)
)

// Arcs below oidFulcio that have a meaning of their own.
const (
	arcIssuerV1 = 1
	arcIssuerV2 = 8
	// lastRawArc is the last extension whose value is text without an encoding. Later ones are a
	// DER-encoded UTF8String.
	lastRawArc = 6
)

// extensionNames are the names of Fulcio's extensions by their arc, as policies and claims use them.
var extensionNames = map[int]string{
	2:  "githubWorkflowTrigger",
	3:  "githubWorkflowSHA",
	4:  "githubWorkflowName",
	5:  "githubWorkflowRepository",
	6:  "githubWorkflowRef",
	9:  "buildSignerURI",
	10: "buildSignerDigest",
	11: "runnerEnvironment",
	12: "sourceRepositoryURI",
	13: "sourceRepositoryDigest",
	14: "sourceRepositoryRef",
	15: "sourceRepositoryIdentifier",
	16: "sourceRepositoryOwnerURI",
	17: "sourceRepositoryOwnerIdentifier",
	18: "buildConfigURI",
	19: "buildConfigDigest",
	20: "buildTrigger",
	21: "runInvocationURI",
	22: "sourceRepositoryVisibilityAtSigning",
	23: "deploymentEnvironment",
}

// nameKind is the type of a subject alternative name.
type nameKind int

const (
	nameEmail nameKind = iota + 1
	nameURI
	nameUsername
)

// fulcioIdentity is what Fulcio certifies.
type fulcioIdentity struct {
	issuer  string
	kind    nameKind
	subject string
	// extensions by name, without the issuer.
	extensions map[string]string
}

// identity reads what Fulcio certifies: exactly one subject, an issuer, and other claims.
func (c *certificate) identity() (*fulcioIdentity, *Error) {
	if !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageCodeSigning) {
		return nil, fail(InvalidCertificate, "the signer's certificate is not for signing code")
	}
	id := &fulcioIdentity{extensions: make(map[string]string)}
	if err := id.readSubject(c.Certificate); err != nil {
		return nil, fail(InvalidCertificate, "the signer's certificate: "+err.Error())
	}
	if err := id.readExtensions(c.Certificate); err != nil {
		return nil, fail(InvalidCertificate, "the signer's certificate: "+err.Error())
	}
	return id, nil
}

// readSubject reads the subject alternative name (RFC 5280 section 4.2.1.6), of which there must be
// one: of several, each verifier could take another for the signer.
func (id *fulcioIdentity) readSubject(c *x509.Certificate) error {
	for i := range c.Extensions {
		if !c.Extensions[i].Id.Equal(oidSAN) {
			continue
		}
		in := cryptobyte.String(c.Extensions[i].Value)
		var names, name cryptobyte.String
		var tag cryptobyte_asn1.Tag
		if !in.ReadASN1(&names, cryptobyte_asn1.SEQUENCE) || !in.Empty() || !names.ReadAnyASN1(&name, &tag) {
			return errors.New("the subject alternative name is malformed")
		}
		if !names.Empty() {
			return errors.New("there is more than one subject alternative name")
		}
		return id.readName(name, tag)
	}
	return errors.New("there is no subject alternative name")
}

// readName reads a GeneralName of one of the types that Fulcio issues.
func (id *fulcioIdentity) readName(name cryptobyte.String, tag cryptobyte_asn1.Tag) error {
	ok := true
	switch tag {
	case cryptobyte_asn1.Tag(1).ContextSpecific():
		id.kind = nameEmail
	case cryptobyte_asn1.Tag(6).ContextSpecific():
		id.kind = nameURI
	case cryptobyte_asn1.Tag(0).ContextSpecific().Constructed():
		id.kind = nameUsername
		var oid asn1.ObjectIdentifier
		var explicit, value cryptobyte.String
		ok = name.ReadASN1ObjectIdentifier(&oid) && oid.Equal(oidOtherName) &&
			name.ReadASN1(&explicit, cryptobyte_asn1.Tag(0).ContextSpecific().Constructed()) && name.Empty() &&
			explicit.ReadASN1(&value, cryptobyte_asn1.UTF8String) && explicit.Empty()
		name = value
	default:
		return errors.New("the subject alternative name is not an email address, a URI or a username")
	}
	if !ok || len(name) == 0 || len(name) > maxName || !utf8.Valid(name) {
		return errors.New("the subject alternative name is malformed")
	}
	id.subject = string(name)
	return nil
}

// readExtensions reads Fulcio's extensions. The issuer is in two of them, which must agree.
func (id *fulcioIdentity) readExtensions(c *x509.Certificate) error {
	issuers := make(map[int]string)
	for i := range c.Extensions {
		oid := c.Extensions[i].Id
		if len(oid) != len(oidFulcio)+1 || !oid[:len(oidFulcio)].Equal(oidFulcio) {
			continue
		}
		arc := oid[len(oidFulcio)]
		name, known := extensionNames[arc]
		if !known && arc != arcIssuerV1 && arc != arcIssuerV2 {
			continue
		}
		value, ok := extensionText(arc, c.Extensions[i].Value)
		if !ok {
			return errors.New("an extension of Fulcio is malformed")
		}
		if known {
			id.extensions[name] = value
		} else {
			issuers[arc] = value
		}
	}
	v1, hasV1 := issuers[arcIssuerV1]
	v2, hasV2 := issuers[arcIssuerV2]
	switch {
	case hasV1 && hasV2 && v1 != v2:
		return errors.New("it names two issuers")
	case v1 == "" && v2 == "":
		return errors.New("it names no issuer")
	case v1 == "":
		id.issuer = v2
	default:
		id.issuer = v1
	}
	return nil
}

// extensionText returns the text of an extension.
func extensionText(arc int, raw []byte) (string, bool) {
	in := cryptobyte.String(raw)
	text := in
	ok := arc <= lastRawArc || in.ReadASN1(&text, cryptobyte_asn1.UTF8String) && in.Empty()
	return string(text), ok && len(text) <= maxName && utf8.Valid(text)
}
