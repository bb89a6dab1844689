// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagecache_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
)

// listings are the two ways in which a cache is filled: by a watch that begins with all objects,
// and by lists.
var listings = map[string]func(toolscache.ListerWatcher) toolscache.ListerWatcher{
	"streamed": func(lw toolscache.ListerWatcher) toolscache.ListerWatcher { return lw },
	"listed":   func(lw toolscache.ListerWatcher) toolscache.ListerWatcher { return noStreams{lw} },
}

// noStreams is a ListerWatcher without support for lists by way of a watch.
type noStreams struct{ toolscache.ListerWatcher }

func (noStreams) IsWatchListSemanticsUnSupported() bool { return true }

// TestHostileForTypedClients checks that the Images are as hostile as they say: a list of one by a
// typed client fails.
func TestHostileForTypedClients(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := imagev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(testConfig, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range hostile {
		err := c.List(t.Context(), &imagev1.ImageList{}, client.MatchingFields{"metadata.name": name})
		if ends := err != nil; ends != h.ends {
			t.Errorf("Image %s: a typed list fails with %.200v, want failure %t", name, err, h.ends)
		}
	}
}

// TestHostileImages checks that the cache is filled and kept up to date whatever is stored, and
// knows of each Image whether it can be used.
func TestHostileImages(t *testing.T) {
	for name, listing := range listings {
		t.Run(name, func(t *testing.T) {
			c := startCache(t, cache.Options{}, listing)
			checkHostile(t, c, "")
			for image := range hostile {
				if err := patch(t.Context(), image, `{"metadata":{"annotations":{"assay.dev/recheck-requested-at":"`+name+`"}}}`); err != nil {
					t.Error(err)
				}
			}
			checkHostile(t, c, name)
		})
	}
}

// checkHostile waits until every hostile Image has the annotation with a value, and compares
// its fault.
func checkHostile(t *testing.T, c cache.Cache, value string) {
	t.Helper()
	for name, h := range hostile {
		var image imagecache.Image
		eventually(t, func() error {
			err := c.Get(t.Context(), client.ObjectKey{Name: name}, &image)
			if got := image.Annotations[assayv1alpha1.RecheckRequestedAtAnnotation]; err == nil && value != "" && got != value {
				return fmt.Errorf("Image %s has annotation %q, want %q", name, got, value)
			}
			return err
		})
		fault, signatures := "", 1
		if image.Fault != nil {
			fault, signatures = image.Fault.Error(), 0
		}
		if fault != h.fault || len(image.Signatures) != signatures {
			t.Errorf("Image %s: fault %q and %d signatures, want fault %q", name, fault, len(image.Signatures), h.fault)
		}
	}
}

// TestHostileStatus checks that a verdict about every hostile Image can be stored, and that a
// status that cannot be read is empty until then.
func TestHostileStatus(t *testing.T) {
	c := startCache(t, cache.Options{}, listings["streamed"])
	const unreadable = `{"status":{"conditions":[{"type":"Verified","status":"True","reason":"X","message":"","lastTransitionTime":"2026-01-01t00:00:00z"}],"digest":"x"}}`
	for name := range hostile {
		if err := patch(t.Context(), name, unreadable, "status"); err != nil {
			t.Error(err)
		}
		statusOf(t, c, name, "")
	}
	const verdict = `{"status":{"conditions":[{"type":"Verified","status":"False","reason":"InvalidImage","message":"m","lastTransitionTime":"2026-01-01T00:00:00Z"}],"digest":"y"}}`
	for name := range hostile {
		if err := patch(t.Context(), name, verdict, "status"); err != nil {
			t.Error(err)
		}
		statusOf(t, c, name, "InvalidImage y")
	}
}

// statusOf waits until the status of an Image has a reason and digest.
func statusOf(t *testing.T, c cache.Cache, name, want string) {
	t.Helper()
	eventually(t, func() error {
		var image imagecache.Image
		if err := c.Get(t.Context(), client.ObjectKey{Name: name}, &image); err != nil {
			return err
		}
		got := image.Status.Digest
		for _, c := range image.Status.Conditions {
			got = c.Reason + " " + got
		}
		if got != want {
			return fmt.Errorf("Image %s has status %q, want %q", name, got, want)
		}
		return nil
	})
}

// startCache runs a cache until the test ends, and returns when it is filled.
func startCache(t *testing.T, opts cache.Options, listing func(toolscache.ListerWatcher) toolscache.ListerWatcher) cache.Cache {
	t.Helper()
	return startCacheOf(t, imagecache.New, opts, listing)
}

func startCacheOf(t *testing.T, newCache cache.NewCacheFunc, opts cache.Options, listing func(toolscache.ListerWatcher) toolscache.ListerWatcher) cache.Cache {
	t.Helper()
	opts.Scheme = runtime.NewScheme()
	if err := imagecache.AddToScheme(opts.Scheme); err != nil {
		t.Fatal(err)
	}
	opts.NewInformer = func(lw toolscache.ListerWatcher, obj runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
		return toolscache.NewSharedIndexInformer(listing(lw), obj, resync, indexers)
	}
	c, err := newCache(testConfig, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if err := c.IndexField(ctx, &imagecache.Image{}, "reference", func(obj client.Object) []string {
		image, ok := obj.(*imagecache.Image)
		if !ok {
			return nil
		}
		return []string{image.DockerImageReference}
	}); err != nil {
		t.Fatal(err)
	}
	go func() { done <- c.Start(ctx) }()
	synced, stop := context.WithTimeout(ctx, settleTimeout)
	defer stop()
	if !c.WaitForCacheSync(synced) {
		t.Fatal("the cache is not filled")
	}
	return c
}

// TestStoredTimesCanBeWritten checks that signatures with any time that the schema takes can be
// written back.
func TestStoredTimesCanBeWritten(t *testing.T) {
	c := startCache(t, cache.Options{}, listings["streamed"])
	taken := 0
	for i, text := range []string{
		"0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2026-01-01T00:00:00.999999999Z", "9999-12-31T23:59:59.999999999Z",
		"0000-01-01T00:00:00+00:01", "0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59-00:01", "2026-01-01T00:00:00+02:00",
	} {
		name := fmt.Sprintf("time-%d", i)
		if create(t.Context(), name, signature(fmt.Sprintf(
			`"created":%[1]q,"metadata":{"creationTimestamp":%[1]q},"conditions":[{"type":"Other","status":"True","lastProbeTime":%[1]q,"lastTransitionTime":%[1]q}]`, text))) != nil {
			continue
		}
		taken++
		var image imagecache.Image
		eventually(t, func() error { return c.Get(t.Context(), client.ObjectKey{Name: name}, &image) })
		written, err := json.Marshal(map[string]any{"signatures": image.Signatures})
		if err != nil || image.Fault != nil {
			t.Errorf("%s: %v, %v", text, err, image.Fault)
			continue
		}
		if err := patch(t.Context(), name, string(written)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if taken != 4 {
		t.Errorf("the schema takes %d times, want those in UTC", taken)
	}
}

// TestUncached checks that a client reads an Image as the cache does.
func TestUncached(t *testing.T) {
	const manifest = `{"schemaVersion":2,"manifests":[]}`
	if err := create(t.Context(), "uncached", `"dockerImageManifest":"{\"schemaVersion\":2,\"manifests\":[]}",`+oneSignature); err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	if err := imagecache.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	live, err := client.New(testConfig, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	var got, want imagecache.Image
	if err := live.Get(t.Context(), client.ObjectKey{Name: "uncached"}, &got); err != nil {
		t.Fatal(err)
	}
	c := startCache(t, cache.Options{}, listings["streamed"])
	if err := c.Get(t.Context(), client.ObjectKey{Name: "uncached"}, &want); err != nil {
		t.Fatal(err)
	}
	got.TypeMeta, want.TypeMeta = metav1.TypeMeta{}, metav1.TypeMeta{}
	got.Size, want.Size = 0, 0 // The API server may write it with or without its kind.
	if diff := cmp.Diff(want, got); diff != "" || got.Manifest.Digest != digest.FromString(manifest) {
		t.Errorf("digest %s (-cached +live):\n%s", got.Manifest.Digest, diff)
	}
}

// TestCache checks that lists, indexes and deletions work, and that selectors do.
func TestCache(t *testing.T) {
	for name, listing := range listings {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			prefix := strings.ToLower(name)
			one, two := prefix+"-one", prefix+"-two"
			for _, image := range []string{one, two} {
				if err := create(ctx, image, `"dockerImageReference":"registry.example.com/`+image+`",`+oneSignature); err != nil {
					t.Fatal(err)
				}
			}
			if err := patch(ctx, two, `{"metadata":{"labels":{"of":"`+prefix+`"}}}`); err != nil {
				t.Fatal(err)
			}
			all := startCache(t, cache.Options{}, listing)
			selected := startCache(t, cache.Options{ByObject: map[client.Object]cache.ByObject{
				&imagecache.Image{}: {Label: selector(t, "of="+prefix)},
			}}, listing)
			checkIndexed(t, all, one, 1)
			checkIndexed(t, all, two, 1)
			checkIndexed(t, selected, one, 0)
			checkIndexed(t, selected, two, 1)
			// A label can also come and go.
			if err := patch(ctx, one, `{"metadata":{"labels":{"of":"`+prefix+`"}}}`); err != nil {
				t.Fatal(err)
			}
			checkIndexed(t, selected, one, 1)
			if err := patch(ctx, two, `{"metadata":{"labels":{"of":null}}}`); err != nil {
				t.Fatal(err)
			}
			checkIndexed(t, selected, two, 0)
			if err := rawClient.Delete().Resource("images").Name(one).Do(ctx).Error(); err != nil {
				t.Fatal(err)
			}
			checkIndexed(t, all, one, 0)
			checkIndexed(t, selected, one, 0)
		})
	}
}

func selector(t *testing.T, text string) labels.Selector {
	t.Helper()
	s, err := labels.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkIndexed waits until a cache finds so many Images by their reference.
func checkIndexed(t *testing.T, c cache.Cache, name string, want int) {
	t.Helper()
	eventually(t, func() error {
		var list imagecache.ImageList
		if err := c.List(t.Context(), &list, client.MatchingFields{"reference": "registry.example.com/" + name}); err != nil {
			return err
		}
		if len(list.Items) != want {
			return fmt.Errorf("%d Images with the reference of %s, want %d", len(list.Items), name, want)
		}
		return nil
	})
}

// eventually waits until check returns nil.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), pollInterval, settleTimeout, true, func(context.Context) (bool, error) {
		last = check()
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("%v: %v", err, last)
	}
}
