// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trust

// What the tests register with a client of their own.
const KeySourceIndex = keySourceIndex

// KeySourcesOfPolicy is what KeySourceIndex is by.
var KeySourcesOfPolicy = keySourcesOfPolicy
