// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/assay-project/assay/internal/safetext"
)

// Code is a kind of failure.
type Code int

const (
	// Unavailable: the host cannot be reached, or answers with an error.
	Unavailable Code = iota
	// NotFound: the host has nothing of that name.
	NotFound
	// Unauthorized: a credential is missing, or refused.
	Unauthorized
	// RateLimited: the host asks for fewer requests.
	RateLimited
	// TLSError: the certificate is not accepted, or the server does not speak TLS.
	TLSError
	// HostNotAllowed: the host must not be contacted, or has an address that is not.
	HostNotAllowed
	// TooLarge: the answer is larger than its bound.
	TooLarge
	// Malformed: the answer is not what was asked for. Its digest may be another.
	Malformed
)

// Error is why something could not be fetched. Its text is bounded and has nothing that a server
// sent but numbers and host names.
type Error struct {
	Code Code
	// Host that was asked, host or host:port.
	Host string
	// Detail is one clause about it.
	Detail string
	// Wait is how long the host rests; zero when it does not.
	Wait time.Duration
}

// Error returns the host and the detail.
func (e *Error) Error() string {
	if e.Host == "" {
		return e.Detail
	}
	return e.Host + " " + e.Detail
}

// RetryAfter is how long the host rests; zero when it does not, or for an unknown time.
func (e *Error) RetryAfter() time.Duration { return e.Wait }

// codeOf returns the code of an error, Unavailable for an unknown one.
func codeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Unavailable
}

// StatusError is the error of an answer with a status that is not expected, for stores that are no
// registries.
func StatusError(response *http.Response) *Error {
	return fromStatus(hostKey(response.Request.URL), response.StatusCode)
}

// fromStatus is the error of an answer with a status that is not expected.
func fromStatus(host string, status int) *Error {
	e := &Error{Host: host, Detail: fmt.Sprintf("answered with status %d", status)}
	switch status {
	case http.StatusNotFound, http.StatusGone:
		e.Code = NotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		e.Code = Unauthorized
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		e.Code = RateLimited
	}
	return e
}

// Describe returns err as an *Error about host. Text of the server is left out.
func Describe(host string, err error) *Error {
	var known *Error
	var response *errcode.ErrorResponse
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var refusal *net.OpError
	var timeout net.Error
	var dns *net.DNSError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &response):
		if response.URL != nil && response.URL.Host != "" {
			host = safetext.Escape(response.URL.Host, maxHost)
		}
		return fromStatus(host, response.StatusCode)
	case errors.As(err, &certificate):
		return &Error{Code: TLSError, Host: host, Detail: "has a certificate that is not accepted: " + certificateProblem(certificate.Err)}
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &refusal) && isAlert(refusal):
		return &Error{Code: TLSError, Host: host, Detail: "does not answer by TLS as it should"}
	case errors.As(err, &dns):
		return &Error{Host: host, Detail: "has a name that cannot be resolved"}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return &Error{Host: host, Detail: "did not answer in time"}
	default:
		return &Error{Host: host, Detail: "cannot be reached, or broke off its answer"}
	}
}

// isAlert reports whether an error is an alert of TLS, for example because both sides have no version
// in common. Package crypto/tls has no type for those of connections by TCP.
func isAlert(err *net.OpError) bool { return err.Op == "remote error" || err.Op == "local error" }

// certificateProblem says what is wrong with a certificate, without text from it.
func certificateProblem(err error) string {
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired, or is not valid yet"
	case errors.As(err, &authority):
		return "it is signed by an unknown authority"
	case errors.As(err, &hostname):
		return "it is for another host"
	default:
		return "it is not valid"
	}
}

// maxHost bounds the name of a host in a message, in bytes.
const maxHost = 300
