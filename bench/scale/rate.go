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
)

// writesPerImage is how many patches a new image costs: signatures and status.
const writesPerImage = 2

// turn is what the manager and the bare client did with the same images. watched is the
// bare client while somebody watches Images, as the manager has to: an API server that
// shares its processors with all others pays for that as well.
type turn struct{ manager, bare, watched pace }

// pace is how fast images were done, and what each cost.
type pace struct {
	rate float64 // Images a second.
	each cost
}

// measureTurn lets the manager verify images that nobody has verified yet. Then the images
// are made anew, and the bare client writes what the manager wrote.
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

// barePace makes the images anew, writes the patches and removes the images.
func (c *bench) barePace(ctx context.Context, p plan, images []*imagev1.Image, patches []recorded) (did pace, err error) {
	if err := c.recreate(ctx, images, patches); err != nil {
		return did, err
	}
	before, err := c.clocks(os.Getpid())
	if err != nil {
		return did, err
	}
	begin := time.Now()
	if err := inParallel(p.writers, len(images), func(i int) error { return c.write(ctx, patches[i]) }); err != nil {
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

// watchImages reads a watch of all Images, and does not even decode what it reads.
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
	response, err := httpClient.Do(request) //nolint:bodyclose // The goroutine below closes it.
	if err != nil {
		cancel()
		return nil, err
	}
	go func() {
		_, _ = io.Copy(io.Discard, response.Body) // It ends with an error, when it is stopped.
		_ = response.Body.Close()
	}()
	return cancel, nil
}

// managerPace runs a manager until all images have their verdicts. The time counts from
// the first write that was seen to the last: reading the images first is not what the bare
// client does.
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

// recorded is what the manager wrote about an image.
type recorded struct {
	name, version      string
	signatures, status json.RawMessage
}

func (c *bench) recordPatches(ctx context.Context, images []*imagev1.Image) ([]recorded, error) {
	patches := make([]recorded, len(images))
	return patches, inParallel(creators, len(images), func(i int) error {
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

// recreate makes the images as they were before the manager wrote, and notes the versions
// that they have then.
func (c *bench) recreate(ctx context.Context, images []*imagev1.Image, patches []recorded) error {
	return inParallel(creators, len(images), func(i int) error {
		image := images[i].DeepCopy()
		err := c.Create(ctx, image)
		patches[i].version = image.ResourceVersion
		return err
	})
}

// write writes what the manager wrote, in the same requests: each guarded by a resource
// version, and asking for no more than the metadata in the answer.
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
