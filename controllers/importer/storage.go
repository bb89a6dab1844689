// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"

	"golang.org/x/time/rate"
)

// A user who may push to a registry and create workloads can have signatures and indexes imported that
// are as large as they may be. An API server stores an Image as a whole with each write, and etcd keeps
// every version for some minutes: without a bound, that user would fill it for all.
const (
	// largeResult is the size from which on a result is large, in bytes. Usual ones have less than
	// 40 KiB.
	largeResult = 64 << 10
	// largeRate bounds what large results store in a second, in bytes, and largeBurst what they store
	// at once.
	largeRate  = 1 << 20
	largeBurst = 64 << 20
	// writesOfResult is how often an Image is stored for a result.
	writesOfResult = 2
)

// newStorage returns what bounds the writes of large results.
func newStorage() *rate.Limiter { return rate.NewLimiter(largeRate, largeBurst) }

// stored is how much etcd stores for a result, in bytes, and 0 for one that is not large.
func (r *result) stored() int {
	size := len(r.index)
	for i := range r.signatures {
		size += len(r.signatures[i].Content)
	}
	if size < largeResult {
		return 0
	}
	return min(writesOfResult*size, largeBurst)
}

// awaitStorage waits until a result may be stored. It waits in the lane of its host, so that no more
// results are in memory than lanes run, and that small ones of other hosts do not wait.
func (r *Reconciler) awaitStorage(ctx context.Context, done *result) error {
	if n := done.stored(); n > 0 {
		return r.storage.WaitN(ctx, n)
	}
	return nil
}
