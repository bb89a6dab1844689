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
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
		list[i].SetEpoch(epoch)
		shards[i] = &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: list[i].Name, Labels: list[i].Labels},
			Data:       list[i].Data,
		}
	}
	return shards
}

// epoch is that of all shards that Encode makes. Fence lets it count.
const epoch = "test"

// FenceName is the name of what Fence makes.
const FenceName = "test-fence"

// Fence returns a Role and a RoleBinding that let the epochs of all shards count that Encode
// makes, beside the fence that the operator writes.
func Fence(namespace string) []client.Object {
	rule := rbacv1.PolicyRule{APIGroups: []string{"assay.dev"}, Resources: []string{"allowlists"}, Verbs: []string{"use"}}
	for count := 1; count <= 256; count *= 2 {
		for i := range count {
			rule.ResourceNames = append(rule.ResourceNames, allowlist.FenceName(allowlist.Name(count, i), epoch))
		}
	}
	meta := metav1.ObjectMeta{Namespace: namespace, Name: FenceName}
	return []client.Object{
		&rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{rule}},
		&rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: FenceName},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: allowlist.FenceAccount}},
		},
	}
}
