// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"fmt"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

const managerAccount = "system:serviceaccount:assay-system:assay-controller-manager"

// managerGrants is one permission from each role that config/default binds to the manager.
var managerGrants = []access{
	{verb: "list", group: "image.openshift.io", resource: "images"},
	{verb: "list", resource: "secrets", namespace: "assay-system"},
	{verb: "create", group: "coordination.k8s.io", resource: "leases", namespace: "assay-system"},
	{verb: "create", group: "authentication.k8s.io", resource: "tokenreviews"},
}

// access is a question to the API server's authorizer.
type access struct {
	verb, group, resource, subresource, namespace, name string
}

// TestManagerPermissions asks the API server what the manager's account may do, and about
// what somebody who took it over would like to do.
func TestManagerPermissions(t *testing.T) {
	const own, other = "assay-system", "kube-system"
	tests := map[string]struct {
		want bool
		asks []access
	}{
		"reads images and adds verdicts": {true, []access{
			{verb: "list", group: "image.openshift.io", resource: "images"},
			{verb: "watch", group: "image.openshift.io", resource: "images"},
			{verb: "patch", group: "image.openshift.io", resource: "images"},
			{verb: "patch", group: "image.openshift.io", resource: "images", subresource: "status"},
			{verb: "update", group: "image.openshift.io", resource: "images", subresource: "verdict"},
		}},
		"makes images of what workloads refer to, and removes them": {true, []access{
			{verb: "create", group: "image.openshift.io", resource: "images"},
			{verb: "delete", group: "image.openshift.io", resource: "images"},
		}},
		"reads workloads": {true, []access{
			{verb: "list", resource: "namespaces"},
			{verb: "watch", resource: "pods"},
			{verb: "list", resource: "replicationcontrollers"},
			{verb: "watch", group: "apps", resource: "deployments"},
			{verb: "list", group: "apps", resource: "replicasets"},
			{verb: "watch", group: "apps", resource: "statefulsets"},
			{verb: "list", group: "apps", resource: "daemonsets"},
			{verb: "watch", group: "batch", resource: "jobs"},
			{verb: "list", group: "batch", resource: "cronjobs"},
		}},
		"changes no workloads": {false, []access{
			{verb: "create", resource: "pods"},
			{verb: "delete", resource: "pods"},
			{verb: "patch", resource: "pods"},
			{verb: "update", resource: "pods", subresource: "ephemeralcontainers"},
			{verb: "create", resource: "pods", subresource: "exec"},
			{verb: "get", resource: "pods", subresource: "log"},
			{verb: "patch", resource: "namespaces"},
			{verb: "patch", group: "apps", resource: "deployments"},
			{verb: "update", group: "apps", resource: "daemonsets"},
			{verb: "create", group: "batch", resource: "jobs"},
		}},
		"replaces no images": {false, []access{
			{verb: "update", group: "image.openshift.io", resource: "images"},
			{verb: "deletecollection", group: "image.openshift.io", resource: "images"},
		}},
		"reads policies and adds their status": {true, []access{
			{verb: "list", group: "assay.dev", resource: "trustpolicies"},
			{verb: "watch", group: "assay.dev", resource: "trustpolicies"},
			{verb: "patch", group: "assay.dev", resource: "trustpolicies", subresource: "status"},
			{verb: "list", group: "assay.dev", resource: "registryconfigs"},
			{verb: "watch", group: "assay.dev", resource: "registryconfigs"},
			{verb: "patch", group: "assay.dev", resource: "registryconfigs", subresource: "status"},
		}},
		"finds the API servers": {true, []access{
			{verb: "get", group: "discovery.k8s.io", resource: "endpointslices", namespace: "default", name: "kubernetes"},
		}},
		"reads no other addresses": {false, []access{
			{verb: "get", group: "discovery.k8s.io", resource: "endpointslices", namespace: "default", name: "another"},
			{verb: "list", group: "discovery.k8s.io", resource: "endpointslices", namespace: "default"},
			{verb: "watch", group: "discovery.k8s.io", resource: "endpointslices"},
			{verb: "update", group: "discovery.k8s.io", resource: "endpointslices", namespace: "default", name: "kubernetes"},
		}},
		"changes no policies": {false, []access{
			{verb: "create", group: "assay.dev", resource: "trustpolicies"},
			{verb: "update", group: "assay.dev", resource: "trustpolicies"},
			{verb: "patch", group: "assay.dev", resource: "trustpolicies"},
			{verb: "delete", group: "assay.dev", resource: "trustpolicies"},
			{verb: "create", group: "assay.dev", resource: "registryconfigs"},
			{verb: "update", group: "assay.dev", resource: "registryconfigs"},
			{verb: "patch", group: "assay.dev", resource: "registryconfigs"},
			{verb: "delete", group: "assay.dev", resource: "registryconfigs"},
		}},
		"reads keys in its own namespace": {true, []access{
			{verb: "list", resource: "secrets", namespace: own},
			{verb: "watch", resource: "secrets", namespace: own},
			{verb: "list", resource: "configmaps", namespace: own},
			{verb: "watch", resource: "configmaps", namespace: own},
		}},
		"writes the allowlist": {true, []access{
			{verb: "create", resource: "configmaps", namespace: own},
			{verb: "update", resource: "configmaps", namespace: own},
			{verb: "delete", resource: "configmaps", namespace: own},
			{verb: "update", group: "assay.dev", resource: "allowlists", namespace: own},
		}},
		"reads keys nowhere else and writes none": {false, []access{
			{verb: "get", resource: "secrets", namespace: other},
			{verb: "list", resource: "secrets"},
			{verb: "watch", resource: "secrets"},
			{verb: "list", resource: "configmaps"},
			{verb: "create", resource: "configmaps", namespace: other},
			{verb: "update", resource: "configmaps", namespace: other},
			{verb: "delete", resource: "configmaps", namespace: other},
			{verb: "deletecollection", resource: "configmaps", namespace: own},
			{verb: "update", group: "assay.dev", resource: "allowlists", namespace: other},
			{verb: "create", resource: "secrets", namespace: own},
			{verb: "update", resource: "secrets", namespace: own},
			{verb: "patch", resource: "secrets", namespace: own},
			{verb: "delete", resource: "secrets", namespace: own},
		}},
		"leads": {true, []access{
			{verb: "create", group: "coordination.k8s.io", resource: "leases", namespace: own},
			{verb: "get", group: "coordination.k8s.io", resource: "leases", namespace: own, name: "assay-manager"},
			{verb: "update", group: "coordination.k8s.io", resource: "leases", namespace: own, name: "assay-manager"},
			{verb: "create", resource: "events", namespace: own},
		}},
		"touches no other lease": {false, []access{
			{verb: "update", group: "coordination.k8s.io", resource: "leases", namespace: own, name: "another"},
			{verb: "update", group: "coordination.k8s.io", resource: "leases", namespace: other, name: "assay-manager"},
			{verb: "create", group: "coordination.k8s.io", resource: "leases", namespace: other},
		}},
		// Events about objects without a namespace go to the namespace default.
		"records events and guards metrics": {true, []access{
			{verb: "create", group: "events.k8s.io", resource: "events", namespace: "default"},
			{verb: "create", group: "authentication.k8s.io", resource: "tokenreviews"},
			{verb: "create", group: "authorization.k8s.io", resource: "subjectaccessreviews"},
		}},
		"has no way to more": {false, []access{
			{verb: "get", resource: "pods", namespace: own},
			{verb: "create", resource: "pods", namespace: own},
			{verb: "create", resource: "serviceaccounts", subresource: "token", namespace: own},
			{verb: "update", group: "rbac.authorization.k8s.io", resource: "roles", namespace: own},
			{verb: "update", group: "apiextensions.k8s.io", resource: "customresourcedefinitions"},
			{verb: "impersonate", resource: "users"},
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			for _, ask := range tc.asks {
				if got := allowed(t, managerAccount, nil, ask); got != tc.want {
					t.Errorf("%+v: allowed is %v, want %v", ask, got, tc.want)
				}
			}
		})
	}
}

// allowed asks whether a user may do something.
func allowed(t *testing.T, user string, groups []string, ask access) bool {
	t.Helper()
	ok, err := reviewAccess(t.Context(), user, groups, ask)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func reviewAccess(ctx context.Context, user string, groups []string, ask access) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:   user,
		Groups: groups,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: ask.verb, Group: ask.group, Resource: ask.resource, Subresource: ask.subresource,
			Namespace: ask.namespace, Name: ask.name,
		},
	}}
	err := admin.Create(ctx, review)
	return review.Status.Allowed, err
}

// bindingTimeout bounds the wait for a binding to take effect, which takes milliseconds.
const bindingTimeout = time.Minute

// waitAllowed returns when a user may do all that is asked: the authorizer learns of roles
// and bindings from watches, a moment after they were made.
func waitAllowed(ctx context.Context, user string, asks ...access) error {
	for _, ask := range asks {
		err := wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, bindingTimeout, true, func(ctx context.Context) (bool, error) {
			return reviewAccess(ctx, user, nil, ask)
		})
		if err != nil {
			return fmt.Errorf("waiting for %s to be allowed %+v: %w", user, ask, err)
		}
	}
	return nil
}
