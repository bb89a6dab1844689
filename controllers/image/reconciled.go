// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"crypto/sha256"
	"encoding/json"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verdictcache"
)

// cacheLag is how long after a write a cache may show the image as it was before.
const cacheLag = 10 * time.Second

// reconciledImages remembers the images whose verdict is stored, by their names, so that the
// reconciler's own writes cause no second check. Everything that a verdict depends on counts:
// the image, policies and keys, and the time. The zero value is ready to use.
type reconciledImages struct {
	mu     sync.Mutex
	byName map[string]reconciledImage
}

// reconciledImage is an image whose verdict is stored.
type reconciledImage struct {
	uid types.UID
	// resourceVersion is that of the last write, or of the state that needed none, and state
	// what the Image was then.
	resourceVersion string
	state           imageState
	// revision is the state of policies and keys.
	revision uint64
	// The verdict holds from one time to the other.
	from, until time.Time
}

// record remembers that the verdict on an image is stored, and needs no check before a time
// has passed.
func (c *reconciledImages) record(image *imagev1.Image, state imageState, snapshot *trust.Snapshot, now time.Time, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byName == nil {
		c.byName = map[string]reconciledImage{}
	}
	c.byName[image.Name] = reconciledImage{
		uid: image.UID, resourceVersion: image.ResourceVersion, state: state,
		revision: snapshot.Revision(), from: now, until: now.Add(wait),
	}
}

// forget removes an image that no longer exists.
func (c *reconciledImages) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byName, name)
}

// remaining returns for how long there is nothing to do for an image, zero when it needs a
// check: it was reconciled in exactly this state, whatever else of it has changed; or the cache
// does not show yet what was written, so that a write would conflict.
func (c *reconciledImages) remaining(s *Subject) time.Duration {
	image, now := s.Image, s.Now.Time
	c.mu.Lock()
	done, ok := c.byName[image.Name]
	c.mu.Unlock()
	if !ok || done.uid != image.UID || now.Before(done.from) {
		return 0
	}
	order, err := resourceversion.CompareResourceVersion(image.ResourceVersion, done.resourceVersion)
	switch {
	case err != nil:
		return 0
	case order < 0 && now.Sub(done.from) < cacheLag:
		return conflictRetry
	case order < 0 || done.revision != s.Trust.Revision():
		return 0
	case order > 0 && done.state != stateOf(s.cached, image, s.Inputs):
		return 0
	default:
		return max(0, done.until.Sub(now))
	}
}

// overtaken reports whether another worker has stored the verdict on a newer state of an image, by the
// same policies and keys.
func (c *reconciledImages) overtaken(s *Subject) bool {
	c.mu.Lock()
	done, ok := c.byName[s.Image.Name]
	c.mu.Unlock()
	if !ok || done.uid != s.Image.UID || done.revision != s.Trust.Revision() {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(s.Image.ResourceVersion, done.resourceVersion)
	return err == nil && order < 0
}

// imageState identifies all of an Image that a reconciliation reads or writes.
type imageState [sha256.Size]byte

// stateOf returns the state of an Image with these inputs. The other one is it, as it is cached or
// was before.
func stateOf(cached *imagecache.Image, image *imagev1.Image, inputs verdictcache.Inputs) imageState {
	h := sha256.New()
	h.Write(inputs[:])
	addText(h, recheckRequest(image))
	signatures := imagecache.StateOf(image.Signatures)
	if cached.Omitted != nil {
		signatures = cached.Omitted.State
	}
	h.Write(signatures[:])
	// It is of the API, and has nothing that cannot be encoded.
	_ = json.NewEncoder(h).Encode(image.Status)
	return imageState(h.Sum(nil))
}
