// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// Annotations of the sample Images with the expected verdict.
const (
	expectedVerified = "samples.assay.dev/expected-verified"
	expectedReason   = "samples.assay.dev/expected-reason"
)

// attempt is a Pod with the image of a sample, and its expected result.
type attempt struct {
	name     string
	byTag    bool
	admitted bool
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

// showSamples is the second part: Images that somebody has made, one for each verdict.
func (d *demo) showSamples(ctx context.Context) error {
	d.out.printf("== 2. Images made by hand ==\n\nNo registry is asked for the samples: each comes with its signatures.\n\n")
	samples, err := d.install(ctx, "config/samples")
	if err != nil {
		return err
	}
	v, err := newVerdicts(samples)
	if err != nil {
		return err
	}
	err = d.out.step(fmt.Sprintf("Waiting for the verdicts on %d images", len(v.names)), func() error {
		return d.await(ctx, "every verdict to be as expected", func(ctx context.Context) (bool, string, error) {
			var list imagev1.ImageList
			if err := d.client.List(ctx, &list); err != nil {
				return false, "", err
			}
			v.look(list.Items)
			unexpected := v.unexpected()
			return len(unexpected) == 0, strings.Join(unexpected, "\n"), nil
		})
	})
	if err != nil {
		return err
	}
	d.out.printf("\n")
	if err := d.table(ctx, "get", "images", "-l", "!"+assayv1alpha1.DiscoveredLabel); err != nil {
		return err
	}
	d.out.printf("Why some are not verified:\n\n")
	for _, name := range v.names {
		if c := verifiedCondition(v.images[name]); c.Status != metav1.ConditionTrue {
			d.out.printf("  %-14s %s\n", name, shortenDigests(c.Message))
		}
	}
	d.out.printf("\n")
	if err := d.table(ctx, "get", "trustpolicies"); err != nil {
		return err
	}
	d.out.printf("%d of %d verdicts as expected.\n\nPods with some of them:\n\n", len(v.names), len(v.names))
	return d.admitSamples(ctx, v)
}

// admitSamples creates Pods, each once the API server acts as expected.
func (d *demo) admitSamples(ctx context.Context, v *verdicts) error {
	for _, a := range attempts {
		image := v.images[a.name].DockerImageReference
		if !a.byTag {
			image += "@" + v.images[a.name].Status.Digest
		}
		err := d.await(ctx, fmt.Sprintf("a Pod of %s to be admitted: %v", image, a.admitted), func(ctx context.Context) (bool, string, error) {
			err := d.tryPod(ctx, image)
			refused := apierrors.IsForbidden(err) || apierrors.IsInvalid(err)
			if refused {
				return !a.admitted, err.Error(), nil
			}
			return a.admitted, "admitted", err
		})
		if err != nil {
			return err
		}
		run := []string{"run", "app", "--dry-run=server", "--image=" + image}
		if a.admitted {
			err = d.kubectl(ctx, run...)
		} else {
			err = d.refused(ctx, "denied request: ", run...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// verdict is the part of an Image's Verified condition that the samples state.
type verdict struct {
	status, reason string
}

func (v verdict) String() string { return v.status + " " + v.reason }

// verdicts compares Assay's verdicts with the expected ones.
type verdicts struct {
	// names of the sample Images in the order of the samples.
	names    []string
	expected map[string]verdict
	// found are the current verdicts, and images the current Images.
	found  map[string]verdict
	images map[string]*imagev1.Image
}

func newVerdicts(samples []*unstructured.Unstructured) (*verdicts, error) {
	v := &verdicts{expected: map[string]verdict{}}
	for _, sample := range samples {
		annotations := sample.GetAnnotations()
		if annotations[expectedVerified] == "" {
			continue
		}
		v.names = append(v.names, sample.GetName())
		v.expected[sample.GetName()] = verdict{annotations[expectedVerified], annotations[expectedReason]}
	}
	if len(v.names) == 0 {
		return nil, errors.New("no sample has an expected verdict")
	}
	return v, nil
}

// look takes the current verdicts.
func (v *verdicts) look(images []imagev1.Image) {
	v.found, v.images = map[string]verdict{}, map[string]*imagev1.Image{}
	for i := range images {
		image := &images[i]
		v.images[image.Name] = image
		if c := verifiedCondition(image); c != nil {
			v.found[image.Name] = verdict{string(c.Status), c.Reason}
		}
	}
}

// unexpected returns a line for each sample whose verdict is not as expected.
func (v *verdicts) unexpected() []string {
	var lines []string
	for _, name := range v.names {
		want := v.expected[name]
		got, there := v.found[name]
		switch {
		case !there:
			lines = append(lines, fmt.Sprintf("  %s: expected %s, got no verdict", name, want))
		case got != want:
			lines = append(lines, fmt.Sprintf("  %s: expected %s, got %s", name, want, got))
		}
	}
	return lines
}

func verifiedCondition(image *imagev1.Image) *metav1.Condition {
	return meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.VerifiedCondition)
}
