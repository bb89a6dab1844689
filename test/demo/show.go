// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/client-go/rest"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// show prints the Images and the TrustPolicies like kubectl get, the reasons why images are not
// verified, and the number of expected verdicts.
func (d *demo) show(ctx context.Context) error {
	if len(d.verdicts.images) == 0 {
		return nil
	}
	d.out.printf("\n$ kubectl get images    (digests are shortened here)\n\n")
	if err := d.printTable(ctx, imagev1.GroupVersion.WithResource("images")); err != nil {
		return err
	}
	d.out.printf("\nWhy the others are not verified:\n\n")
	for _, image := range d.verdicts.images {
		if c := verifiedCondition(&image); c != nil && c.Status != metav1.ConditionTrue {
			d.out.printf("  %-14s %s\n", image.Name, shortenDigests(c.Message))
		}
	}
	d.out.printf("\n$ kubectl get trustpolicies\n\n")
	if err := d.printTable(ctx, assayv1alpha1.GroupVersion.WithResource("trustpolicies")); err != nil {
		return err
	}
	all := d.verdicts.count()
	d.out.printf("\n%d of %d verdicts as expected.\n\n", all-len(d.verdicts.unexpected()), all)
	return nil
}

// printTable prints the API server's table of all objects of a resource.
func (d *demo) printTable(ctx context.Context, resource schema.GroupVersionResource) error {
	table, err := fetchTable(ctx, d.cp.Config(), resource)
	if err != nil {
		return err
	}
	for _, row := range table.Rows {
		for i, cell := range row.Cells {
			if text, ok := cell.(string); ok {
				row.Cells[i] = shortenDigests(text)
			}
		}
	}
	return printers.NewTablePrinter(printers.PrintOptions{}).PrintObj(table, d.out.w)
}

// fetchTable requests a list as a table, as kubectl does.
func fetchTable(ctx context.Context, config *rest.Config, resource schema.GroupVersionResource) (*metav1.Table, error) {
	groupVersion := resource.GroupVersion()
	config.APIPath = "/apis"
	config.GroupVersion = &groupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(runtime.NewScheme()).WithoutConversion()
	c, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, err
	}
	data, err := c.Get().Resource(resource.Resource).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(ctx).Raw()
	if err != nil {
		return nil, err
	}
	table := &metav1.Table{}
	if err := json.Unmarshal(data, table); err != nil {
		return nil, fmt.Errorf("the API server's table of %s: %w", resource.Resource, err)
	}
	return table, nil
}

// longHex matches digests of 64 hexadecimal digits; the first twelve identify them.
var longHex = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{52}\b`)

func shortenDigests(text string) string {
	return longHex.ReplaceAllString(text, "$1...")
}

// explain prints how to explore the running demo.
func (d *demo) explain() {
	d.out.printf(`Look closer, in another terminal:

  export KUBECONFIG=%[1]s
  kubectl get images -o wide
  kubectl describe image tampered
  kubectl get trustpolicy platform -o yaml
  kubectl explain image.signatures.conditions
  kubectl wait --for=condition=Verified image/verified

Give Assay the key it lacks, and see keys-missing become verified:

  kubectl -n %[2]s create secret generic staging-key --from-file=key.asc=%[3]s/config/samples/keys/release.asc
  kubectl get image keys-missing

config/default also made a Deployment. Nothing runs Pods here, so the operator runs on this machine
instead, with the permissions of the Deployment's service account. Its log: %[4]s

Press Ctrl-C to stop.
`, d.cp.Kubeconfig(), manager.Namespace, d.root, d.logFile())
}
