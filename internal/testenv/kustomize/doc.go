// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kustomize builds the kustomizations of config/ and applies them to an API server,
// as `kubectl apply --server-side -k` does, so that the demo and the tests install exactly
// what an administrator installs and need no kubectl.
package kustomize
