// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestPodSecurity creates the manager's Pod in the manager's namespace, where the API
// server enforces the restricted Pod security standard.
func TestPodSecurity(t *testing.T) {
	if err := createPod(t, func(*corev1.PodSpec) {}); err != nil {
		t.Errorf("the manager's Pod is refused: %v", err)
	}
	// The check is on: a Pod that may gain privileges is refused.
	err := createPod(t, func(spec *corev1.PodSpec) {
		spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil
	})
	if !apierrors.IsForbidden(err) {
		t.Errorf("a Pod that may gain privileges: got %v, want it to be forbidden", err)
	}
}

// createPod tries to create the manager's Pod with a change.
func createPod(t *testing.T, change func(*corev1.PodSpec)) error {
	t.Helper()
	template := deployment(t).Spec.Template
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "manager", Namespace: "assay-system", Labels: template.Labels},
		Spec:       template.Spec,
	}
	change(&pod.Spec)
	return admin.Create(t.Context(), pod, client.DryRunAll)
}

// TestSelectors checks that the Service and the PodDisruptionBudget select the Pods.
func TestSelectors(t *testing.T) {
	pods := labels.Set(deployment(t).Spec.Template.Labels)
	var service corev1.Service
	key := client.ObjectKey{Namespace: "assay-system", Name: "assay-controller-manager-metrics-service"}
	if err := admin.Get(t.Context(), key, &service); err != nil {
		t.Fatal(err)
	}
	if !labels.SelectorFromSet(service.Spec.Selector).Matches(pods) {
		t.Errorf("the Service selects %v, the Pods have %v", service.Spec.Selector, pods)
	}
	var budget policyv1.PodDisruptionBudget
	key.Name = "assay-controller-manager"
	if err := admin.Get(t.Context(), key, &budget); err != nil {
		t.Fatal(err)
	}
	selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	if selector.Empty() || !selector.Matches(pods) {
		t.Errorf("the PodDisruptionBudget selects %v, the Pods have %v", selector, pods)
	}
}

func deployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	d := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: "assay-system", Name: "assay-controller-manager"}
	if err := admin.Get(t.Context(), key, d); err != nil {
		t.Fatal(err)
	}
	return d
}
