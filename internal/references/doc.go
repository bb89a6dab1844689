// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package references is a table of the images that workloads refer to: those of Pods and of the
// Pod templates of Deployments, ReplicaSets, ReplicationControllers, StatefulSets, DaemonSets,
// Jobs and CronJobs, with all kinds of containers and with image volumes.
//
// A cluster has a hundred thousand Pods and a few hundred distinct images. The table therefore
// keeps the name of each object and one pointer to its set of references, which all Pods of a
// workload share. No object is kept as a whole, not even for the length of a list.
//
// # Decoding
//
// Workloads are written by strangers. Lists and watches are read in the protobuf encoding of
// Kubernetes (k8s.io/api, generated.proto), whose messages say how long they are: a few fields are
// picked out and everything else is passed over without being looked at, so that neither its depth
// nor its content matters. An object that is too large to read is left out, and the list or watch
// goes on with the next one. Bounds are in limits.go.
//
// client-go's Reflector drives lists and watches as it does for every informer.
package references
