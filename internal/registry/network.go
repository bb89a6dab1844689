// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"

	// The operator's image has no files but the program. Where the system has no certificates, those
	// of Mozilla count, which go into the program here.
	_ "golang.org/x/crypto/x509roots/fallback"
	"k8s.io/utils/clock"
)

// maxHosts bounds how many hosts are remembered. Only a wildcard scope leads to so many.
const maxHosts = 4096

// Network is the way of this process to registries and stores. All clients share it, so that what
// one has learnt of a host counts for all.
type Network struct {
	// AllowedAddresses are contacted although they are of the local host or link, or private.
	AllowedAddresses []netip.Prefix
	// DeniedAddresses returns the addresses that are never contacted: those of the API servers. It is
	// called for each connection, at the same time for several; nil denies none.
	DeniedAddresses func(ctx context.Context) []netip.AddrPort
	// Lookup resolves a name; nil is the resolver of the system.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)
	// Proxy returns the proxy for a request; nil is that of the environment. Through a proxy, only
	// addresses that stand in a URL are checked: the proxy resolves the names.
	Proxy func(*http.Request) (*url.URL, error)
	// Clock returns the present time; nil is the real clock.
	Clock clock.PassiveClock
	// Observe is called with the status of each answer, 0 for none; nil observes nothing.
	Observe func(status int)
	// HostChanged is called when a host begins to fail, to rest or to answer again, or rests for
	// longer; nil is not called. It must not wait.
	HostChanged func()

	mu      sync.Mutex
	hosts   map[string]*host
	proxies map[string]struct{}
}

// Access is what a client may do beside contacting public addresses by https.
type Access struct {
	// NamedHosts are those that an administrator named, host or host:port: they may have private
	// addresses.
	NamedHosts []string
	// AnyHost lets every host have a private address: for commands that a person runs.
	AnyHost bool
	// CertificateAuthorities are trusted; nil is those of the system.
	CertificateAuthorities *x509.CertPool
	// Insecure allows http.
	Insecure bool
	// RequestsPerSecond to each host; 0 is 10.
	RequestsPerSecond int
}

// HTTPClient returns a client with the bounds of this package, for lookaside stores.
func (n *Network) HTTPClient(access Access) *http.Client {
	return &http.Client{Transport: n.transport(access), CheckRedirect: checkRedirect, Timeout: requestTimeout}
}

// checkRedirect bounds redirects, and keeps them from leaving https.
func checkRedirect(to *http.Request, via []*http.Request) error {
	name := hostKey(via[0].URL)
	switch {
	case len(via) > maxRedirects:
		return &Error{Code: Malformed, Host: name, Detail: "redirects too often"}
	case to.URL.Scheme != "https" && via[len(via)-1].URL.Scheme == "https":
		return &Error{Code: HostNotAllowed, Host: name, Detail: "redirects from https to " + schemeName(to.URL.Scheme)}
	case to.URL.User != nil:
		return &Error{Code: Malformed, Host: name, Detail: "redirects to a URL with a user"}
	default:
		return nil
	}
}

func schemeName(scheme string) string {
	if scheme == "http" {
		return scheme
	}
	return "another scheme"
}

// Outcome returns what came of the last request to a host, host or host:port.
func (n *Network) Outcome(name string) Outcome {
	n.mu.Lock()
	h := n.hosts[CanonicalHost(name)]
	n.mu.Unlock()
	if h == nil {
		return Outcome{}
	}
	return h.outcome()
}

// Resting returns how many hosts rest.
func (n *Network) Resting() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	resting := 0
	for _, h := range n.hosts {
		if h.resting() {
			resting++
		}
	}
	return resting
}

// Troubled returns the hosts that rest or that failed at the last request, by name.
func (n *Network) Troubled() []HostState {
	n.mu.Lock()
	defer n.mu.Unlock()
	var states []HostState
	for _, h := range n.hosts {
		if s, ok := h.state(); ok {
			states = append(states, s)
		}
	}
	slices.SortFunc(states, func(a, b HostState) int { return strings.Compare(a.Host, b.Host) })
	return states
}

