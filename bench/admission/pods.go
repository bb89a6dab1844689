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

	"github.com/assay-project/assay/bench/observe"
)

// Namespaces of the Pods.
const (
	enforced = "enforced"
	exempt   = "exempt" // With the label that turns the policies off.
)

// warmUp is the number of Pods created before the measurement.
const warmUp = 20

func namespaces() []client.Object {
	off := map[string]string{"assay.dev/verification": "disabled"}
	return []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: enforced}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: exempt, Labels: off}},
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

// latencies are the durations of creating Pods, sorted.
type latencies struct{ with, without []time.Duration }

// median returns both medians. The cost of the policies is their difference: single requests vary
// more than that.
func (l latencies) median() (with, without time.Duration) {
	return observe.Percentile(l.with, 50), observe.Percentile(l.without, 50)
}

// overhead is the additional time of the median request with the policies.
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

// createPods alternately creates Pods with and without the policies and removes them. images
// returns the image of a container.
func (b *bench) createPods(ctx context.Context, pods, containers int, images func(n int) string) (l latencies, err error) {
	for n := range warmUp + pods {
		list := make([]string, containers)
		for i := range list {
			list[i] = images(n*containers + i)
		}
		took := map[string]time.Duration{}
		order := []string{enforced, exempt}
		if n%2 == 1 {
			slices.Reverse(order) // The second one finds warm caches.
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
			l.with = append(l.with, took[enforced])
			l.without = append(l.without, took[exempt])
		}
	}
	slices.Sort(l.with)
	slices.Sort(l.without)
	for _, namespace := range []string{enforced, exempt} {
		if err := b.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(namespace), client.GracePeriodSeconds(0)); err != nil {
			return l, err
		}
	}
	return l, nil
}
