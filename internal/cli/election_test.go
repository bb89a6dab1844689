// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// TestLeaseIsProtobuf checks that the lease is read as protobuf, in which no metadata is too deep.
func TestLeaseIsProtobuf(t *testing.T) {
	lease := &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{HolderIdentity: ptr.To("another")}}
	lease.SetGroupVersionKind(coordinationv1.SchemeGroupVersion.WithKind("Lease"))
	accept := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		accept <- request.Header.Get("Accept")
		w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
		if err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(lease, w); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	election, err := newElection(&rest.Config{Host: server.URL}, "assay-system")
	if err != nil {
		t.Fatal(err)
	}
	defer election.stop()
	if leads, err := election.leads(t.Context()); err != nil || leads {
		t.Errorf("leads: %t, %v", leads, err)
	}
	if got := <-accept; !strings.HasPrefix(got, runtime.ContentTypeProtobuf) {
		t.Errorf("the lease is read as %q", got)
	}
}
