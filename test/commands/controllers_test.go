// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// startControllers does until the test ends what kubectl waits for and a cluster's controllers
// do: it empties namespaces that are deleted, and reports Deployments as rolled out. Neither
// controller is part of the API server.
func (c *cluster) startControllers(t *testing.T) {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error)
	go func() {
		done <- wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
			for _, step := range []func(context.Context, kubernetes.Interface) error{c.finishNamespaces, c.finishRollouts} {
				// Another writer may be faster, and the next round finds out.
				if err := step(ctx, clientset); err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
					return false, err
				}
			}
			return false, nil
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := ignoreEnd(<-done); err != nil {
			t.Error(err)
		}
	})
}

// finishNamespaces removes namespaces that are being deleted. kubectl has deleted everything in
// them but for what the operator writes.
func (c *cluster) finishNamespaces(ctx context.Context, clientset kubernetes.Interface) error {
	var namespaces corev1.NamespaceList
	if err := c.client.List(ctx, &namespaces); err != nil {
		return err
	}
	for _, namespace := range namespaces.Items {
		if namespace.DeletionTimestamp == nil {
			continue
		}
		for _, kind := range []client.Object{&corev1.ConfigMap{}, &rbacv1.Role{}, &rbacv1.RoleBinding{}} {
			if err := c.client.DeleteAllOf(ctx, kind, client.InNamespace(namespace.Name)); err != nil {
				return err
			}
		}
		namespace.Spec.Finalizers = nil
		if _, err := clientset.CoreV1().Namespaces().Finalize(ctx, &namespace, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// finishRollouts writes the status of Deployments whose Pods all run.
func (c *cluster) finishRollouts(ctx context.Context, _ kubernetes.Interface) error {
	var deployments appsv1.DeploymentList
	if err := c.client.List(ctx, &deployments); err != nil {
		return err
	}
	for i := range deployments.Items {
		d := &deployments.Items[i]
		if d.Status.ObservedGeneration == d.Generation || d.DeletionTimestamp != nil {
			continue
		}
		replicas := *d.Spec.Replicas
		d.Status = appsv1.DeploymentStatus{
			ObservedGeneration: d.Generation, Replicas: replicas, UpdatedReplicas: replicas,
			ReadyReplicas: replicas, AvailableReplicas: replicas,
		}
		if err := c.client.Status().Update(ctx, d); err != nil {
			return err
		}
	}
	return nil
}
