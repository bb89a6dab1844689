// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"

	imagev1 "github.com/assay-project/assay/api/image/v1"
)

// TestResultThatIsNotStored checks that a result is kept for as long as it may be stored yet, and no
// longer. An API server that starts forbids everything.
func TestResultThatIsNotStored(t *testing.T) {
	images := schema.GroupResource{Group: imagev1.GroupVersion.Group, Resource: "images"}
	forbidden := apierrors.NewForbidden(images, "image", errors.New("no role"))
	for name, tt := range map[string]struct {
		err  error
		age  time.Duration
		kept bool
	}{
		"conflict":            {apierrors.NewConflict(images, "image", errors.New("changed")), time.Hour, true},
		"not reachable":       {errors.New("connection refused"), time.Hour, true},
		"forbidden, at first": {forbidden, time.Minute, true},
		"forbidden":           {forbidden, 3 * time.Minute, false},
		"invalid":             {apierrors.NewInvalid(schema.GroupKind{Kind: "Image"}, "image", nil), 0, false},
		"too large":           {apierrors.NewRequestEntityTooLargeError("limit"), 0, false},
	} {
		done := &result{}
		r := &Reconciler{
			Clock:    clocktesting.NewFakePassiveClock(t0.Add(tt.age)),
			attempts: map[string]*attempt{"image": {at: t0}}, results: map[string]*result{"image": done},
		}
		if err := r.refused("image", done, tt.err); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v", name, err)
		}
		if kept := r.hasResult("image"); kept != tt.kept {
			t.Errorf("%s: kept: %t", name, kept)
		}
	}
}
