// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package policyconvert makes TrustPolicies of what other programs use to say who may sign images: the file of
// containers-policy.json(5), and OpenShift's ClusterImagePolicy and ImagePolicy (config.openshift.io).
//
// What a TrustPolicy cannot say is not left out in silence: every such thing becomes a Note. A converted policy
// never trusts a key for an image that is not in the key files which the original names for it, unless a Note says so.
//
//	containers-policy.json                     TrustPolicy
//	a scope of the docker transport            scopes
//	several requirements of a scope: all       several TrustPolicies with that scope: all
//	signedBy, GPGKeys                          keys; keyPaths: one of several
//	signedIdentity, all six                    signedIdentity
//	insecureAcceptAnything beside others       nothing: it asks for nothing
//	reject, sigstoreSigned, signedBaseLayer,   a Note
//	other transports, default
//
// The package reads no files itself: a function that is given to it does. Its results depend on its input alone.
package policyconvert
