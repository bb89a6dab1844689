// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers holds the reconcilers. Each gathers what a decision depends on,
// has it made elsewhere, and writes the outcome where it differs from what is stored:
//
//   - ImageReconciler verifies the signatures of Images (image_controller.go); it gathers
//     in image_gather.go and writes in image_apply.go.
//   - TrustPolicyReconciler reports on the keys of TrustPolicies (trustpolicy_controller.go).
//   - TrustStore holds the policies and their parsed keys for both (trust_store.go); the
//     keys are read from Secrets, ConfigMaps and the policies themselves in key_sources.go.
//   - ProjectionReconciler writes the list of verified images that admission reads
//     (projection_controller.go, projection_write.go), from what ImageReconciler has
//     decided (verified_images.go).
//
// Everything is level-triggered: events only say that it is time to look. A verdict that
// is stored on an object is output, never input.
package controllers
