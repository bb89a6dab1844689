// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestRolesForPeople binds a user of its own to each role and asks for every verb.
func TestRolesForPeople(t *testing.T) {
	verbs := []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
	tests := map[string]struct {
		group, resource, want string
	}{
		"trustpolicy-viewer-role": {"assay.dev", "trustpolicies", "get list watch"},
		"trustpolicy-editor-role": {"assay.dev", "trustpolicies", "create delete get list patch update watch"},

		"registryconfig-viewer-role": {"assay.dev", "registryconfigs", "get list watch"},
		"registryconfig-editor-role": {"assay.dev", "registryconfigs", "create delete get list patch update watch"},
		"image-viewer-role":          {"image.openshift.io", "images", "get list watch"},
		"image-editor-role":          {"image.openshift.io", "images", "create delete get list patch update watch"},
		"image-auditor-role":         {"image.openshift.io", "images", "get list patch update watch"},
		"image-signer-role":          {"image.openshift.io", "images", "get patch"},
	}
	for role, tc := range tests {
		t.Run(role, func(t *testing.T) {
			user := "user-of-" + role
			bind(t, user, "assay-"+role, access{verb: "get", group: tc.group, resource: tc.resource})
			var got []string
			for _, verb := range verbs {
				if allowed(t, user, nil, access{verb: verb, group: tc.group, resource: tc.resource}) {
					got = append(got, verb)
				}
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("verbs (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAggregation applies the selectors of the API server's own roles, as a controller does
// that does not run here: who may read everything reads Images and TrustPolicies, and who
// may edit what is in a namespace does not edit what admits Pods everywhere.
func TestAggregation(t *testing.T) {
	var roles rbacv1.ClusterRoleList
	if err := admin.List(t.Context(), &roles, client.MatchingLabels{"app.kubernetes.io/part-of": "assay"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"view": {"assay-image-viewer-role", "assay-registryconfig-viewer-role", "assay-trustpolicy-viewer-role"}, "edit": nil, "admin": nil,
	} {
		var into rbacv1.ClusterRole
		if err := admin.Get(t.Context(), client.ObjectKey{Name: name}, &into); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, selector := range into.AggregationRule.ClusterRoleSelectors {
			s, err := metav1.LabelSelectorAsSelector(&selector)
			if err != nil {
				t.Fatal(err)
			}
			for _, role := range roles.Items {
				// Those of other tests have other names.
				if s.Matches(labels.Set(role.Labels)) && strings.HasPrefix(role.Name, "assay-") {
					got = append(got, role.Name)
				}
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("roles that become part of %s (-want +got):\n%s", name, diff)
		}
	}
}

// TestNoWildcards keeps "everything" out of every rule.
func TestNoWildcards(t *testing.T) {
	var roles rbacv1.ClusterRoleList
	if err := admin.List(t.Context(), &roles, client.MatchingLabels{"app.kubernetes.io/part-of": "assay"}); err != nil {
		t.Fatal(err)
	}
	if got, atLeast := len(roles.Items), kustomizations["rbac"]["ClusterRole"]; got < atLeast {
		t.Errorf("found %d cluster roles, there are at least %d", got, atLeast)
	}
	for _, role := range roles.Items {
		for _, rule := range role.Rules {
			all := slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.NonResourceURLs)
			if slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, "*") }) {
				t.Errorf("%s has a wildcard: %v", role.Name, rule)
			}
		}
	}
}

// bind gives a user a cluster role that allows something with the resource, and returns
// when the authorizer, which learns of it from a watch, knows.
func bind(t *testing.T, user, clusterRole string, known access) {
	t.Helper()
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
	if err := admin.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	if err := waitAllowed(t.Context(), user, known); err != nil {
		t.Fatal(err)
	}
}
