// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"github.com/assay-project/assay/internal/verify"
)

// ParseKeyFile reads a file of public keys in the format, of at least one, that its content
// has. An error means that nothing in it can be used; the file has a cost all the same.
func ParseKeyFile(formats []verify.Format, data []byte) (verify.KeyFile, error) {
	for _, format := range formats {
		if format.IsKeyFile(data) {
			return format.ParseKeyFile(data)
		}
	}
	return formats[0].ParseKeyFile(data)
}

// NewTrust makes what a policy trusts in each format from its key files, as verify.Policy
// has it.
func NewTrust(formats []verify.Format, files []verify.NamedKeyFile) map[string]verify.Trust {
	trust := make(map[string]verify.Trust, len(formats))
	for _, format := range formats {
		trust[format.Name()] = format.NewTrust(files)
	}
	return trust
}
