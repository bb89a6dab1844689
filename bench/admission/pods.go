// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Namespaces of the Pods.
const (
	judged   = "judged"
	unjudged = "unjudged" // With the label that turns the policies off.
)

// warmUp is how many Pods are created before any is counted.
const warmUp = 20

func namespaces() []client.Object {
	off := map[string]string{"assay.dev/verification": "disabled"}
	return []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: judged}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: unjudged, Labels: off}},
	}
}

func pod(namespace string, images ...string) *corev1.Pod {
	token := false
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "bench-"}}
	p.Spec.AutomountServiceAccountToken = &token
	for n, image := range images {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: fmt.Sprintf("c%d", n), Image: image})
	}
	return p
}

// latencies are the times that creating Pods took, sorted.
type latencies struct{ with, without []time.Duration }

// median of the difference that the policies make is that of the medians: single requests
// differ by more than that.
func (l latencies) median() (with, without time.Duration) {
	return percentile(l.with, 50), percentile(l.without, 50)
}

// overhead is how much longer the median request takes with the policies.
func (l latencies) overhead() time.Duration {
	with, without := l.median()
	return with - without
}

func (l *latencies) add(other latencies) {
	l.with = append(l.with, other.with...)
	l.without = append(l.without, other.without...)
	slices.Sort(l.with)
	slices.Sort(l.without)
}

// createPods creates Pods with the policies and without, taking turns, and removes them.
// images returns the image of a container.
func (b *bench) createPods(ctx context.Context, pods, containers int, images func(n int) string) (l latencies, err error) {
	for n := range warmUp + pods {
		list := make([]string, containers)
		for i := range list {
			list[i] = images(n*containers + i)
		}
		took := map[string]time.Duration{}
		order := []string{judged, unjudged}
		if n%2 == 1 {
			slices.Reverse(order) // Whoever comes second finds warm caches.
		}
		for _, namespace := range order {
			p := pod(namespace, list...)
			begin := time.Now()
			if err := b.Create(ctx, p); err != nil {
				return l, err
			}
			took[namespace] = time.Since(begin)
		}
		if n >= warmUp {
			l.with = append(l.with, took[judged])
			l.without = append(l.without, took[unjudged])
		}
	}
	slices.Sort(l.with)
	slices.Sort(l.without)
	for _, namespace := range []string{judged, unjudged} {
		if err := b.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(namespace), client.GracePeriodSeconds(0)); err != nil {
			return l, err
		}
	}
	return l, nil
}

// percentile returns the value in a sorted list that so many per cent do not exceed.
func percentile(sorted []time.Duration, percent int) time.Duration {
	const hundred = 100
	return sorted[(len(sorted)*percent+hundred-1)/hundred-1]
}
