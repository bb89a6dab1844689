// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/time/rate"

	"github.com/assay-project/assay/internal/registry"
)

func TestStored(t *testing.T) {
	signature := registry.Signature{Content: make([]byte, 32<<10)}
	for name, c := range map[string]struct {
		result result
		want   int
	}{
		"nothing":    {result{}, 0},
		"usual":      {result{signatures: []registry.Signature{signature}}, 0},
		"signatures": {result{signatures: []registry.Signature{signature, signature}}, 128 << 10},
		"an index":   {result{index: make([]byte, maxIndex)}, 2 * maxIndex},
		"both":       {result{index: make([]byte, 48<<10), signatures: []registry.Signature{signature}}, 160 << 10},
	} {
		if got := c.result.stored(); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
	}
	if largest := (&result{index: make([]byte, largeBurst)}).stored(); largest != largeBurst {
		t.Errorf("the largest takes %d bytes, for which a limiter would never have enough", largest)
	}
}

// A large result waits for its turn, and a small one does not.
func TestAwaitStorage(t *testing.T) {
	r := &Reconciler{storage: rate.NewLimiter(0, largeBurst)}
	large, small := &result{index: make([]byte, maxIndex)}, &result{index: make([]byte, 1)}
	for range largeBurst / (writesOfResult * maxIndex) {
		if err := r.awaitStorage(t.Context(), large); err != nil {
			t.Fatal(err)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := r.awaitStorage(ended, large); !errors.Is(err, context.Canceled) {
		t.Errorf("a large result beyond the burst: %v", err)
	}
	if err := r.awaitStorage(ended, small); err != nil {
		t.Errorf("a small result: %v", err)
	}
	if n := newStorage().Burst(); n != largeBurst {
		t.Errorf("the burst is %d", n)
	}
}
