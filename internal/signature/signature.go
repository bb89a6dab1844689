// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package signature registers the formats of signatures that Assay verifies. Each has a
// package of its own below this one and implements verify.Format.
package signature

import (
	"github.com/assay-project/assay/internal/signature/atomic"
	"github.com/assay-project/assay/internal/signature/sigstore"
	"github.com/assay-project/assay/internal/verify"
)

// Formats are the formats that are verified. Adding one is a line here. A key file that no
// format recognizes goes to the first, whose error explains what is wrong with it.
func Formats() []verify.Format {
	return []verify.Format{
		atomic.Format{},
		sigstore.Format{},
	}
}
