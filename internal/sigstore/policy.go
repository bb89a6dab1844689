// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/assay-project/assay/internal/pubkey"
)

// Authority is one entry of a policy: whose signatures it accepts. Exactly one of Keys, Fulcio and PKI
// is set. Two signatures by the same identity are by one signer; each of Keys is a signer of its own.
type Authority struct {
	// Name of the entry, unique in the policy.
	Name string
	// Keys, of which any may have signed.
	Keys []*pubkey.Key
	// Log has the transparency logs of which one must have the signature; nil asks for none. It is
	// for Keys alone.
	Log *Roots
	// Fulcio accepts keys that Fulcio certified for one signature.
	Fulcio *Fulcio
	// PKI accepts certificates of any other CA.
	PKI *PKI
}

// Fulcio is what a certificate of Fulcio must say.
type Fulcio struct {
	// Roots have the CAs and the logs.
	Roots *Roots
	// Issuer is the OIDC issuer, compared exactly.
	Issuer string
	// Subject is who signed.
	Subject Subject
	// Claims must all be in the certificate with these values, by their names in ClaimNames.
	Claims map[string]string
}

// Subject selects the subject alternative name of a certificate. Exactly one member is set. All are
// compared exactly, and with the type of name that they say.
type Subject struct {
	Email string
	URI   string
	// URIPrefix is a scheme, a host and at least "/", and ends with "/" or "@". What follows it must not be empty, and has no segment "." or
	// "..".
	URIPrefix string
	// Username is the name that Fulcio issues for a username, such as "user!example.com".
	Username string
}

// PKI is what a certificate of another CA must say. The certificate has to be valid now: there is no
// other time to trust.
type PKI struct {
	// Roots are the CAs, all of them anchors; Intermediates may help to find one.
	Roots, Intermediates []*x509.Certificate
	// Email and Hostname must both be among the certificate's names, where they are set. At least
	// one is. Hostname is compared without regard to case, and matches no wildcard.
	Email, Hostname string
}

// ClaimNames returns the names that Fulcio.Claims may have, sorted.
func ClaimNames() []string {
	return slices.Sorted(maps.Values(extensionNames))
}

// Validate reports why the entry cannot be applied.
func (a *Authority) Validate() error {
	set := 0
	for _, present := range []bool{len(a.Keys) > 0, a.Fulcio != nil, a.PKI != nil} {
		if present {
			set++
		}
	}
	switch {
	case set != 1:
		return errors.New("exactly one of keys, fulcio and pki must be set")
	case a.Log != nil && len(a.Keys) == 0:
		return errors.New("a transparency log is for keys")
	case a.Fulcio != nil:
		return a.Fulcio.validate()
	case a.PKI != nil:
		return a.PKI.validate()
	}
	return nil
}

func (f *Fulcio) validate() error {
	switch {
	case f.Roots == nil:
		return errors.New("there is no root for fulcio")
	case f.Issuer == "":
		return errors.New("the OIDC issuer is empty")
	}
	names := ClaimNames()
	for name := range f.Claims {
		if !slices.Contains(names, name) {
			return fmt.Errorf("a claim is none of %s", strings.Join(names, ", "))
		}
	}
	return f.Subject.validate()
}

func (s *Subject) validate() error {
	set := 0
	for _, value := range []string{s.Email, s.URI, s.URIPrefix, s.Username} {
		if value != "" {
			set++
		}
	}
	switch {
	case set != 1:
		return errors.New("exactly one of email, uri, uriPrefix and username must be set")
	case s.URIPrefix != "" && !isPrefix(s.URIPrefix):
		return errors.New("a uriPrefix must be scheme://host/path and end with / or @")
	}
	return nil
}

// isPrefix reports whether the prefix of a URI ends where a part of its path does. Without a whole
// host in it, it would be for all of the world.
func isPrefix(prefix string) bool {
	scheme, rest, ok := strings.Cut(prefix, "://")
	host, _, hasPath := strings.Cut(rest, "/")
	return ok && scheme != "" && hasPath && host != "" && !strings.Contains(host, "@") &&
		(strings.HasSuffix(prefix, "/") || strings.HasSuffix(prefix, "@"))
}

func (p *PKI) validate() error {
	switch {
	case len(p.Roots) == 0:
		return errors.New("there is no root for pki")
	case p.Email == "" && p.Hostname == "":
		return errors.New("email or hostname must be set")
	}
	return nil
}

// match reports whether the subject of a certificate is the one that is asked for.
func (s *Subject) match(id *fulcioIdentity) bool {
	switch id.kind {
	case nameEmail:
		return s.Email != "" && s.Email == id.subject
	case nameUsername:
		return s.Username != "" && s.Username == id.subject
	case nameURI:
		if s.URI != "" {
			return s.URI == id.subject
		}
		rest, ok := strings.CutPrefix(id.subject, s.URIPrefix)
		return s.URIPrefix != "" && ok && rest != "" && !hasDotSegment(rest)
	default:
		return false
	}
}

// hasDotSegment reports whether a path has a segment that leads out of where it seems to be.
func hasDotSegment(path string) bool {
	for _, segment := range strings.Split(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// match compares an authenticated certificate with the policy.
func (f *Fulcio) match(id *fulcioIdentity) *Error {
	if id.issuer != f.Issuer {
		return fail(SignerMismatch, "the certificate is by the OIDC issuer "+quote(id.issuer)+", not by "+quote(f.Issuer))
	}
	if !f.Subject.match(id) {
		return fail(SignerMismatch, "the certificate is for "+quote(id.subject)+", which the policy does not accept")
	}
	for _, name := range slices.Sorted(maps.Keys(f.Claims)) {
		if value, ok := id.extensions[name]; !ok || value != f.Claims[name] {
			return fail(SignerMismatch, "the certificate's claim "+name+" is not "+quote(f.Claims[name]))
		}
	}
	return nil
}

// match compares an authenticated certificate with the policy.
func (p *PKI) match(c *certificate) *Error {
	if p.Email != "" && !slices.Contains(c.EmailAddresses, p.Email) {
		return fail(SignerMismatch, "the certificate is not for the email address "+quote(p.Email))
	}
	isHostname := func(name string) bool { return strings.EqualFold(name, p.Hostname) }
	if p.Hostname != "" && !slices.ContainsFunc(c.DNSNames, isHostname) {
		return fail(SignerMismatch, "the certificate is not for the host "+quote(p.Hostname))
	}
	return nil
}
