// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
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

	"github.com/assay-project/assay/internal/allowlist"
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
// imageref gives.
func (w world) refuses(t *testing.T, image, level string) bool {
	t.Helper()
	named, err := imageref.ParseImage(image)
	if err != nil || !isSpeltCanonically(t, image, named) {
		return w.strictest(level) == level
	}
	found := w.unlisted
	for _, scope := range imageref.ScopesOf(named) {
		if of, ok := w.state.Scopes[scope]; ok {
			found = of
			break
		}
	}
	if found != level {
		return false
	}
	digested, ok := named.(reference.Digested)
	if !ok || digested.Digest().Algorithm() != "sha256" {
		return true
	}
	return w.stale || !w.state.Images[canonical(t, named).Name()+"@"+digested.Digest().String()]
}

// strictest is the level of what has no canonical name. Only the policy for Enforce knows what is unlisted.
func (w world) strictest(level string) string {
	var strictest allowlist.Level
	if level == "Enforce" {
		strictest = allowlist.Level(w.unlisted)
	}
	for _, level := range w.state.Scopes {
		if strictest == "" {
			strictest = allowlist.Level(level)
		}
		strictest = allowlist.Stricter(strictest, allowlist.Level(level))
	}
	return string(strictest)
}

func canonical(t *testing.T, named reference.Named) reference.Named {
	t.Helper()
	name, err := imageref.Canonical(named)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// isSpeltCanonically reports whether an image names its host in canonical form, or leaves out the one of Docker Hub.
func isSpeltCanonically(t *testing.T, image string, named reference.Named) bool {
	t.Helper()
	name := canonical(t, named).Name()
	host, _, hasPath := strings.Cut(image, "/")
	return strings.HasPrefix(name, "docker.io/") && (!hasPath || !strings.ContainsAny(host, ".:") && host == strings.ToLower(host)) ||
		strings.HasPrefix(name, host+"/")
}

// world makes scopes of all depths from the scopes of made-up images, and verifies some.
func (g generator) world(t *testing.T, images []string) world {
	w := world{state: shards.State{Images: map[string]bool{}, Scopes: map[string]string{}}, stale: g.IntN(8) == 0}
	if g.IntN(6) == 0 {
		w.unlisted = "Enforce"
	}
	levels := []string{g.pick("Enforce", "Warn", "Audit"), g.pick("Enforce", "Warn", "Audit")}
	for _, image := range append(images, g.image(), g.image()) {
		named, err := imageref.ParseImage(image)
		if err != nil {
			continue // the generator makes many that are none
		}
		scopes := imageref.ScopesOf(named)
		for range g.IntN(3) {
			scope, err := imageref.ParseScope(scopes[g.IntN(len(scopes))])
			if err != nil {
				t.Fatal(err)
			}
			w.state.Scopes[scope.String()] = g.pick(levels...)
		}
		digested, ok := named.(reference.Digested)
		if ok && digested.Digest().Algorithm() == "sha256" && g.IntN(3) > 0 {
			w.state.Images[canonical(t, named).Name()+"@"+digested.Digest().String()] = true
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
// resharded, of two. A policy without its match condition, which is there for speed alone, must say the same.
func TestModel(t *testing.T) {
	compiled, slow := map[string]map[string]*policy{"": {}, "Enforce": {}}, map[string]map[string]*policy{"": {}, "Enforce": {}}
	for unlisted, dir := range map[string]string{"": "enforce", "Enforce": "deny-unlisted"} {
		for _, p := range loadPolicies(t, "../testdata/"+dir) {
			compiled[unlisted][p.Name] = mustCompile(t, p)
			p.Spec.MatchConditions = nil
			slow[unlisted][p.Name] = mustCompile(t, p)
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
			messages := compiled[w.unlisted][name].validate(t, create(podWith(images...)), wholeBudget, params(set)...)
			if want := slow[w.unlisted][name].validate(t, create(podWith(images...)), wholeBudget, params(set)...); messages != want {
				t.Errorf("pod %d, level %s: with the match condition %q, without it %q", n, level, messages, want)
			}
			for _, image := range images {
				want := w.refuses(t, image, level)
				if got := strings.Contains(messages, "image "+shown(image)+" "); got != want {
					t.Errorf("pod %d, level %s: image %q: refused is %v, want %v\n%+v\nmessage: %s", n, level, image, got, want, w, messages)
				}
				if want {
					checkAdvice(t, image, messages)
				}
				outcomes[fmt.Sprintf("%s %v", level, want)]++
			}
			if strings.Contains(messages, "error") || strings.Contains(messages, "cost") {
				t.Errorf("pod %d: %q: %s", n, images, messages)
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

// shown is what a message quotes of an image.
func shown(image string) string {
	if _, err := imageref.ParseImage(image); err == nil {
		return image
	}
	text := strings.IndexFunc(image, func(r rune) bool { return r < ' ' || r > '~' })
	if text < 0 {
		text = len(image)
	}
	if text = min(text, 200); text < len(image) {
		return image[:text] + "..."
	}
	return image
}

// checkAdvice checks that the message says what package imageref says about the name.
func checkAdvice(t *testing.T, image, messages string) {
	t.Helper()
	const isID, isNone = " is the ID of an image,", " is not an image reference:"
	named, err := imageref.ParseImage(image)
	want := "image " + shown(image)
	switch {
	case err != nil && strings.Contains(err.Error(), isID):
		want += isID
	case err != nil:
		want += isNone
	case !isSpeltCanonically(t, image, named):
		want += " is not spelt as TrustPolicies are, so that none could apply to it: write " + canonical(t, named).String()
	default:
		return // TestPods has these
	}
	if !strings.Contains(messages, want) {
		t.Errorf("image %q: %q does not say %q", image, messages, want)
	}
}
