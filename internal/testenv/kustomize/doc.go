// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kustomize builds the kustomizations of config/ and applies them to an API server, as
// `kubectl apply --server-side -k` does. The demo and the tests thus install exactly what an
// administrator installs, without kubectl.
package kustomize
