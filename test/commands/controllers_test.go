// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
)

// startControllers runs until the test ends what kubectl waits for: kube-controller-manager, which
// makes the Pods of Deployments and ends namespaces, and what a kubelet would report.
func (c *cluster) startControllers(t *testing.T) {
	t.Helper()
	if err := c.ControllerManager.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error)
	go func() {
		done <- wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
			// Another writer may be faster, and the next round finds out.
			if err := c.reportReady(ctx); err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
				return false, err
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

// reportReady writes the status of Pods as if they ran.
func (c *cluster) reportReady(ctx context.Context) error {
	var pods corev1.PodList
	if err := c.client.List(ctx, &pods); err != nil {
		return err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Status.Phase == corev1.PodRunning {
			continue
		}
		pod.Status.Phase = corev1.PodRunning
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		if err := c.client.Status().Update(ctx, pod); err != nil {
			return err
		}
	}
	return nil
}
