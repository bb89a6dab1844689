// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// transport sends a request when it is the host's turn, and learns from the answer.
type transport struct {
	network *Network
	access  Access
	base    http.RoundTripper
}

// RoundTrip implements http.RoundTripper. Redirects and requests for tokens come here as well.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	h := t.network.host(req.URL)
	if e := t.allowed(req); e != nil {
		t.refused(h, req, e)
		return nil, e
	}
	if err := h.acquire(req.Context(), t); err != nil {
		return nil, err
	}
	sent := t.network.clock().Now()
	response, err := t.base.RoundTrip(req)
	if err != nil {
		h.release()
		t.observe(0)
		return nil, t.failed(h, req, sent, err)
	}
	t.observe(response.StatusCode)
	asksForLess := h.answered(response)
	if asksForLess {
		t.network.hostChanged()
	}
	response.Body = &body{ReadCloser: response.Body, left: maxBody, host: h, transport: t, request: req, sent: sent, begun: !asksForLess}
	if req.URL.Scheme == "https" && strings.Contains(strings.ToLower(response.Header.Get("Www-Authenticate")), `realm="http:`) {
		_ = response.Body.Close()
		return nil, &Error{Code: HostNotAllowed, Host: h.name, Detail: "names a token service that would be contacted without TLS"}
	}
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		_ = response.Body.Close()
		return nil, &Error{Code: Malformed, Host: h.name, Detail: "sends an answer that is compressed, for which it was not asked"}
	}
	return response, nil
}

// failed records that a host did not answer, or did not end its answer, and returns the error of that.
func (t *transport) failed(h *host, req *http.Request, sent time.Time, err error) error {
	if errors.Is(err, context.Canceled) {
		return err // Who asked has given up; the host need not be at fault.
	}
	e := Describe(h.name, err)
	switch {
	case e.Code == HostNotAllowed:
		t.refused(h, req, e)
	case req.Context().Err() != nil && t.network.clock().Now().Sub(sent) < headerTimeout:
		// Other hosts have used up the time, and this one had too little.
	default:
		h.failed(e, t)
		t.network.hostChanged()
	}
	return e
}

var defaultPorts = map[string]string{"https": "443", "http": "80"}

// allowed checks what can be checked before the name of the host is resolved.
func (t *transport) allowed(req *http.Request) *Error {
	name := hostKey(req.URL)
	if req.URL.Scheme != "https" && (req.URL.Scheme != "http" || !t.access.Insecure) {
		return &Error{Code: HostNotAllowed, Host: name, Detail: "would be contacted without TLS"}
	}
	addr, err := netip.ParseAddr(req.URL.Hostname())
	if err != nil {
		return nil
	}
	port, err := strconv.ParseUint(cmp.Or(req.URL.Port(), defaultPorts[req.URL.Scheme]), 10, 16)
	if err != nil {
		return &Error{Code: HostNotAllowed, Host: name, Detail: "has a port that is none"}
	}
	rule := t.network.addressRule(req.Context())
	named := t.access.named(req.URL.Hostname(), strconv.FormatUint(port, 10))
	if err := rule.check(netip.AddrPortFrom(addr, uint16(port)), named); err != nil {
		return &Error{Code: HostNotAllowed, Host: name, Detail: err.Error()}
	}
	return nil
}

// refused records that a host must not be contacted, if it is one that an administrator named. Where
// a server leads to another host, the outcome is about that server's image.
func (t *transport) refused(h *host, req *http.Request, e *Error) {
	if t.access.named(req.URL.Hostname(), cmp.Or(req.URL.Port(), defaultPorts[req.URL.Scheme])) {
		h.refused(e)
	}
}

func (t *transport) observe(status int) {
	if t.network.Observe != nil {
		t.network.Observe(status)
	}
}

// CloseIdleConnections closes the connections that are not in use.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// body bounds an answer, and frees its turn at the end of it.
type body struct {
	io.ReadCloser
	left      int64
	host      *host
	transport *transport
	request   *http.Request
	sent      time.Time
	// begun is set while nothing is wrong with the answer.
	begun bool
	once  sync.Once
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, &Error{Code: TooLarge, Host: b.host.name, Detail: "sends an answer that is too large"}
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		b.begun = false
		err = b.transport.failed(b.host, b.request, b.sent, err)
	}
	return n, err
}

// Close implements io.Closer. What was read without an error until now is an answer.
func (b *body) Close() error {
	b.once.Do(func() {
		b.host.release()
		if b.begun && b.host.completed() {
			b.transport.network.hostChanged()
		}
	})
	return b.ReadCloser.Close()
}
