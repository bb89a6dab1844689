// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"strings"
)

// generator makes up names from few parts, so that they often meet.
type generator struct{ *rand.Rand }

func (g generator) pick(from ...string) string { return from[g.IntN(len(from))] }

// oneIn reports true once in so many times.
func (g generator) oneIn(n int) bool { return g.IntN(n) == 0 }

// host returns a host[:port] and a slash, or nothing. Many are one host in different spellings.
func (g generator) host() string {
	host := g.pick("", "", "docker.io", "index.docker.io", "localhost", "a.example.com", "a.example.com", "b.a.example.com", "example.com",
		"10.0.0.1", "10.0.0.2", "[2001:db8::1]", "registry")
	port := g.pick("", "", "", "", ":80", ":5000", ":8443")
	if g.oneIn(3) {
		host = g.pick("A.Example.com", "INDEX.docker.io", "Docker.io", "registry-1.docker.io", "registry.hub.docker.com", "LocalHost", "REGISTRY",
			"[2001:DB8::1]", "[2001:db8:0::1]", "[2001:db8:0:0:0:0:0:1]", "[2001:0db8::1]", "[::1]", "[::]", "index.docker.io.", "sha256")
	}
	if g.oneIn(4) {
		port = g.pick(":443", ":443", ":0443", ":080", ":05000", ":000000000000000000000005000", ":65535")
	}
	if g.oneIn(12) {
		host = g.pick(strings.Repeat("h.", 127-6)+"example.com", strings.Repeat("h.", 400)+"example.com", "a.example.com.", "a..example.com", "-a.example.com", "a_b.example.com", "a\u3002example.com", "a%2eexample.com", "10.0.0.01", "10.1",
			"0x0a.0.0.1", "10.0.0.0x1", "167772161", "256.0.0.1", "[::ffff:a00:1]", "[::ffff:10.0.0.1]", "[fe80::1%eth0]", "[fe80::1%25eth0]", "[1234]",
			"[::1", "::1]", "[]", "user@a.example.com", "https://a.example.com", " a.example.com", "\u00e9.example.com", "a.example.com\n")
	}
	if g.oneIn(16) {
		port = g.pick(":0", ":65536", ":99999", ":100000", ":18446744073709551617", ":", ":a", ":-1", ":+1", ":5000:5000", ":5000:443", ":４４３")
	}
	if host == "" || host == "registry" && port == "" {
		return ""
	}
	return host + port + "/"
}

func (g generator) path() string {
	parts := []string{g.pick("app", "team", "library", "busybox")}
	for g.IntN(2) == 0 && len(parts) < 6 {
		parts = append(parts, g.pick("app", "team", "web", "a-b", "x__y", "v1.2"))
	}
	if g.oneIn(20) {
		parts = append(parts, g.pick("App", "", "..", ".", "-a", "a_", "a___b", "a..b", "\u00e9", "a b", "a%20b", "443", strings.Repeat("a", 240),
			strings.Repeat("b", 255), strings.Repeat("c", 1100)))
	}
	return strings.Join(parts, "/")
}

func (g generator) digest() string {
	sum := sha256.Sum256([]byte{byte(g.IntN(12))})
	return "sha256:" + hex.EncodeToString(sum[:])
}

// tag returns a tag with its colon, or something that looks like one.
func (g generator) tag() string {
	if g.oneIn(6) {
		return g.pick(":", "::v1", ":v1:v2", ":-v1", ":.v1", ":v 1", ":v1\n", ":\u00e9", ":v1/", ":"+strings.Repeat("a", 128), ":"+strings.Repeat("a", 129))
	}
	return g.pick(":v1", ":latest", ":V2.0_x", ":443", ":5000")
}

// suffix returns a digest behind an at sign, or something that looks like one.
func (g generator) suffix() string {
	switch {
	case g.oneIn(5):
		return ""
	case g.oneIn(8):
		return "@" + g.pick("sha512:"+strings.Repeat("0123456789abcdef", 8), "sha384:"+strings.Repeat("0123456789abcdef", 6),
			"sha256:"+strings.Repeat("0123456789abcdef", 8), strings.ToUpper(g.digest()), "sha256:"+strings.ToUpper(g.digest()[7:]), g.digest()[:70],
			g.digest()+"0", g.digest()+"@"+g.digest(), "@"+g.digest(), "", "sha256:", "md5:"+g.digest()[7:39], g.digest()[7:], g.digest()+"\n",
			g.digest()+":v1", "sha256:"+strings.Repeat("g", 64))
	default:
		return "@" + g.digest()
	}
}

// image returns a reference or what somebody could try instead of one.
func (g generator) image() string {
	if g.oneIn(25) {
		return g.pick(g.digest(), g.digest()[7:], g.digest()[:7+g.IntN(20)], "sha512:0123", g.digest()+"@"+g.digest(), g.digest()[7:]+g.suffix(), "sha256"+g.suffix(),
			"localhost"+g.suffix(), "docker.io"+g.tag(), "registry:443", "/app", "@"+g.digest(), ":v1", "a.example.com/", "\n")
	}
	image := g.host() + g.path()
	if g.oneIn(3) {
		image += g.tag()
	}
	image += g.suffix()
	if g.oneIn(30) { // one character is another
		i := g.IntN(len(image))
		image = image[:i] + g.pick("", ":", "/", "@", ".", "A", "0", "[", "]", "%", "\t", "_", "\u200b") + image[i+1:]
	}
	return strings.ToValidUTF8(image, "")
}
