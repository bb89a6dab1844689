// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package references

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unique"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
)

// encode returns what an API server sends for an object or list.
func encode(tb testing.TB, obj runtime.Object) []byte {
	tb.Helper()
	kinds, _, err := scheme.Scheme.ObjectKinds(obj)
	if err != nil {
		tb.Fatal(err)
	}
	obj.GetObjectKind().SetGroupVersionKind(kinds[0])
	var b bytes.Buffer
	if err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(obj, &b); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// frame returns an event of a watch.
func frame(tb testing.TB, eventType watch.EventType, object []byte) []byte {
	tb.Helper()
	event := metav1.WatchEvent{Type: string(eventType), Object: runtime.RawExtension{Raw: object}}
	raw, err := event.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(raw))), raw...)
}

// kindOf returns a kind and its index by its resource.
func kindOf(tb testing.TB, resource string) (*Kind, int) {
	tb.Helper()
	kinds := append(Kinds(), namespaces)
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Resource == resource })
	if i < 0 {
		tb.Fatalf("no kind %s", resource)
	}
	return &kinds[i], i
}

// meta has what workloads have beside their name, so that there is something to pass over.
func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: "shop", Name: name, UID: "4f2e8c1e-0000-4000-8000-000000000000", ResourceVersion: "17",
		Labels: map[string]string{"app": "web"}, Annotations: map[string]string{"note": strings.Repeat("x", 300)},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m", FieldsV1: metav1.NewFieldsV1(strings.Repeat("[", 9999))}},
	}
}

// podSpec has a reference of every kind, each with prefix.
func podSpec(prefix string) corev1.PodSpec {
	container := corev1.Container{
		Name: "c", Image: prefix + "/container", Command: []string{"run"}, Env: []corev1.EnvVar{{Name: "IMAGE", Value: "no/image"}},
		LivenessProbe: &corev1.Probe{PeriodSeconds: 3},
	}
	initContainer := corev1.Container{Name: "i", Image: prefix + "/init"}
	return corev1.PodSpec{
		Containers:     []corev1.Container{container, container, {Name: "empty"}},
		InitContainers: []corev1.Container{initContainer},
		EphemeralContainers: []corev1.EphemeralContainer{
			{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "e", Image: prefix + "/ephemeral"}},
		},
		Volumes: []corev1.Volume{
			{Name: "v", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: prefix + "/volume"}}},
			{Name: "s", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "no/image"}}},
		},
		NodeName: "n1",
	}
}

// wanted are the references of podSpec, sorted.
func wanted(prefix string) []string {
	return []string{prefix + "/container", prefix + "/ephemeral", prefix + "/init", prefix + "/volume"}
}

func template(prefix string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: meta("template"), Spec: podSpec(prefix)}
}

// workload is an object with references.
type workload struct {
	resource string
	object   runtime.Object
	idle     bool
}

// workloads has every kind in every state that counts, by name. Each refers to podSpec(name).
func workloads() map[string]workload {
	job := func(name string, condition batchv1.JobConditionType, status corev1.ConditionStatus) *batchv1.Job {
		return &batchv1.Job{
			ObjectMeta: meta(name), Spec: batchv1.JobSpec{Parallelism: ptr.To[int32](0), Template: template(name)},
			Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{
				{Type: "SuccessCriteriaMet", Status: corev1.ConditionTrue}, {Type: condition, Status: status},
			}},
		}
	}
	replicaSet := func(name string, replicas *int32) *appsv1.ReplicaSet {
		return &appsv1.ReplicaSet{ObjectMeta: meta(name), Spec: appsv1.ReplicaSetSpec{Replicas: replicas, Template: template(name)}}
	}
	replicationController := func(name string, replicas int32) *corev1.ReplicationController {
		t := template(name)
		return &corev1.ReplicationController{ObjectMeta: meta(name), Spec: corev1.ReplicationControllerSpec{Replicas: &replicas, Template: &t}}
	}
	pod := func(name string, phase corev1.PodPhase) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: meta(name), Spec: podSpec(name), Status: corev1.PodStatus{Phase: phase, Message: "Succeeded"}}
	}
	return map[string]workload{
		"deployment":       {"deployments", &appsv1.Deployment{ObjectMeta: meta("deployment"), Spec: appsv1.DeploymentSpec{Template: template("deployment")}}, false},
		"scaled-down":      {"deployments", &appsv1.Deployment{ObjectMeta: meta("scaled-down"), Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](0), Template: template("scaled-down")}}, false},
		"replicaset":       {"replicasets", replicaSet("replicaset", ptr.To[int32](1)), false},
		"old-replicaset":   {"replicasets", replicaSet("old-replicaset", ptr.To[int32](0)), true},
		"bare-replicaset":  {"replicasets", replicaSet("bare-replicaset", nil), false},
		"controller":       {"replicationcontrollers", replicationController("controller", 2), false},
		"old-controller":   {"replicationcontrollers", replicationController("old-controller", 0), true},
		"statefulset":      {"statefulsets", &appsv1.StatefulSet{ObjectMeta: meta("statefulset"), Spec: appsv1.StatefulSetSpec{Template: template("statefulset")}}, false},
		"daemonset":        {"daemonsets", &appsv1.DaemonSet{ObjectMeta: meta("daemonset"), Spec: appsv1.DaemonSetSpec{Template: template("daemonset")}}, false},
		"job":              {"jobs", job("job", batchv1.JobSuspended, corev1.ConditionTrue), false},
		"job-not-complete": {"jobs", job("job-not-complete", batchv1.JobComplete, corev1.ConditionFalse), false},
		"complete-job":     {"jobs", job("complete-job", batchv1.JobComplete, corev1.ConditionTrue), true},
		"failed-job":       {"jobs", job("failed-job", batchv1.JobFailed, corev1.ConditionTrue), true},
		"cronjob": {"cronjobs", &batchv1.CronJob{
			ObjectMeta: meta("cronjob"), Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: template("cronjob")}}},
		}, false},
		"pending-pod":   {"pods", pod("pending-pod", corev1.PodPending), false},
		"running-pod":   {"pods", pod("running-pod", corev1.PodRunning), false},
		"succeeded-pod": {"pods", pod("succeeded-pod", corev1.PodSucceeded), true},
		"failed-pod":    {"pods", pod("failed-pod", corev1.PodFailed), true},
	}
}

// object is an Object as decode returns it.
func object(namespace, name string, idle bool, references ...string) *Object {
	o := &Object{name: name, namespace: unique.Make(namespace)}
	if len(references) > 0 {
		o.set = unique.Make(set{references: strings.Join(references, separator), idle: idle})
	}
	return o
}

// content returns what a table holds: "reference: active namespaces", sorted.
func content(t *Table) []string {
	var lines []string
	t.Each(func(r Reference) {
		slices.Sort(r.Namespaces)
		lines = append(lines, fmt.Sprintf("%s: %s", r.Text.Value(), strings.Join(r.Namespaces, " ")))
	})
	slices.Sort(lines)
	return lines
}
