// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	imagev1 "github.com/assay-project/assay/api/image/v1"
)

// cacheLag is how long after a write a cache may show the image as it was before.
const cacheLag = 10 * time.Second

// checkedImages remembers what this process has checked, by the images' names, so that it
// need not check again when it is woken by its own writes. Everything that a verdict
// depends on counts: the image, policies and keys, and the time. The zero value is ready
// to use.
type checkedImages struct {
	mu     sync.Mutex
	byName map[string]checkedImage
}

// checkedImage is an image after its check.
type checkedImage struct {
	uid types.UID
	// resourceVersion is that of the last write, or of what was found right.
	resourceVersion string
	// trust is the change up to which policies and keys were taken into account.
	trust uint64
	// The verdict holds from one time to the other.
	from, until time.Time
}

// remember says that an image was checked and is stored with its verdict, which needs no
// other look before that time has passed.
func (c *checkedImages) remember(image *imagev1.Image, trust *trustSnapshot, now time.Time, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byName == nil {
		c.byName = map[string]checkedImage{}
	}
	c.byName[image.Name] = checkedImage{
		uid: image.UID, resourceVersion: image.ResourceVersion, trust: trust.change, from: now, until: now.Add(wait),
	}
}

// forget removes an image that is no more.
func (c *checkedImages) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byName, name)
}

// wait returns for how long there is nothing to do about an image, zero when it is to be
// checked: it was checked in exactly this state; or the cache does not show yet what was
// written, in which case a write would be refused.
func (c *checkedImages) wait(image *imagev1.Image, trust *trustSnapshot, now time.Time) time.Duration {
	c.mu.Lock()
	checked, ok := c.byName[image.Name]
	c.mu.Unlock()
	if !ok || checked.uid != image.UID || now.Before(checked.from) {
		return 0
	}
	order, err := resourceversion.CompareResourceVersion(image.ResourceVersion, checked.resourceVersion)
	switch {
	case err != nil, order > 0:
		return 0
	case order < 0 && now.Sub(checked.from) < cacheLag:
		return conflictRetry
	case order == 0 && checked.trust == trust.change:
		return max(0, checked.until.Sub(now))
	default:
		return 0
	}
}
