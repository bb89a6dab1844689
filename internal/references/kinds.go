// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package references

import "google.golang.org/protobuf/encoding/protowire"

// Kind is a kind of objects with references.
type Kind struct {
	// Resource is the plural name, for RBAC and metrics.
	Resource string
	// path of the API, without the resource.
	path string
	// podSpec leads from the object to its PodSpec.
	podSpec []protowire.Number
	// isIdle reports whether the object creates no Pods any more, or is a Pod that has ended.
	isIdle func(object []byte) bool
}

// Numbers of fields that several kinds share (k8s.io/api, generated.proto).
const (
	fieldMetadata protowire.Number = 1
	fieldSpec     protowire.Number = 2
	fieldStatus   protowire.Number = 3
)

// Kinds returns every kind, in a fixed order.
func Kinds() []Kind {
	const core, apps, batch = "/api/v1", "/apis/apps/v1", "/apis/batch/v1"
	return []Kind{
		{Resource: "deployments", path: apps, podSpec: []protowire.Number{fieldSpec, 3, 2}},
		{Resource: "replicasets", path: apps, podSpec: []protowire.Number{fieldSpec, 3, 2}, isIdle: hasNoReplicas},
		{Resource: "replicationcontrollers", path: core, podSpec: []protowire.Number{fieldSpec, 3, 2}, isIdle: hasNoReplicas},
		{Resource: "statefulsets", path: apps, podSpec: []protowire.Number{fieldSpec, 3, 2}},
		{Resource: "daemonsets", path: apps, podSpec: []protowire.Number{fieldSpec, 2, 2}},
		{Resource: "jobs", path: batch, podSpec: []protowire.Number{fieldSpec, 6, 2}, isIdle: isFinishedJob},
		{Resource: "cronjobs", path: batch, podSpec: []protowire.Number{fieldSpec, 5, 2, 6, 2}},
		{Resource: "pods", path: core, podSpec: []protowire.Number{fieldSpec}, isIdle: isFinishedPod},
	}
}

// namespaces is the kind whose label opts out of discovery.
var namespaces = Kind{Resource: "namespaces", path: "/api/v1"}

// Resources returns the plural names of everything that is watched.
func Resources() []string {
	var resources []string
	for _, kind := range append(Kinds(), namespaces) {
		resources = append(resources, kind.Resource)
	}
	return resources
}

// hasNoReplicas is for ReplicaSets and ReplicationControllers. A Deployment keeps its old
// ReplicaSets with no replicas, to roll back to. The API server sets a default, so that the field
// is never absent.
func hasNoReplicas(object []byte) bool {
	idle := false
	walk(object, []protowire.Number{fieldSpec}, func(spec []byte) {
		eachField(spec, func(num protowire.Number, v value) {
			if num == 1 && v.bytes == nil {
				idle = v.varint == 0
			}
		})
	})
	return idle
}

func isFinishedPod(object []byte) bool {
	phase := text(object, fieldStatus, 1)
	return phase == "Succeeded" || phase == "Failed"
}

func isFinishedJob(object []byte) bool {
	finished := false
	walk(object, []protowire.Number{fieldStatus, 1}, func(condition []byte) {
		conditionType := text(condition, 1)
		if (conditionType == "Complete" || conditionType == "Failed") && text(condition, 2) == "True" {
			finished = true
		}
	})
	return finished
}
