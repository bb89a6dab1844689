// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/testenv/fixture"
)

// TestConflictingWriters: others write the same Images concurrently with the manager: labels,
// configurations and further signatures. All retry after conflicts, and no change is lost.
func TestConflictingWriters(t *testing.T) {
	const images, writers, rounds = 30, 3, 5
	s := newScenario(t, "writers")
	s.createImages(images)
	s.startManager()

	var running sync.WaitGroup
	errs := make(chan error, writers+1)
	for writer := range writers {
		running.Go(func() { errs <- s.count(writer, images, rounds) })
	}
	running.Go(func() { errs <- s.sign(images) })
	running.Wait()
	for range writers + 1 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	s.expect(verified, untrusted) // Each has a valid signature now.
	s.settle()

	var list imagev1.ImageList
	if err := admin.List(t.Context(), &list, client.MatchingLabels{testLabel: s.name}); err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		image := &list.Items[i]
		for writer := range writers {
			if got := image.Labels[counter(writer)]; got != strconv.Itoa(rounds) {
				t.Errorf("%s: writer %d wrote %d times, and the Image says %q", image.Name, writer, rounds, got)
			}
		}
		if len(image.Signatures) != 2 || image.DockerImageConfig == "" {
			t.Errorf("%s: %d signatures, configuration %q; want what was added", image.Name, len(image.Signatures), image.DockerImageConfig)
		}
	}
}

func counter(writer int) string { return fmt.Sprintf("faults.assay.dev/writer-%d", writer) }

// count counts in a label of each image, and reveals a lost write.
func (s *scenario) count(writer, images, rounds int) error {
	for range rounds {
		for n := range images {
			err := s.change(n, func(image *imagev1.Image) {
				have, _ := strconv.Atoi(image.Labels[counter(writer)]) // Absent means zero.
				image.Labels[counter(writer)] = strconv.Itoa(have + 1)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// sign adds a signature by the release key to each image, and a configuration.
func (s *scenario) sign(images int) error {
	for n := range images {
		err := s.change(n, func(image *imagev1.Image) {
			image.DockerImageConfig = `{"os":"linux"}`
			image.Signatures = append(image.Signatures, fixture.Signature(s.repository(), digest.FromString(image.Name), release))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// change updates an image as a careful client does.
func (s *scenario) change(n int, edit func(*imagev1.Image)) error {
	key := client.ObjectKey{Name: fmt.Sprintf("%s-%d", s.name, n)}
	backoff := retry.DefaultBackoff
	backoff.Steps = 50
	return retry.RetryOnConflict(backoff, func() error {
		return s.changeOnce(s.Context(), key, edit)
	})
}

func (s *scenario) changeOnce(ctx context.Context, key client.ObjectKey, edit func(*imagev1.Image)) error {
	var image imagev1.Image
	if err := admin.Get(ctx, key, &image); err != nil {
		return err
	}
	edit(&image)
	return admin.Update(ctx, &image)
}
