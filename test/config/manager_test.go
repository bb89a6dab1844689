// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
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

// TestComponentsSelect checks that what the optional components select is there: the
// ServiceMonitor the Service and its port, the NetworkPolicies the Pods and theirs.
func TestComponentsSelect(t *testing.T) {
	var service corev1.Service
	key := client.ObjectKey{Namespace: "assay-system", Name: "assay-controller-manager-metrics-service"}
	if err := admin.Get(t.Context(), key, &service); err != nil {
		t.Fatal(err)
	}
	template := deployment(t).Spec.Template
	monitors, policies := 0, 0
	for _, object := range build(t, "testdata/components") {
		switch object.GetKind() {
		case "ServiceMonitor":
			monitors++
			selector, _, err := unstructured.NestedStringMap(object.Object, "spec", "selector", "matchLabels")
			if err != nil || !labels.SelectorFromSet(selector).Matches(labels.Set(service.Labels)) {
				t.Errorf("the ServiceMonitor selects %v (error %v), the Service has %v", selector, err, service.Labels)
			}
			job := text(t, object.Object, "spec", "jobLabel")
			if service.Labels[job] != "assay" {
				t.Errorf("the job is called %q, and all expressions say assay", service.Labels[job])
			}
			endpoints, _, err := unstructured.NestedSlice(object.Object, "spec", "endpoints")
			if err != nil || text(t, endpoints[0].(map[string]any), "port") != service.Spec.Ports[0].Name {
				t.Errorf("the ServiceMonitor scrapes %v (error %v), the Service has %v", endpoints, err, service.Spec.Ports)
			}
		case "NetworkPolicy":
			policies++
			var policy networkingv1.NetworkPolicy
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &policy); err != nil {
				t.Fatal(err)
			}
			wantSelected(t, &policy, &template)
		}
	}
	if monitors != 1 || policies != 2 {
		t.Errorf("%d ServiceMonitors and %d NetworkPolicies", monitors, policies)
	}
}

// wantSelected checks that a policy is about the Pods, and lets others in by ports that they have.
func wantSelected(t *testing.T, policy *networkingv1.NetworkPolicy, template *corev1.PodTemplateSpec) {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
	if err != nil || !selector.Matches(labels.Set(template.Labels)) {
		t.Errorf("%s selects %v (error %v), the Pods have %v", policy.Name, selector, err, template.Labels)
	}
	if len(policy.Spec.PolicyTypes) != 2 {
		t.Errorf("%s is about %v only", policy.Name, policy.Spec.PolicyTypes)
	}
	for _, rule := range policy.Spec.Ingress {
		for _, port := range rule.Ports {
			if !slices.ContainsFunc(template.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool { return p.Name == port.Port.String() }) {
				t.Errorf("%s lets in by port %s, which the Pods do not have", policy.Name, port.Port)
			}
		}
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
