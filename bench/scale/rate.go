// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/bench/observe"
)

// writesPerImage is the number of patches of a new image: signatures and status.
const writesPerImage = 2

// turn has the measurements of the manager and the bare client with the same images. watched is the
// bare client during a watch of Images, which the manager also needs: its cost falls on the API
// server, which shares the processors.
type turn struct{ manager, bare, watched pace }

// pace is the rate of processing images, and the cost of each.
type pace struct {
	rate float64 // Images per second.
	each cost
}

// measureTurn lets the manager verify new images. Then it creates the images again, and the bare
// client writes the same patches as the manager.
func (c *bench) measureTurn(ctx context.Context, p plan, images []*imagev1.Image) (t turn, err error) {
	if err := createAll(ctx, c, images); err != nil {
		return t, err
	}
	if t.manager, err = c.managerPace(ctx, len(images)); err != nil {
		return t, err
	}
	patches, err := c.recordPatches(ctx, images)
	if err != nil {
		return t, err
	}
	if err := deleteAll(ctx, c, images); err != nil {
		return t, err
	}
	if t.bare, err = c.barePace(ctx, p, images, patches); err != nil {
		return t, err
	}
	stop, err := c.watchImages(ctx)
	if err != nil {
		return t, err
	}
	defer stop()
	t.watched, err = c.barePace(ctx, p, images, patches)
	return t, err
}

// barePace creates the images again, writes the patches and removes the images.
func (c *bench) barePace(ctx context.Context, p plan, images []*imagev1.Image, patches []recorded) (did pace, err error) {
	if err := c.recreate(ctx, images, patches); err != nil {
		return did, err
	}
	before, err := c.clocks(os.Getpid())
	if err != nil {
		return did, err
	}
	begin := time.Now()
	if err := observe.InParallel(p.writers, len(images), func(i int) error { return c.write(ctx, patches[i]) }); err != nil {
		return did, err
	}
	did.rate = float64(len(images)) / time.Since(begin).Seconds()
	after, err := c.clocks(os.Getpid())
	if err != nil {
		return did, err
	}
	did.each = after.since(before, len(images))
	return did, deleteAll(ctx, c, images)
}

// watchImages reads a watch of all Images without decoding it.
func (c *bench) watchImages(ctx context.Context) (stop func(), err error) {
	config := c.Config()
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		config.Host+"/apis/image.openshift.io/v1/images?watch=true", http.NoBody)
	if err != nil {
		cancel()
		return nil, err
	}
	response, err := httpClient.Do(request) //nolint:bodyclose // Closed by the goroutine below.
	if err != nil {
		cancel()
		return nil, err
	}
	go func() {
		_, _ = io.Copy(io.Discard, response.Body) // It ends with an error when it is stopped.
		_ = response.Body.Close()
	}()
	return cancel, nil
}

// managerPace runs a manager until all images have their verdicts. The time counts from the first
// observed write to the last: the bare client does not read the images first.
func (c *bench) managerPace(ctx context.Context, images int) (did pace, err error) {
	m, err := c.startManager()
	if err != nil {
		return did, err
	}
	first, err := m.until(ctx, func(s state) bool { return s.patches > 0 })
	if err != nil {
		return did, err
	}
	begin := time.Now()
	before, err := c.clocks(m.PID())
	if err != nil {
		return did, err
	}
	last, err := m.until(ctx, func(s state) bool {
		return s.patches >= float64(writesPerImage*images) && s.pending == 0 && s.queued == 0
	})
	if err != nil {
		return did, err
	}
	done := (last.patches - first.patches) / writesPerImage
	did.rate = done / time.Since(begin).Seconds()
	after, err := c.clocks(m.PID())
	if err != nil {
		return did, err
	}
	did.each = after.since(before, int(done))
	return did, m.Stop()
}

// recorded holds the manager's writes to an image.
type recorded struct {
	name, version      string
	signatures, status json.RawMessage
}

func (c *bench) recordPatches(ctx context.Context, images []*imagev1.Image) ([]recorded, error) {
	patches := make([]recorded, len(images))
	return patches, observe.InParallel(creators, len(images), func(i int) error {
		var image imagev1.Image
		if err := c.Get(ctx, client.ObjectKeyFromObject(images[i]), &image); err != nil {
			return err
		}
		if len(image.Status.Conditions) == 0 {
			return fmt.Errorf("%s has no verdict", image.Name)
		}
		var err error
		patches[i].name = image.Name
		if patches[i].signatures, err = json.Marshal(image.Signatures); err != nil {
			return err
		}
		patches[i].status, err = json.Marshal(image.Status)
		return err
	})
}

// recreate creates the images as they were before the manager's writes, and records their resource
// versions.
func (c *bench) recreate(ctx context.Context, images []*imagev1.Image, patches []recorded) error {
	return observe.InParallel(creators, len(images), func(i int) error {
		image := images[i].DeepCopy()
		err := c.Create(ctx, image)
		patches[i].version = image.ResourceVersion
		return err
	})
}

// write repeats the manager's writes in the same requests, each with a resource version and with
// only the metadata in the response.
func (c *bench) write(ctx context.Context, r recorded) error {
	answer := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: r.name, ResourceVersion: r.version}}
	answer.SetGroupVersionKind(imagev1.GroupVersion.WithKind("Image"))
	patch := func(part string, value json.RawMessage) client.Patch {
		return client.RawPatch(types.MergePatchType,
			fmt.Appendf(nil, `{"metadata":{"resourceVersion":%q},%q:%s}`, answer.ResourceVersion, part, value))
	}
	if err := c.Patch(ctx, answer, patch("signatures", r.signatures)); err != nil {
		return err
	}
	return c.Status().Patch(ctx, answer, patch("status", r.status))
}
