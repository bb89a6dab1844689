// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// Annotations of the sample Images with the expected verdict.
const (
	expectedVerified = "samples.assay.dev/expected-verified"
	expectedReason   = "samples.assay.dev/expected-reason"
)

// verdictTimeout bounds the wait for all verdicts, which takes a second or two on an idle machine:
// the operator must start, acquire its lease and fill its caches.
const verdictTimeout = time.Minute

// verdict is the part of an Image's Verified condition that the samples state.
type verdict struct {
	status, reason string
}

func (v verdict) String() string { return v.status + " " + v.reason }

// verdicts compares Assay's verdicts with the expected ones.
type verdicts struct {
	client client.Client
	// names of the sample Images in the order of the samples.
	names    []string
	expected map[string]verdict
	// found are the current verdicts, and images the current Images.
	found  map[string]verdict
	images []imagev1.Image
}

func newVerdicts(config *rest.Config, samples []*unstructured.Unstructured) (*verdicts, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(imagev1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	v := &verdicts{client: c, expected: map[string]verdict{}}
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

func (v *verdicts) count() int { return len(v.names) }

// wait polls until every verdict is as expected. After the timeout or the end of the operator, the
// error names those that are not.
func (v *verdicts) wait(ctx context.Context, operatorExited <-chan struct{}) error {
	errExited := errors.New("the operator exited")
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, verdictTimeout, true, func(ctx context.Context) (bool, error) {
		select {
		case <-operatorExited:
			return false, errExited
		default:
		}
		if err := v.look(ctx); err != nil {
			return false, err
		}
		return len(v.unexpected()) == 0, nil
	})
	switch {
	case err == nil, ctx.Err() != nil:
		return ctx.Err()
	case !wait.Interrupted(err):
		return err
	}
	return fmt.Errorf("after %s not every verdict is as expected:\n%s", verdictTimeout, strings.Join(v.unexpected(), "\n"))
}

// look reads the current verdicts.
func (v *verdicts) look(ctx context.Context) error {
	var list imagev1.ImageList
	if err := v.client.List(ctx, &list); err != nil {
		return err
	}
	v.images = list.Items
	v.found = map[string]verdict{}
	for _, image := range list.Items {
		if c := verifiedCondition(&image); c != nil {
			v.found[image.Name] = verdict{string(c.Status), c.Reason}
		}
	}
	return nil
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
