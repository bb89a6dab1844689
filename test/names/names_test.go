// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package names compares the canonical names of package imageref with what nodes make of the
// same text: the grammar that the kubelet checks, and containerd's own code for where to pull.
package names

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/remotes/docker/config"
	containerd "github.com/containerd/containerd/v2/pkg/reference"
	"github.com/containerd/log"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/go-digest/digestset"

	"github.com/assay-project/assay/internal/imageref"
)

// cases is how many texts are made up.
const cases = 200_000

// ids are images that a node has.
var ids = []digest.Digest{digest.FromString("first"), digest.FromString("second"), digest.FromString("third")}

type generator struct{ *rand.Rand }

func (g generator) pick(from ...string) string { return from[g.IntN(len(from))] }

// image returns a text whose parts are few, so that many name one image.
func (g generator) image() string {
	if g.IntN(20) == 0 {
		return g.id()
	}
	host := g.pick("", "docker.io", "Docker.io", "index.docker.io", "INDEX.docker.io", "registry-1.docker.io", "a.io", "A.io", "a.IO", "registry", "REGISTRY", "localhost", "LocalHost",
		"10.0.0.1", "10.0.0.01", "[::ffff:a00:1]", "[::FFFF:A00:1]", "[2001:db8::1]", "[2001:DB8::1]", "[2001:db8:0::1]", "[2001:db8:0:0:0:0:0:1]", "[::1]", "a_b.io", "a.io.", "sha256",
		"a\u3002io", "a%2eio", "[fe80::1%25eth0]")
	if host != "" {
		host += g.pick("", "", ":443", ":0443", ":80", ":080", ":5000", ":05000", ":0", ":65536", ":65979", ":4294967739", ":") + "/"
	}
	image := host + g.pick("app", "app", "library/app", "team/app", "team/library/app", "App", "a_b/app", "library", "localhost", "a.io", "sha256")
	image += g.pick("", "", ":v1", ":V1", ":443", ":", ":v1:v1", ":"+strings.Repeat("a", 128), ":"+strings.Repeat("a", 129))
	d := digest.FromString("app")
	image += g.pick("", "@"+d.String(), "@"+d.String(), "@"+d.String()+"@"+d.String(), "@"+strings.ToUpper(d.String()), "@sha512:"+strings.Repeat("0", 128), "@sha256:00", "@")
	if g.IntN(10) == 0 {
		i := g.IntN(len(image))
		image = image[:i] + g.pick("", ":", "/", "@", ".", "A", "0", "[", "]", "%", "?", "#", "\\", " ", "_", "//") + image[i+1:]
	}
	return image
}

// id returns an image ID, whole or cut short, or something like one.
func (g generator) id() string {
	id := ids[g.IntN(len(ids))]
	return g.pick("sha256:", "sha256:", "", "SHA256:", "sha512:", "sha256@", "library/sha256:") + id.Encoded()[:1+g.IntN(64)] + g.pick("", "", ":v1", "@"+id.String())
}

// server is where containerd with its default configuration pulls an image from: the host and port of the registry in a
// form of their own, and the path of the repository. It is empty for what is pulled from nowhere.
func server(t *testing.T, image string) string {
	t.Helper()
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return "" // as the kubelet and containerd's CRI plugin see it
	}
	spec, err := containerd.Parse(named.String())
	if err != nil {
		return ""
	}
	hosts, err := config.ConfigureHosts(t.Context(), config.HostOptions{})(spec.Hostname())
	if err != nil || len(hosts) != 1 {
		return ""
	}
	host, port, err := net.SplitHostPort(hosts[0].Host)
	if err != nil {
		host, port = strings.Trim(hosts[0].Host, "[]"), map[string]string{"https": "443", "http": "80"}[hosts[0].Scheme]
	}
	number, err := net.LookupPort("tcp", port) // as net.Dial does
	if err != nil {
		return ""
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.Unmap().String()
	}
	return fmt.Sprintf("%s:%d%s%s", strings.ToLower(host), number, hosts[0].Path, strings.TrimPrefix(spec.Locator, spec.Hostname()))
}

// runsByID reports whether containerd takes a text for the ID of an image that it has. Its CRI plugin tries an ID first,
// then the name of an image that it has, of which there is none here, and then an ID that may be cut short.
func runsByID(t *testing.T, image string) bool {
	t.Helper()
	set := digestset.NewSet()
	for _, id := range ids {
		if err := set.Add(id); err != nil {
			t.Fatal(err)
		}
	}
	if named, err := reference.ParseNormalizedNamed(image); err == nil && reference.IsNameOnly(named) {
		image += ":latest" // as the kubelet does
	}
	_, err := set.Lookup(image)
	return err == nil
}

// TestNodes checks of made-up texts that those which a node pulls from one repository have one canonical name, and that
// nothing which a node takes for an ID is a name.
func TestNodes(t *testing.T) {
	if err := log.SetLevel("error"); err != nil {
		t.Fatal(err)
	}
	g := generator{rand.New(rand.NewPCG(7, 8))}
	names := map[string]string{}    // of the server and repository
	examples := map[string]string{} // for the message
	same, refused, byID := 0, 0, 0
	for range cases {
		image := g.image()
		named, err := imageref.ParseImage(image)
		if runsByID(t, image) {
			byID++
			if err == nil {
				t.Errorf("%q is a name, and containerd runs an image with that ID", image)
			}
		}
		if err != nil {
			refused++
			continue
		}
		checkGrammar(t, image)
		canonical, err := imageref.Canonical(named)
		if err != nil {
			t.Fatalf("%q: %v", image, err)
		}
		at := server(t, image)
		if at == "" {
			continue
		}
		if name, ok := names[at]; !ok {
			names[at], examples[at] = canonical.Name(), image
		} else if name != canonical.Name() {
			t.Errorf("%q and %q are both pulled from %s, and are called %s and %s", examples[at], image, at, name, canonical.Name())
		} else if image != examples[at] {
			same++
		}
		// A user who is told to write the canonical name gets the image from the same place.
		if to := server(t, canonical.String()); !isDockerHub(named) && to != at {
			t.Errorf("%q is pulled from %s, and %q from %s", image, at, canonical, to)
		}
	}
	if same < cases/10 || refused < cases/10 || byID < cases/1000 {
		t.Errorf("%d texts with the name of another, %d that are refused, %d IDs", same, refused, byID)
	}
	t.Logf("%d texts: %d with the name of another, %d refused, %d IDs", cases, same, refused, byID)
}

// checkGrammar checks that a name is one for the kubelet as well.
func checkGrammar(t *testing.T, image string) {
	t.Helper()
	if _, err := reference.ParseNormalizedNamed(image); err != nil {
		t.Errorf("%q is a name, and the kubelet refuses it: %v", image, err)
	}
}

// isDockerHub reports whether a name is one of Docker Hub's that containerd takes for another server.
func isDockerHub(named reference.Named) bool {
	return strings.HasPrefix(strings.ToLower(reference.Domain(named)), "docker.io") || strings.Contains(strings.ToLower(reference.Domain(named)), ".docker.io")
}
