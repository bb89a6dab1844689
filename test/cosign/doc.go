// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cosign verifies images that cosign 3 and cosign 2 have signed by a key. It is a module of its own because of
// what cosign brings along.
package cosign
