// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import "time"

// Bounds of what is read from servers.
const (
	// MaxSignatures is how many signatures of one image are taken from one store, which is as many
	// as an Image can have.
	MaxSignatures = 128

	// MaxSignature bounds one signature, in bytes: an Image keeps no more of all together.
	MaxSignature = 128 << 10

	// maxManifest bounds manifests, indexes and lists, in bytes (OCI distribution specification,
	// "Pushing Manifests").
	maxManifest = 4 << 20

	// maxBody bounds any answer, in bytes, below whatever reads it. Answers of token services are
	// bounded at 128 KiB beside that.
	maxBody = maxManifest + 1

	// maxPages bounds a list of referrers.
	maxPages = 4

	// maxAttachments bounds the layers of an attachment that are looked at, and the referrers of
	// an image.
	maxAttachments = 1024

	maxRedirects = 5
)

const (
	// requestTimeout bounds one request with its redirects, until the last byte of the answer.
	requestTimeout = 30 * time.Second
	// headerTimeout bounds the wait for the headers of an answer.
	headerTimeout = 10 * time.Second
	// dialTimeout bounds making a connection, handshakeTimeout making it secure.
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 10 * time.Second
	maxHeaderBytes   = 64 << 10
	idleTimeout      = 30 * time.Second
)

// Economy towards one host.
const (
	// requestsAtATime is how many requests to one host are under way.
	requestsAtATime = 4
	// defaultRate is how many requests a second go to one host in the long run.
	defaultRate = 10
	// maxRest bounds how long a host rests, whatever it asks for.
	maxRest = time.Hour
	// limitedRest is for a host that limits requests without saying for how long.
	limitedRest = time.Minute
	// budgetRest is for a registry that counts requests, when half of them are used. Nodes pull by
	// the same account or address, and need the others.
	budgetRest = 15 * time.Minute
	// A host that does not answer rests for minFailureRest, and twice as long after each further
	// failure, up to maxFailureRest.
	minFailureRest = 5 * time.Second
	maxFailureRest = 5 * time.Minute
	// extensionLifetime is how long a registry's word on its signature extension counts.
	extensionLifetime = time.Hour
)
