// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package imagecache is the manager's cache of Images.
//
// It is controller-runtime's cache with another way in for one kind: lists and watches of
// Images go through package imagejson instead of a general JSON decoder, so that no stored
// Image can stop the processing of another, and so that an event costs a fraction of the
// processor time. Informers, indexes and selectors work as they do for every other kind.
//
// What comes out of the cache is this package's Image, which a scheme knows as the kind Image
// instead of the type of the API. An Image that cannot be used is there as well, with its
// Fault: it has to be found to be refused.
package imagecache
