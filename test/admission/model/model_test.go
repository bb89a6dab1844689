// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/test/admission/shards"
)

// pods is how many Pods the model is compared on; more than one level of policy is asked about each.
const pods = 2000

var levels = map[string]string{
	"Enforce": "image-verification", "Warn": "image-verification-warn", "Audit": "image-verification-audit",
}

// world is one state of a cluster.
type world struct {
	state shards.State
	// stale says that the shards ended before the Pods were made.
	stale bool
	// unlisted is the level of what no scope covers.
	unlisted string
}

// refuses is the plain reading: whether a Pod with this image is to be refused at a level, by the names that package
// identity gives.
func (w world) refuses(t *testing.T, image, level string) bool {
	t.Helper()
	named, err := imageref.ParseImage(image)
	if err != nil {
		t.Fatal(err) // the generator makes references only
	}
	found, ok := w.levelOf(named)
	if port, without := withoutDefaultPort(named); !ok && port {
		found, ok = w.levelOf(without)
	}
	if !ok {
		found = w.unlisted
	}
	if found != level {
		return false
	}
	digested, ok := named.(reference.Digested)
	if !ok || digested.Digest().Algorithm() != "sha256" {
		return true
	}
	host, path, _ := strings.Cut(named.Name(), "/")
	return w.stale || !w.state.Images[strings.ToLower(host)+"/"+path+"@"+digested.Digest().String()]
}

func (w world) levelOf(named reference.Named) (string, bool) {
	for _, scope := range imageref.ScopesOf(named) {
		if level, ok := w.state.Scopes[scope]; ok {
			return level, true
		}
	}
	return "", false
}

// withoutDefaultPort returns the reference as it would be without :443 or :80 behind its host.
func withoutDefaultPort(named reference.Named) (bool, reference.Named) {
	host, rest, _ := strings.Cut(named.String(), "/")
	for _, port := range []string{":443", ":80"} {
		if bare, ok := strings.CutSuffix(host, port); ok {
			if without, err := reference.Parse(bare + "/" + rest); err == nil {
				return true, without.(reference.Named)
			}
		}
	}
	return false, nil
}

// generator makes up names from few parts, so that they often meet.
type generator struct{ *rand.Rand }

func (g generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g generator) host() string {
	host := g.pick("", "", "docker.io", "index.docker.io", "localhost", "a.example.com", "b.a.example.com", "example.com", "A.Example.com",
		"REGISTRY", "10.0.0.1", "10.0.0.2", "[2001:db8::1]", "[2001:DB8::1]", "registry")
	port := g.pick("", "", "", ":443", ":80", ":5000", ":8443")
	if host == "" || host == "registry" && port == "" {
		return ""
	}
	return host + port + "/"
}

func (g generator) path() string {
	parts := []string{g.pick("app", "team", "library", "busybox")}
	for g.IntN(2) == 0 && len(parts) < 6 {
		parts = append(parts, g.pick("app", "team", "web", "a-b", "x__y"))
	}
	return strings.Join(parts, "/")
}

func (g generator) digest() string {
	sum := sha256.Sum256([]byte{byte(g.IntN(12))})
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (g generator) image() string {
	image := g.host() + g.path()
	if g.IntN(3) == 0 {
		image += g.pick(":v1", ":latest", ":V2.0_x")
	}
	switch g.IntN(6) {
	case 0:
	case 1:
		image += "@sha512:" + strings.Repeat("0123456789abcdef", 8)
	default:
		image += "@" + g.digest()
	}
	return image
}

// world makes scopes of all depths from the scopes of made-up images, and verifies some.
func (g generator) world(t *testing.T, images []string) world {
	w := world{state: shards.State{Images: map[string]bool{}, Scopes: map[string]string{}}, stale: g.IntN(8) == 0}
	if g.IntN(6) == 0 {
		w.unlisted = "Enforce"
	}
	for _, image := range append(images, g.image(), g.image()) {
		named, err := imageref.ParseImage(image)
		if err != nil {
			t.Fatal(err)
		}
		if _, without := withoutDefaultPort(named); without != nil && g.IntN(2) == 0 {
			named = without
		}
		scopes := imageref.ScopesOf(named)
		for range g.IntN(3) {
			if scope, err := imageref.ParseScope(scopes[g.IntN(len(scopes))]); err == nil {
				w.state.Scopes[scope.String()] = g.pick("Enforce", "Enforce", "Warn", "Audit")
			}
		}
		digested, ok := named.(reference.Digested)
		host, path, _ := strings.Cut(named.Name(), "/")
		if ok && digested.Digest().Algorithm() == "sha256" && g.IntN(3) > 0 {
			w.state.Images[strings.ToLower(host)+"/"+path+"@"+digested.Digest().String()] = true
		}
	}
	if g.IntN(4) > 0 || w.stale {
		w.state.ValidUntil = created.Add(time.Hour)
	}
	if w.stale {
		w.state.ValidUntil = created
	}
	return w
}

var created = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

// podWith puts images into each kind of place in turn.
func podWith(images ...string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "test", Namespace: "shop", CreationTimestamp: metav1.NewTime(created)}}
	for i, image := range images {
		switch name := fmt.Sprintf("c%d", i); i % 4 {
		case 0:
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: name, Image: image})
		case 1:
			pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{Name: name, Image: image})
		case 2:
			pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers,
				corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: name, Image: image}})
		default:
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name,
				VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: image}}})
		}
	}
	return pod
}

func create(pod *corev1.Pod) request {
	return request{object: pod, kind: corev1.SchemeGroupVersion.WithKind("Pod"), resource: podResource}
}

var podResource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

func params(shards []*corev1.ConfigMap) []runtime.Object {
	var all []runtime.Object
	for _, shard := range shards {
		all = append(all, param(shard))
	}
	return all
}

// TestModel compares the policies with the plain reading on made-up Pods. The shards are of one set or, as while they are
// resharded, of two.
func TestModel(t *testing.T) {
	compiled := map[string]map[string]*policy{"": {}, "Enforce": {}}
	for unlisted, dir := range map[string]string{"": "enforce", "Enforce": "deny-unlisted"} {
		for _, p := range loadPolicies(t, "../testdata/"+dir) {
			compiled[unlisted][p.Name] = mustCompile(t, p)
		}
	}
	g := generator{rand.New(rand.NewPCG(1, 2))}
	outcomes := map[string]int{}
	for n := range pods {
		var images []string
		for range 1 + g.IntN(4) {
			images = append(images, g.image())
		}
		w := g.world(t, images)
		count := 1 << g.IntN(3)
		set := shards.Encode(t, w.state, "assay-system", count)
		if g.IntN(3) == 0 {
			set = append(set, shards.Encode(t, w.state, "assay-system", 2*count)...)
		}
		for level, name := range levels {
			message := compiled[w.unlisted][name].validate(t, create(podWith(images...)), wholeBudget, params(set)...)
			for _, image := range images {
				want := w.refuses(t, image, level)
				if got := strings.Contains(message, "image "+image+" "); got != want {
					t.Errorf("pod %d, level %s: image %s: refused is %v, want %v\n%+v\nmessage: %s", n, level, image, got, want, w, message)
				}
				outcomes[fmt.Sprintf("%s %v", level, want)]++
			}
			if strings.Contains(message, "error") || strings.Contains(message, "cost") {
				t.Errorf("pod %d: %v: %s", n, images, message)
			}
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	for level := range levels {
		if outcomes[level+" true"] < pods/20 || outcomes[level+" false"] < pods/20 {
			t.Errorf("the Pods do not put the policies to the test: %v", outcomes)
		}
	}
	t.Log(outcomes)
}
