// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// request is a request to the API server.
type request struct {
	verb, group string
	resource    string // With "/" and the subresource, or the path of a non-resource request.
	namespace   string
	name        string
	status      int
}

func (r request) String() string {
	return fmt.Sprintf("%s %s/%s %s/%s: %d", r.verb, r.group, r.resource, r.namespace, r.name, r.status)
}

// permission is one verb on one resource, the smallest part of a rule.
type permission struct {
	role           string
	verb, group    string
	resource, name string // The name is empty for all.
	namespace      string // Empty for all.
}

func (p permission) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s: %s %s/%s %s", p.role, p.verb, p.group, p.resource, p.name))
}

// covers reports whether the permission allows a request. Requests that create an object do not
// have its name.
func (p permission) covers(r request) bool {
	return p.verb == r.verb && p.group == r.group && p.resource == r.resource &&
		(p.namespace == "" || p.namespace == r.namespace) && (p.name == "" || p.name == r.name)
}

// unused returns the permissions that no request needed.
func unused(permissions []permission, requests []request) []string {
	var list []string
	for _, p := range permissions {
		if !slices.ContainsFunc(requests, func(r request) bool { return r.status != http.StatusForbidden && p.covers(r) }) {
			list = append(list, p.String())
		}
	}
	slices.Sort(list)
	return list
}

// forbidden returns the requests that were refused.
func forbidden(requests []request) []string {
	var list []string
	for _, r := range requests {
		if r.status == http.StatusForbidden {
			list = append(list, r.String())
		}
	}
	return list
}

// permissionsOf returns the permissions that the bindings among the objects grant to a service
// account.
func permissionsOf(t *testing.T, objects []*unstructured.Unstructured, namespace, account string) []permission {
	t.Helper()
	roles := map[string][]rbacv1.PolicyRule{}
	for _, object := range objects {
		if kind := object.GetKind(); kind == "Role" || kind == "ClusterRole" {
			var role rbacv1.ClusterRole // Role has the same relevant fields.
			convert(t, object, &role)
			roles[kind+"/"+role.Namespace+"/"+role.Name] = role.Rules
		}
	}
	var list []permission
	for _, object := range objects {
		if kind := object.GetKind(); kind != "RoleBinding" && kind != "ClusterRoleBinding" {
			continue
		}
		var binding rbacv1.RoleBinding
		convert(t, object, &binding)
		if !slices.Contains(binding.Subjects, rbacv1.Subject{Kind: "ServiceAccount", Namespace: namespace, Name: account}) {
			continue
		}
		key := binding.RoleRef.Kind + "//" + binding.RoleRef.Name
		if binding.RoleRef.Kind == "Role" {
			key = "Role/" + binding.Namespace + "/" + binding.RoleRef.Name
		}
		rules, ok := roles[key]
		if !ok {
			t.Fatalf("%s %s binds %s, which is not among the objects", object.GetKind(), binding.Name, key)
		}
		list = append(list, expand(t, rules, binding.RoleRef.Name, binding.Namespace)...)
	}
	return list
}

func convert(t *testing.T, object *unstructured.Unstructured, into any) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into); err != nil {
		t.Fatal(err)
	}
}

func expand(t *testing.T, rules []rbacv1.PolicyRule, role, namespace string) []permission {
	t.Helper()
	var list []permission
	for _, rule := range rules {
		parts := slices.Concat(rule.Verbs, rule.APIGroups, rule.Resources)
		if slices.Contains(parts, "*") || len(rule.NonResourceURLs) > 0 {
			t.Errorf("role %s: %v allows more than can be checked", role, rule)
		}
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, verb := range rule.Verbs {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, name := range names {
						list = append(list, permission{role, verb, group, resource, name, namespace})
					}
				}
			}
		}
	}
	return list
}

// TestComparison checks that the comparison finds unused and missing permissions.
func TestComparison(t *testing.T) {
	rules := []rbacv1.PolicyRule{
		{Verbs: []string{"get", "list"}, APIGroups: []string{""}, Resources: []string{"secrets"}},
		{Verbs: []string{"update"}, APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, ResourceNames: []string{"mine"}},
	}
	permissions := expand(t, rules, "role", "ns")
	requests := []request{
		{"get", "", "secrets", "ns", "a", http.StatusNotFound},
		{"list", "", "secrets", "elsewhere", "", http.StatusOK},
		{"list", "", "secrets", "", "", http.StatusForbidden},
		{"update", "coordination.k8s.io", "leases", "ns", "other", http.StatusOK},
	}
	want := []string{"role: list /secrets", "role: update coordination.k8s.io/leases mine"}
	if diff := cmp.Diff(want, unused(permissions, requests)); diff != "" {
		t.Errorf("unused (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"list /secrets /: 403"}, forbidden(requests)); diff != "" {
		t.Errorf("forbidden (-want +got):\n%s", diff)
	}
}
