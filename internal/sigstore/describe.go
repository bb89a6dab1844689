// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"crypto/x509"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/assay-project/assay/internal/strictjson"
)

// maxListed is how many subjects and names are among the claims.
const maxListed = 4

// quote returns remote text for a message.
func quote(s string) string { return strictjson.Quote(s) }

// numbered returns the name of a claim of which there may be several: the first has no number.
func numbered(name string, i int) string {
	if i == 0 {
		return name
	}
	return name + "." + strconv.Itoa(i)
}

// issuedBy names the CA that issued a certificate.
func issuedBy(c *x509.Certificate) Entity {
	by := Entity{CommonName: escape(c.Issuer.CommonName, maxName)}
	if len(c.Issuer.Organization) > 0 {
		by.Organization = escape(c.Issuer.Organization[0], maxName)
	}
	return by
}

// claim adds what Fulcio certifies.
func (id *fulcioIdentity) claim(all *claims) {
	all.add("certificate.issuer", id.issuer)
	all.add("certificate.subject", id.subject)
	for _, name := range slices.Sorted(maps.Keys(id.extensions)) {
		all.add("certificate."+name, id.extensions[name])
	}
}

// claim adds what logs and timestamp authorities state.
func (e *evidence) claim(all *claims) {
	for i, entry := range e.entries {
		all.add(numbered("transparencyLog", i)+".logID", entry.LogID.String())
		if entry.Indexed() {
			all.add(numbered("transparencyLog", i)+".logIndex", strconv.FormatInt(entry.Index, 10))
		}
	}
	for i, t := range e.times {
		all.add(numbered("trustedTime", i), t.UTC().Format(time.RFC3339))
	}
}

// expired reports whether a chain was refused for the time alone.
func expired(err error) bool {
	var invalid x509.CertificateInvalidError
	return errors.As(err, &invalid) && invalid.Reason == x509.Expired
}

// validAt reports whether all certificates of a chain are valid at all times.
func validAt(chain []*x509.Certificate, times []time.Time) bool {
	for _, c := range chain {
		for _, t := range times {
			if t.Before(c.NotBefore) || t.After(c.NotAfter) {
				return false
			}
		}
	}
	return true
}

// validAt reports whether the roots trust the authority at all times.
func (ca *certificateAuthority) validAt(times []time.Time) bool {
	for _, t := range times {
		if !ca.valid.Contains(t) {
			return false
		}
	}
	return true
}

// chainEnd returns when the first certificate of a chain expires.
func chainEnd(chain []*x509.Certificate) time.Time {
	var end time.Time
	for _, c := range chain {
		end = earlier(end, c.NotAfter)
	}
	return end
}
