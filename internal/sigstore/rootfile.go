// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/rfc3161"
	"github.com/assay-project/assay/internal/strictjson"
	"github.com/assay-project/assay/internal/tlog"
)

// rootMediaTypes are the media types of trusted roots (sigstore_trustroot.proto).
var rootMediaTypes = []string{
	"application/vnd.dev.sigstore.trustedroot+json;version=0.1",
	"application/vnd.dev.sigstore.trustedroot.v0.2+json",
}

var rootLimits = strictjson.Limits{Size: MaxRoot, Depth: 12, Members: 64}

// errUnsupported is why an entry of a trusted root is passed over.
var errUnsupported = errors.New("not supported")

// rootReader reads a trusted root.
type rootReader struct {
	*strictjson.Decoder
	roots     *Roots
	mediaType string
}

// ParseTrustedRoot reads a trusted_root.json. Members that it does not know are passed over, and
// so are logs with keys that are not supported; an entry that is malformed is an error.
func ParseTrustedRoot(document []byte) (*Roots, error) {
	r := &rootReader{roots: &Roots{complete: true}}
	err := strictjson.Parse(document, rootLimits, func(d *strictjson.Decoder) error {
		r.Decoder = d
		return d.Some(strictjson.Fields{
			"mediaType":              stringInto(d, &r.mediaType),
			"tlogs":                  r.list("tlogs", tlog.MaxLogs, func() error { return r.log(&r.roots.logs) }),
			"ctlogs":                 r.list("ctlogs", tlog.MaxLogs, func() error { return r.log(&r.roots.ctLogs) }),
			"certificateAuthorities": r.list("certificateAuthorities", maxAuthorities, r.certificateAuthority),
			"timestampAuthorities":   r.list("timestampAuthorities", maxAuthorities, r.timestampAuthority),
		})
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("trusted root: %w", err)
	case !slices.Contains(rootMediaTypes, r.mediaType):
		return nil, errors.New("trusted root: the media type is not that of a trusted root of version 0.1 or 0.2")
	}
	return r.roots, nil
}

// list returns what reads a list, passing over entries that are not supported.
func (r *rootReader) list(name string, limit int, read func() error) func() error {
	return func() error {
		i := -1
		return r.Elements(limit, func() error {
			i++
			place := fmt.Sprintf("%s[%d]", name, i)
			err := read()
			switch {
			case errors.Is(err, errUnsupported):
				r.roots.skipped = append(r.roots.skipped, place)
				return nil
			case err != nil:
				return fmt.Errorf("%s: %w", place, err)
			}
			return nil
		})
	}
}

// log reads a TransparencyLogInstance.
func (r *rootReader) log(to *[]*tlog.Log) error {
	var algorithm, details string
	var id, raw []byte
	var valid *tlog.Period
	err := r.Some(strictjson.Fields{
		"hashAlgorithm": stringInto(r.Decoder, &algorithm),
		"logId":         func() error { return r.Some(strictjson.Fields{"keyId": base64Into(r.Decoder, &id)}) },
		"publicKey": func() error {
			return r.Some(strictjson.Fields{
				"rawBytes":   base64Into(r.Decoder, &raw),
				"keyDetails": stringInto(r.Decoder, &details),
				"validFor":   r.period(&valid),
			})
		},
	})
	if err != nil {
		return err
	}
	if valid == nil || valid.Start.IsZero() {
		return errors.New("the key has no start of validity")
	}
	logID, err := tlog.ParseID(id)
	if err != nil {
		return err
	}
	if algorithm != "SHA2_256" {
		return errUnsupported
	}
	key, err := parseLogKey(details, raw)
	if err != nil {
		return err
	}
	*to = append(*to, &tlog.Log{ID: logID, Key: key, Valid: *valid})
	return nil
}

// parseLogKey reads the key of a log. The details say no more than how it is encoded and whether
// its algorithm is supported.
func parseLogKey(details string, raw []byte) (*pubkey.Key, error) {
	switch {
	case strings.HasPrefix(details, "PKIX_ECDSA_"), strings.HasPrefix(details, "PKIX_RSA_PKCS1V15_"),
		details == "PKIX_ED25519":
		key, err := pubkey.Parse(raw)
		if errors.Is(err, pubkey.ErrWeak) {
			return nil, errUnsupported
		}
		return key, err
	case details == "PKCS1_RSA_PKCS1V5":
		key, err := pubkey.ParsePKCS1(raw)
		if errors.Is(err, pubkey.ErrWeak) {
			return nil, errUnsupported
		}
		return key, err
	default:
		return nil, errUnsupported
	}
}

// certificateAuthority reads a CertificateAuthority that issues certificates for signing.
func (r *rootReader) certificateAuthority() error {
	chain, valid, err := r.authority(parseCA)
	if err != nil {
		return err
	}
	last := len(chain) - 1
	r.roots.cas = append(r.roots.cas, newCertificateAuthority(chain[last:], chain[:last], valid))
	return nil
}

// timestampAuthority reads a CertificateAuthority that issues timestamps.
func (r *rootReader) timestampAuthority() error {
	chain, valid, err := r.authority(parseTrusted)
	if err != nil {
		return err
	}
	a, err := rfc3161.NewAuthority(chain)
	if err != nil {
		return err
	}
	r.roots.tsas = append(r.roots.tsas, &timestampAuthority{authority: a, valid: valid})
	return nil
}

// authority reads a CertificateAuthority: a chain with its root last, and its validity.
func (r *rootReader) authority(parse func([]byte) (*x509.Certificate, error)) ([]*x509.Certificate, tlog.Period, error) {
	var chain []*x509.Certificate
	var valid *tlog.Period
	supported := true
	certificate := func() error {
		var der []byte
		if err := r.Some(strictjson.Fields{"rawBytes": base64Into(r.Decoder, &der)}); err != nil {
			return err
		}
		c, err := parse(der)
		if errors.Is(err, pubkey.ErrWeak) {
			supported = false
			return nil
		}
		chain = append(chain, c)
		return err
	}
	err := r.Some(strictjson.Fields{
		"certChain": func() error {
			return r.Some(strictjson.Fields{"certificates": func() error { return r.Elements(maxChain, certificate) }})
		},
		"validFor": r.period(&valid),
	})
	switch {
	case err != nil:
		return nil, tlog.Period{}, err
	case !supported:
		return nil, tlog.Period{}, errUnsupported
	case len(chain) == 0:
		return nil, tlog.Period{}, errors.New("there is no certificate")
	case valid == nil || valid.Start.IsZero():
		return nil, tlog.Period{}, errors.New("there is no start of validity")
	}
	return chain, *valid, nil
}

// period returns what reads a TimeRange.
func (r *rootReader) period(to **tlog.Period) func() error {
	return func() error {
		p := &tlog.Period{}
		*to = p
		return r.Some(strictjson.Fields{"start": r.time(&p.Start), "end": r.time(&p.End)})
	}
}

// time returns what reads a time.
func (r *rootReader) time(to *time.Time) func() error {
	return func() error {
		text, err := r.String()
		if err != nil {
			return err
		}
		if *to, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return errors.New("a time is not that of RFC 3339")
		}
		return nil
	}
}
