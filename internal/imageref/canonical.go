// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/distribution/reference"
)

const (
	dockerHub = "docker.io"
	// officialImages is the namespace of Docker Hub that its short names leave out.
	officialImages = "library/"

	// httpsPort is the default port. Nodes speak HTTPS unless they are configured otherwise.
	httpsPort = "443"
	// httpPort is the port of a registry that a node is configured to speak HTTP to.
	httpPort = "80"

	maxPort = 65535

	// maxHost is the longest host in bytes (RFC 1035 section 2.3.4). Without a bound, the domains of one host alone
	// could cost more than a policy may spend on a Pod.
	maxHost = 253
)

// dockerHubAliases are the other hosts of Docker Hub: the name that container tools have always
// taken for it, the one that they connect to, and the one of Docker's former documentation.
var dockerHubAliases = map[string]bool{
	"index.docker.io":         true,
	"registry-1.docker.io":    true,
	"registry.hub.docker.com": true,
}

// Canonical returns the one name under which policies and admission know an image, with the
// tag and digest of named: see "Canonical names" in the package comment. It is named itself
// when that is canonical already, and cannot fail for what ParseImage returned.
func Canonical(named reference.Named) (reference.Named, error) {
	host, path := reference.Domain(named), reference.Path(named)
	canonical, err := canonicalHost(host)
	if err != nil {
		return nil, err
	}
	rest := strings.TrimPrefix(named.String(), named.Name())
	if canonical == dockerHub && !strings.Contains(path, "/") {
		path = officialImages + path
	} else if canonical == host {
		return named, nil
	}
	return reference.ParseNormalizedNamed(canonical + "/" + path + rest)
}

// canonicalHost returns host[:port] in canonical form. The host must match hostPattern. The
// error completes a sentence about a reference.
func canonicalHost(host string) (string, error) {
	name, port, err := splitPort(host)
	if err != nil {
		return "", err
	}
	name = strings.ToLower(name)
	switch {
	case strings.HasPrefix(name, "["):
		if name, err = canonicalIPv6(name); err != nil {
			return "", err
		}
	case endsInNumber(name):
		if addr, err := netip.ParseAddr(name); err != nil || !addr.Is4() {
			return "", errors.New("its host ends in a number and is not an IPv4 address: write four decimal numbers without leading zeros")
		}
	case dockerHubAliases[name]:
		name = dockerHub
	}
	if len(name) > maxHost {
		return "", fmt.Errorf("its host is longer than %d characters", maxHost)
	}
	return joinPort(name, port), nil
}

// joinPort leaves out the default port, unless the host would be a path on Docker Hub without
// it. Docker Hub has no port but the default one; on port 80 it redirects.
func joinPort(name, port string) string {
	switch {
	case name == dockerHub && port == httpPort, port == httpsPort && isHost(name), port == "" && isHost(name):
		return name
	case port == "":
		return name + ":" + httpsPort // Upper case was what told it from a path.
	default:
		return name + ":" + port
	}
}

// splitPort returns the port without leading zeros, empty for none.
func splitPort(host string) (name, port string, err error) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.HasSuffix(host, "]") {
		return host, "", nil
	}
	n, err := strconv.ParseUint(host[i+1:], 10, 64)
	if err != nil || n == 0 || n > maxPort {
		return "", "", fmt.Errorf("its port is not between 1 and %d", maxPort)
	}
	return host[:i], strconv.FormatUint(n, 10), nil
}

// canonicalIPv6 returns an address in brackets as RFC 5952 writes it. An IPv4 address that is
// mapped into IPv6 (RFC 4291 section 2.5.5.2) is another spelling of the IPv4 address that
// nodes connect to.
func canonicalIPv6(host string) (string, error) {
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	switch {
	case err != nil || !addr.Is6() || addr.Zone() != "":
		return "", errors.New("its host is not an IPv6 address")
	case addr.Is4In6():
		return "", fmt.Errorf("its host is an IPv4 address in IPv6 form: write %s", addr.Unmap())
	default:
		return "[" + addr.String() + "]", nil
	}
}

// endsInNumber reports whether the last label of a host is a number, decimal or hexadecimal,
// which no top-level domain is (RFC 3696 section 2). Resolvers take such hosts for IPv4
// addresses, in spellings that no two of them agree about.
func endsInNumber(host string) bool {
	label := host[strings.LastIndexByte(host, '.')+1:]
	if hex, ok := strings.CutPrefix(label, "0x"); ok && strings.Trim(hex, "0123456789abcdef") == "" {
		return true
	}
	return strings.Trim(label, "0123456789") == ""
}

// onDefaultPort returns a canonical name with port 80 as the name of the same repository on
// the default port, and false for any other name.
func onDefaultPort(name string) (string, bool) {
	host, path, _ := strings.Cut(name, "/")
	if host, ok := strings.CutSuffix(host, ":"+httpPort); ok {
		return joinPort(host, httpsPort) + "/" + path, true
	}
	return "", false
}
