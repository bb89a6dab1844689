// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package shards writes what admission reads, for tests.
package shards

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// State is what admission knows: verified images as repository@digest, and the level of each scope.
type State struct {
	Images map[string]bool
	Scopes map[string]string
	// ValidUntil is absent when it is zero.
	ValidUntil time.Time
}

const buckets = 256

// Encode returns the shards of a state in a namespace; count is a power of two.
func Encode(state State, namespace string, count int) []*corev1.ConfigMap {
	lines := map[string][]string{}
	for image := range state.Images {
		digest := image[len(image)-64:]
		lines[digest[:2]] = append(lines[digest[:2]], image)
	}
	scopes := map[string][]string{}
	for scope, level := range state.Scopes {
		key := "scopes-" + strconv.Itoa(len(scope))
		scopes[key] = append(scopes[key], scope+" "+level)
	}
	var shards []*corev1.ConfigMap
	for index := range count {
		data := map[string]string{"format": "1"}
		if !state.ValidUntil.IsZero() {
			data["validUntil"] = state.ValidUntil.UTC().Format(time.RFC3339)
		}
		for key, text := range scopes {
			data[key] = frame(text)
		}
		for bucket := index * buckets / count; bucket < (index+1)*buckets/count; bucket++ {
			key := fmt.Sprintf("%02x", bucket)
			data[key] = frame(lines[key])
		}
		shards = append(shards, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: fmt.Sprintf("assay-verified-images-%d-%d", count, index),
				Labels: map[string]string{"assay.dev/projection": "verified-images", "app.kubernetes.io/name": "assay", "app.kubernetes.io/managed-by": "assay"},
			},
			Data: data,
		})
	}
	return shards
}

func frame(lines []string) string {
	text := "\n"
	for _, line := range slices.Sorted(slices.Values(lines)) {
		text += line + "\n"
	}
	return text
}
