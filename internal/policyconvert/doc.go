// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package policyconvert makes TrustPolicies and RegistryConfigs. TrustPolicies come from what other programs use to say
// who may sign images: the file of containers-policy.json(5), OpenShift's ClusterImagePolicy and ImagePolicy
// (config.openshift.io), the ClusterImagePolicy of policy-controller (policy.sigstore.dev), and Kyverno's ClusterPolicy
// and Policy with verifyImages (kyverno.io).
//
// What a TrustPolicy cannot say is not left out in silence: every such thing becomes a Note. A converted policy
// never trusts a key for an image that is not in the key files which the original names for it, unless a Note says so.
//
//	containers-policy.json                     TrustPolicy
//	a scope of the docker transport            scopes
//	several requirements of a scope: all       several TrustPolicies with that scope: all
//	signedBy, GPGKeys                          keys; keyPaths: one of several
//	sigstoreSigned, keys                       keys, with transparencyLog where a key of Rekor is given
//	sigstoreSigned, fulcio or pki              signers
//	signedIdentity, all six                    signedIdentity
//	insecureAcceptAnything beside others       nothing: it asks for nothing
//	reject, signedBaseLayer,                   a Note
//	other transports, default
//
// Of policy-controller and Kyverno, keys and exact identities are carried over. Patterns of names become scopes where they
// are prefixes; regular expressions and wildcards in identities become a Note with a suggestion. All of their policies
// whose pattern matches an image apply to it, and of TrustPolicies those with the most specific scope: the wider ones get
// the scopes of the narrower ones too.
//
// Files of containers-registries.d(5) and containers-registries.conf(5) become RegistryConfigs, which take over nothing
// from each other: each gets what wider scopes say as well (registries.go).
//
// The package reads no files itself: a function that is given to it does. Its results depend on its input alone.
package policyconvert
