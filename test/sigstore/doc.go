// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sigstore compares Assay's verification of bundles with that of sigstore-go. It is a module of
// its own because of what sigstore-go brings along.
package sigstore