func (n *Network) hostChanged() {
	if n.HostChanged != nil {
		n.HostChanged()
	}
}

// host returns the state of a host. When too many are known, those at rest with nothing to
// remember are forgotten.
func (n *Network) host(u *url.URL) *host {
	key := hostKey(u)
	n.mu.Lock()
	defer n.mu.Unlock()
	if h, ok := n.hosts[key]; ok {
		return h
	}
	if n.hosts == nil {
		n.hosts = map[string]*host{}
	}
	if len(n.hosts) >= maxHosts {
		for name, h := range n.hosts {
			if len(h.slots) == 0 && !h.resting() {
				delete(n.hosts, name)
			}
		}
	}
	h := newHost(key, n.clock())
	n.hosts[key] = h
	return h
}

func (n *Network) clock() clock.PassiveClock {
	if n.Clock == nil {
		return clock.RealClock{}
	}
	return n.Clock
}

// hostKey is the host of a URL, without the port if it is the default one of https.
func hostKey(u *url.URL) string { return CanonicalHost(u.Host) }

// CanonicalHost returns host or host:port as errors have it.
func CanonicalHost(name string) string { return strings.TrimSuffix(strings.ToLower(name), ":443") }

// transport returns a transport that checks addresses, and asks each host for its turn.
func (n *Network) transport(access Access) http.RoundTripper {
	if access.RequestsPerSecond <= 0 {
		access.RequestsPerSecond = defaultRate
	}
	return &transport{network: n, access: access, base: &http.Transport{
		Proxy: n.proxy,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return n.dial(ctx, access, network, address)
		},
		TLSClientConfig:        &tls.Config{RootCAs: access.CertificateAuthorities, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    handshakeTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    requestsAtATime,
		MaxConnsPerHost:        2 * requestsAtATime,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}}
}

// proxy returns the proxy for a request, and remembers it: proxies may have private addresses.
func (n *Network) proxy(req *http.Request) (*url.URL, error) {
	find := n.Proxy
	if find == nil {
		find = http.ProxyFromEnvironment
	}
	u, err := find(req)
	if u != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.proxies == nil {
			n.proxies = map[string]struct{}{}
		}
		n.proxies[u.Hostname()] = struct{}{}
	}
	return u, err
}

// dial makes a connection to one of the addresses of a host that may be contacted.
func (n *Network) dial(ctx context.Context, access Access, network, address string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	_, isProxy := n.proxies[name]
	n.mu.Unlock()
	rule := n.addressRule(ctx)
	named := access.named(name, port)
	dialer := &net.Dialer{Timeout: dialTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		if isProxy {
			return nil
		}
		addr, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if err := rule.check(addr, named); err != nil {
			return &Error{Code: HostNotAllowed, Host: CanonicalHost(net.JoinHostPort(name, port)), Detail: err.Error()}
		}
		return nil
	}}
	if n.Lookup == nil || isAddress(name) {
		return dialer.DialContext(ctx, network, address)
	}
	addrs, err := n.Lookup(ctx, name)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, addr := range addrs {
		conn, err := dialer.DialContext(ctx, network, net.JoinHostPort(addr.String(), port))
		if err == nil {
			return conn, nil
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}

// addressRule returns which addresses may be contacted now.
func (n *Network) addressRule(ctx context.Context) addressRule {
	rule := addressRule{allowed: n.AllowedAddresses}
	if n.DeniedAddresses != nil {
		rule.denied = n.DeniedAddresses(ctx)
	}
	return rule
}

func isAddress(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}

// named reports whether an administrator named a host, with this port or without any.
func (a *Access) named(name, port string) bool {
	return a.AnyHost || slices.ContainsFunc(a.NamedHosts, func(host string) bool {
		return strings.EqualFold(strings.Trim(host, "[]"), name) || strings.EqualFold(host, net.JoinHostPort(name, port))
	})
}
