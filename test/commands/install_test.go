// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"slices"
	"strings"
	"testing"
)

// step is what a reader does, and what undoes it.
type step struct {
	do, undo []string
	// check checks what was done; what was undone leaves nothing.
	check func(t *testing.T, c *cluster)
}

const removeAdmission = "kubectl delete validatingadmissionpolicybindings,validatingadmissionpolicies -l app.kubernetes.io/part-of=assay,app.kubernetes.io/component=admission"

const removeMutation = "kubectl delete mutatingadmissionpolicybindings,mutatingadmissionpolicies -l app.kubernetes.io/part-of=assay,app.kubernetes.io/component=admission"

const removeAnchor = "kubectl delete --ignore-not-found validatingadmissionpolicybinding,validatingadmissionpolicy allowlist-informer-anchor"

// installations are the ways in docs/install.md to install Assay.
var installations = map[string]step{
	"kustomization": {
		do: []string{
			"kubectl apply --server-side -k config/default",
			"kubectl -n assay-system rollout status deployment/assay-controller-manager",
		},
		undo:  []string{removeAdmission, removeMutation, "kubectl delete --ignore-not-found -k config/default"},
		check: wantImage("assay:v0.1.0"),
	},
	"make": {
		do:    []string{"make deploy IMG=registry.example.com/assay:v0.1.0"},
		undo:  []string{"make undeploy ignore-not-found=true"},
		check: wantImage("registry.example.com/assay:v0.1.0"),
	},
	"file": {
		do:    []string{"make build-installer", "kubectl apply --server-side -f dist/install.yaml"},
		undo:  []string{removeAdmission, removeMutation, "kubectl delete --ignore-not-found -f dist/install.yaml"},
		check: wantImage("assay:v0.1.0"),
	},
	"components": {
		do: []string{
			"kubectl apply --server-side -k ../assay-installation",
			"kubectl diff --server-side -k ../assay-installation",
		},
		undo: []string{removeAdmission, removeMutation, "kubectl delete --ignore-not-found -k ../assay-installation"},
		check: func(t *testing.T, c *cluster) {
			for kind, name := range map[string]string{
				"validatingadmissionpolicybinding": "image-verification",
				"servicemonitor":                   "-n assay-system assay-controller-manager-metrics-monitor",
				"configmap":                        "-n assay-system assay-dashboard",
				"networkpolicy":                    "-n assay-system assay-default-deny",
			} {
				c.sh(t, "kubectl get "+kind+" "+name)
			}
		},
	},
}

func wantImage(want string) func(t *testing.T, c *cluster) {
	return func(t *testing.T, c *cluster) {
		t.Helper()
		got := c.sh(t, "kubectl -n assay-system get deployment assay-controller-manager -o jsonpath='{.spec.template.spec.containers[*].image}'")
		if got != want {
			t.Errorf("the operator's image is %s, want %s", got, want)
		}
	}
}

// TestInstall installs Assay in every way that docs/install.md shows, and removes it again.
func TestInstall(t *testing.T) {
	c := newCluster(t)
	doc := readDocument(t, "../../docs/install.md")
	doc.writeFiles(t, c.checkout)
	// What the component prometheus needs.
	c.sh(t, "kubectl apply --server-side -k test/config/testdata/crds")
	for name, step := range installations {
		t.Run(name, func(t *testing.T) {
			for _, command := range slices.Concat(step.do, step.undo) {
				doc.take(t, command)
			}
			c.twice(t, step.do...)
			c.wantInstalled(t, true)
			step.check(t, c)
			c.twice(t, step.undo...)
			c.wantInstalled(t, false)
		})
	}
	// TestStart runs this one.
	doc.take(t, removeAnchor)
	doc.checkAllRun(t)
	if out, err := c.try(t, "make undeploy"); err == nil || !strings.Contains(out, "NotFound") {
		t.Errorf("make undeploy with nothing to delete: %v\n%s", err, out)
	}
}
