// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref_test

import (
	"strings"
	"testing"

	"github.com/assay-project/assay/internal/imageref"
)

// longHost is as long as a host can be.
var longHost = strings.Repeat("a", 250) + ".io"

func TestCanonical(t *testing.T) {
	tests := map[string]string{
		"busybox":                                    "docker.io/library/busybox",
		"team/app:v1":                                "docker.io/team/app:v1",
		"docker.io/busybox@" + digestA:               "docker.io/library/busybox@" + digestA,
		"Docker.io/busybox@" + digestA:               "docker.io/library/busybox@" + digestA,
		"INDEX.docker.io/library/busybox:v1":         "docker.io/library/busybox:v1",
		"registry-1.docker.io/library/busybox:v1":    "docker.io/library/busybox:v1",
		"registry.hub.docker.com/team/app":           "docker.io/team/app",
		"registry.hub.docker.com:443/app":            "docker.io/library/app",
		"docker.io:80/app":                           "docker.io/library/app",
		"docker.io:5000/app":                         "docker.io:5000/app",
		"index.docker.io:5000/app":                   "docker.io:5000/app",
		"registry.example.com/shop/app:V1":           "registry.example.com/shop/app:V1",
		"REGISTRY.example.com:05000/shop/app:V1":     "registry.example.com:5000/shop/app:V1",
		"registry.example.com:0443/shop/app":         "registry.example.com/shop/app",
		"registry.example.com:443/app:v1@" + digestA: "registry.example.com/app:v1@" + digestA,
		"registry.example.com:80/app":                "registry.example.com:80/app",
		"registry.example.com:00000000065535/app":    "registry.example.com:65535/app",
		"registry:443/app":                           "registry:443/app",
		"REGISTRY/app":                               "registry:443/app",
		"LOCALHOST/app":                              "localhost/app",
		"localhost:443/app":                          "localhost/app",
		"10.0.0.1:443/app":                           "10.0.0.1/app",
		"[2001:DB8:0:0::1]:0443/app":                 "[2001:db8::1]/app",
		"[1:0:0:2:0:0:0:3]:5000/app":                 "[1:0:0:2::3]:5000/app",
		"[::]/app":                                   "[::]/app",
		"sha256:5000/app":                            "sha256:5000/app",
		longHost + ":65535/app":                      longHost + ":65535/app",
	}
	for in, want := range tests {
		t.Run(in, func(t *testing.T) {
			got, err := imageref.Canonical(mustParse(t, in))
			if err != nil || got.String() != want {
				t.Errorf("Canonical(%q) = %v, %v, want %s", in, got, err, want)
			}
		})
	}
}

// TestNoCanonicalForm checks that what nodes could read in several ways is not an image reference.
func TestNoCanonicalForm(t *testing.T) {
	const notIPv4 = "its host ends in a number and is not an IPv4 address"
	tests := map[string]string{
		"a.io:0/b":                              "its port is not between 1 and 65535",
		"a.io:65536/b":                          "its port is not between 1 and 65535",
		"a.io:18446744073709551617/b":           "its port is not between 1 and 65535",
		"[::1::]/b":                             "its host is not an IPv6 address",
		"[1234]:5000/b":                         "its host is not an IPv6 address",
		"[fe80::1%25eth0]/b":                    "want [host[:port]/]path[:tag][@digest]",
		"[::ffff:a00:1]/b":                      "write 10.0.0.1",
		"010.0.0.1/b":                           notIPv4,
		"10.1/b":                                notIPv4,
		"256.0.0.1/b":                           notIPv4,
		"0x7f.0.0.1/b":                          notIPv4,
		"127.0.0.0x1/b":                         notIPv4,
		"0X7F000001:5000/b":                     notIPv4,
		"2130706433:5000/b":                     notIPv4,
		"a.io./b":                               "want [host[:port]/]path[:tag][@digest]",
		"a\u3002io/b":                           "want [host[:port]/]path[:tag][@digest]",
		"a%2eio/b":                              "want [host[:port]/]path[:tag][@digest]",
		"my_host.example.com/b":                 "host names have no underscore",
		"a" + longHost + "/b":                   "its host is longer than 253 characters",
		"sha256:" + digestA[7:]:                 "is the ID of an image, not a name",
		"sha256:ab":                             "is the ID of an image, not a name",
		"sha512:ab@" + digestA:                  "is the ID of an image, not a name",
		digestA[7:]:                             "is the ID of an image, not a name",
		"a.io/b:":                               "want [host[:port]/]path[:tag][@digest]",
		"a.io/b@" + digestA + "@" + digestA:     "the digest is not sha256, sha384 or sha512",
		"Docker.io/" + strings.Repeat("a", 250): "the path is longer than 255 characters",
	}
	for in, want := range tests {
		t.Run(in, func(t *testing.T) {
			if got, err := imageref.ParseImage(in); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("ParseImage(%q) = %v, %v, want an error with %q", in, got, err, want)
			}
		})
	}
}

// TestCanonicalScope reads scopes that the API accepted when a name had several spellings.
func TestCanonicalScope(t *testing.T) {
	tests := map[string]string{
		"a.io:443/b":           "a.io/b",
		"*.a.io:0443":          "*.a.io",
		"[2001:db8:0::1]:5000": "[2001:db8::1]:5000",
		"busybox":              "docker.io/library/busybox",
		"a.io:0":               "",
		"*.0.0.1":              "",
	}
	for in, want := range tests {
		t.Run(in, func(t *testing.T) {
			if got, err := imageref.CanonicalScope(in); got.String() != want || (err == nil) != (want != "") {
				t.Errorf("CanonicalScope(%q) = %q, %v, want %q", in, got, err, want)
			}
		})
	}
}
