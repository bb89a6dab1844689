// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers/importreport"
	"github.com/assay-project/assay/internal/importstatus"
	"github.com/assay-project/assay/internal/registry"
)

// importStatus returns what the running operator has stored, nil for nothing.
func (f *fixture) importStatus() *importstatus.Status {
	f.Helper()
	return f.importStatusIn(testNamespace)
}

func (f *fixture) importStatusIn(namespace string) *importstatus.Status {
	f.Helper()
	var stored corev1.ConfigMap
	err := testClient.Get(f.ctx, client.ObjectKey{Namespace: namespace, Name: importstatus.Name}, &stored)
	if client.IgnoreNotFound(err) != nil {
		f.Fatal(err)
	}
	if err != nil {
		return nil
	}
	status, err := importstatus.Decode(stored.Data)
	if err != nil {
		f.Fatal(err)
	}
	return status
}

// TestImportReport checks that the operator stores which hosts rest and that an Image waits, and
// that both go when the host answers.
func TestImportReport(t *testing.T) {
	f := newFixture(t)
	s := f.registryServer()
	release := newSigner("release")
	d := s.serveManifest(ociManifest, testManifest)
	s.set(s.signaturePath(d, 1), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	f.create(s.withLookaside(), s.policy(release), s.importing(d))
	isOurs := func(h importstatus.Host) bool { return h.Host == s.storeHost() }
	f.eventually("the report", func() (bool, string) {
		status := f.importStatus()
		if status == nil {
			return false, "nothing is stored"
		}
		i := slices.IndexFunc(status.Hosts, isOurs)
		return i >= 0 && status.Hosts[i].Reason == assayv1alpha1.ReasonUnavailable && status.Pending.Images > 0 && status.Pending.Oldest != nil,
			fmt.Sprintf("%+v", status)
	})
	s.serveSignatures(d, release.sign(d, s.repository()+":v1"))
	update(f, &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: f.name}}, func(image *imagev1.Image) {
		image.Annotations[assayv1alpha1.RecheckRequestedAtAnnotation] = "now"
	})
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	f.eventually("the end of it", func() (bool, string) {
		status := f.importStatus()
		waits := status.Pending.Oldest != nil && status.Pending.Oldest.Name == f.name
		return !slices.ContainsFunc(status.Hosts, isOurs) && !waits, fmt.Sprintf("%+v", status)
	})
}

// noDiscovery has not listed the workloads yet.
type noDiscovery struct{}

func (noDiscovery) Report() *importstatus.Discovery { return nil }

// emptyImages is a cluster without Images.
type emptyImages struct{ client.Client }

func (emptyImages) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

// TestImportReportAfterRestart checks that a process that knows nothing yet changes nothing in what
// an earlier one has stored, and that a host which nobody needs is forgotten in the end.
func TestImportReportAfterRestart(t *testing.T) {
	f := newFixture(t)
	f.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.name}})
	until := metav1.NewTime(testNow.Add(time.Minute))
	before := &importstatus.Status{
		Hosts:     []importstatus.Host{{Host: "down.example.com", Reason: assayv1alpha1.ReasonUnavailable, Since: metav1.NewTime(testNow), Until: &until}},
		Discovery: &importstatus.Discovery{Verified: 3},
	}
	clock := clocktesting.NewFakePassiveClock(testNow.Add(time.Hour))
	network := &registry.Network{Clock: clock}
	r := importreport.New(emptyImages{testClient}, f.name, network, noDiscovery{}, clock)
	reconcile := func() *importstatus.Status {
		t.Helper()
		if _, err := r.Reconcile(f.ctx, ctrl.Request{}); err != nil {
			t.Fatal(err)
		}
		return f.importStatusIn(f.name)
	}
	if got := reconcile(); got != nil {
		t.Errorf("there is nothing to tell, and it stores %+v", got)
	}
	data, err := importstatus.Encode(before)
	if err != nil {
		t.Fatal(err)
	}
	f.create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: f.name, Name: importstatus.Name}, Data: data})
	reconcile()
	var stored corev1.ConfigMap
	if err := testClient.Get(f.ctx, client.ObjectKey{Namespace: f.name, Name: importstatus.Name}, &stored); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(data, stored.Data); diff != "" || stored.Labels["assay.dev/allowlist"] != importstatus.LabelValue {
		t.Errorf("labels %v, (-want +got):\n%s", stored.Labels, diff)
	}
	version := stored.ResourceVersion
	reconcile()
	if err := testClient.Get(f.ctx, client.ObjectKeyFromObject(&stored), &stored); err != nil || stored.ResourceVersion != version {
		t.Errorf("written again without a change: %v", err)
	}
	clock.SetTime(testNow.Add(3 * time.Hour))
	if got := reconcile(); len(got.Hosts) != 0 || got.Discovery == nil || got.Discovery.Verified != 3 {
		t.Errorf("after three hours: %+v", got)
	}
	stored.Data = map[string]string{"import": "nonsense"}
	stored.ResourceVersion = ""
	if err := testClient.Update(f.ctx, &stored); err != nil {
		t.Fatal(err)
	}
	if got := reconcile(); len(got.Hosts) != 0 || got.Discovery != nil {
		t.Errorf("what cannot be read is kept: %+v", got)
	}
}
