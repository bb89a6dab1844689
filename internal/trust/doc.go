// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package trust holds what the operator trusts: every TrustPolicy with its keys parsed,
// ready to be looked up by image. [Store] makes immutable snapshots from the cache
// (store.go), keys are found in Secrets, ConfigMaps and policies (sources.go) and parsed when
// a policy is first needed (policy.go), and [Enqueuer] finds the Images that a change
// affects (enqueue.go), by the indexes of index.go.
package trust
