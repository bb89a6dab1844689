// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// admissionTimeout bounds the wait until admission uses the verdicts, which takes a second or two.
const admissionTimeout = time.Minute

// attempt is a Pod with the image of a sample, and its expected result.
type attempt struct {
	name     string
	byTag    bool
	admitted bool

	image   string
	refusal string // Empty if it was admitted.
}

// attempts are the samples that the demo creates Pods from. no-policy is not in the scope of a
// policy; staging's policy only warns.
var attempts = []attempt{
	{name: "verified", admitted: true},
	{name: "verified", byTag: true},
	{name: "tampered"},
	{name: "revoked-key"},
	{name: "no-policy", admitted: true},
	{name: "keys-missing", admitted: true},
}

// admit creates the Pods until all results are as expected, and shows the results.
func (d *demo) admit(ctx context.Context) error {
	err := d.out.step("Creating Pods with some of them", func() error {
		err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, admissionTimeout, true, func(ctx context.Context) (bool, error) {
			return d.tryAll(ctx)
		})
		if wait.Interrupted(err) && ctx.Err() == nil {
			err = fmt.Errorf("after %s not every result is as expected. The end of the operator's log:\n%s", admissionTimeout, d.manager.LogTail())
		}
		return err
	})
	d.out.printf("\n")
	for _, a := range attempts {
		outcome := "admitted"
		if a.refusal != "" {
			outcome = "refused: " + shortenDigests(a.refusal)
		}
		d.out.printf("$ kubectl run --image %s\n  %s\n", shortenDigests(a.image), outcome)
	}
	d.out.printf("\n")
	return err
}

// tryAll reports whether all results are as expected.
func (d *demo) tryAll(ctx context.Context) (bool, error) {
	asExpected := true
	for i := range attempts {
		a := &attempts[i]
		if err := d.try(ctx, a); err != nil {
			return false, err
		}
		asExpected = asExpected && (a.refusal == "") == a.admitted
	}
	return asExpected, nil
}

// try creates a Pod as a dry run: nothing could run it here.
func (d *demo) try(ctx context.Context, a *attempt) error {
	for _, image := range d.verdicts.images {
		if image.Name != a.name {
			continue
		}
		if a.image = image.DockerImageReference; !a.byTag {
			a.image += "@" + image.Status.Digest
		}
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: a.name, Namespace: metav1.NamespaceDefault},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: a.image}}},
	}
	err := d.verdicts.client.Create(ctx, pod, client.DryRunAll)
	a.refusal = ""
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		_, a.refusal, _ = strings.Cut(err.Error(), "denied request: ")
		return nil
	}
	return err
}
