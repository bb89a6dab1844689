// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// An Image of 10,000 levels ends the lists and watches of typed clients. The operator verifies it
// and, after it, others; and it goes on being told of changes.
func TestDeepImageStopsNothing(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	deep := f.image(release)
	deep.Name += "-deep"
	deep.DockerImageMetadata.Raw = []byte(strings.Repeat(`{"a":`, 9998) + "1" + strings.Repeat("}", 9998))
	f.create(f.policy(release), deep)
	f.verdict(deep.Name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	image := f.image(release)
	f.create(image)
	f.verdict(image.Name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	update(f, image, func(i *imagev1.Image) { i.Signatures = nil })
	f.verdict(image.Name, metav1.ConditionFalse, assayv1alpha1.ReasonNoSignatures)
	if err := testClient.List(f.ctx, &imagev1.ImageList{}); err == nil {
		t.Error("a typed client lists the Images, so that the deep one tests nothing")
	}
}

// An Image with more than the cache keeps of one is invalid until it has less.
func TestImageOverBudget(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	image := f.image(release, release)
	image.Signatures[1].Content = make([]byte, 150<<10)
	f.create(f.policy(release), image)
	f.verdict(image.Name, metav1.ConditionFalse, assayv1alpha1.ReasonInvalidImage)
	f.eventually("the message and no written signature", func() (bool, string) {
		got := f.get()
		const want = "signatures: their content takes more than 128 KiB"
		condition := got.Status.Conditions[0]
		return condition.Message == want && len(got.Signatures) == 2 && len(got.Signatures[0].Conditions) == 0 && got.Status.SignatureSummary == "0/0", condition.Message
	})
	update(f, image, func(i *imagev1.Image) { i.Signatures = i.Signatures[:1] })
	f.verdict(image.Name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
}
