// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package shards makes the ConfigMaps that admission reads, for tests that need them in a
// number of their own choice.
package shards

import (
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assay-project/assay/internal/allowlist"
)

// State is what admission knows: verified images as repository@digest, and the level of each scope.
type State struct {
	Images map[string]bool
	Scopes map[string]string
	// ValidUntil is absent when it is zero.
	ValidUntil time.Time
}

// Encode returns the shards of a state in a namespace; count is a power of two.
func Encode(t testing.TB, state State, namespace string, count int) []*corev1.ConfigMap {
	t.Helper()
	levels := map[string]allowlist.Level{}
	for scope, level := range state.Scopes {
		levels[scope] = allowlist.Level(level)
	}
	list, err := allowlist.Split(allowlist.State{Images: slices.Collect(maps.Keys(state.Images)), Scopes: levels}, count)
	if err != nil {
		t.Fatal(err)
	}
	shards := make([]*corev1.ConfigMap, len(list))
	for i := range list {
		list[i].SetValidUntil(state.ValidUntil)
		shards[i] = &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: list[i].Name, Labels: list[i].Labels},
			Data:       list[i].Data,
		}
	}
	return shards
}
