// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"oras.land/oras-go/v2/registry/remote/auth"
)

var (
	// forbidden are addresses that no image and no administrator makes Assay contact: the host
	// itself, its links, the metadata services of clouds, and what is no address of one host.
	forbidden = append(auth.DefaultBlockedRealmPrefixes(),
		netip.MustParsePrefix("192.0.0.0/24"), // RFC 6890; a metadata service is among them
		netip.MustParsePrefix("224.0.0.0/4"),
		netip.MustParsePrefix("240.0.0.0/4"),
		netip.MustParsePrefix("ff00::/8"),
	)
	// private are addresses that belong to somebody's own network (RFC 1918, 4193, 6598, 3879).
	private = append(auth.PrivateRealmPrefixes(), netip.MustParsePrefix("fec0::/10"))

	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	nat64Wide = netip.MustParsePrefix("64:ff9b:1::/48")
	sixToFour = netip.MustParsePrefix("2002::/16")
)

// Why an address is not contacted, as a clause about its host.
var (
	errAPIServer        = errors.New("has the address of the API server")
	errForbiddenAddress = errors.New("has an address of the local host or link, or of a metadata service")
	errPrivateAddress   = errors.New("has a private address, and no administrator has named the host")
)

// addressRule defines which addresses are contacted.
type addressRule struct {
	// allowed are contacted whatever else is said: for tests, and for registries on the host
	// itself while developing.
	allowed []netip.Prefix
	// denied are never contacted: the API servers.
	denied []netip.AddrPort
}

// check returns an error if an address must not be contacted. named means that an
// administrator has named the host.
func (r *addressRule) check(to netip.AddrPort, named bool) error {
	addr := embedded(to.Addr())
	within := func(prefix netip.Prefix) bool { return prefix.Contains(addr) }
	same := func(denied netip.AddrPort) bool { return denied.Port() == to.Port() && embedded(denied.Addr()) == addr }
	switch {
	case slices.ContainsFunc(r.denied, same):
		return errAPIServer
	case slices.ContainsFunc(r.allowed, within):
		return nil
	case slices.ContainsFunc(forbidden, within):
		return errForbiddenAddress
	case !named && slices.ContainsFunc(private, within):
		return errPrivateAddress
	default:
		return nil
	}
}

// AddressesOf returns the addresses of the server at a URL, or host:port, for DeniedAddresses. A
// name that cannot be resolved has none.
func AddressesOf(ctx context.Context, server string) []netip.AddrPort {
	if !strings.Contains(server, "://") {
		server = "https://" + server
	}
	u, err := url.Parse(server)
	if err != nil {
		return nil
	}
	port, err := strconv.ParseUint(cmp.Or(u.Port(), defaultPorts[u.Scheme]), 10, 16)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil
	}
	addresses := make([]netip.AddrPort, len(found))
	for i, addr := range found {
		addresses[i] = netip.AddrPortFrom(embedded(addr), uint16(port))
	}
	return addresses
}

// embedded returns the IPv4 address that an IPv6 address stands for, if it does: mapped ones (RFC
// 4291), those of NAT64 (RFC 6052, 8215) and of 6to4 (RFC 3056).
func embedded(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if !addr.Is6() {
		return addr
	}
	b := addr.As16()
	switch {
	case nat64.Contains(addr), nat64Wide.Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case sixToFour.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6]))
	default:
		return addr
	}
}
