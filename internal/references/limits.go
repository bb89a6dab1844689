// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package references

import "github.com/assay-project/assay/internal/imageref"

const (
	// MaxObjectReferences is how many distinct references of one object are kept.
	MaxObjectReferences = 128

	// MaxNamespaceReferences is how many distinct references of one namespace are kept.
	// References beyond it, and beyond MaxObjectReferences, are counted: see Stats.
	MaxNamespaceReferences = 4096

	// maxReference bounds a reference in bytes. A longer one is not valid.
	maxReference = imageref.MaxReference

	// maxObject bounds an encoded object, in bytes. etcd takes 1.5 MiB unless it is configured
	// otherwise, and an API server takes requests of 3 MiB.
	maxObject = 16 << 20

	// maxListMeta bounds the metadata of a list, in bytes.
	maxListMeta = 64 << 10

	// bufferSize is the size of a read buffer, and maxIdleBuffer the size up to which the buffer
	// for objects is kept.
	bufferSize    = 32 << 10
	maxIdleBuffer = 1 << 20
)
