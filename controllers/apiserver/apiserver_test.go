// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/apiserverstatus"
)

func port(name string, number int32) discoveryv1.EndpointPort {
	p := discoveryv1.EndpointPort{Name: &name}
	if number != 0 {
		p.Port = &number
	}
	return p
}

func endpoints(ready bool, addresses ...string) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{Addresses: addresses, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}
}

func TestAddresses(t *testing.T) {
	many := discoveryv1.EndpointSlice{Ports: []discoveryv1.EndpointPort{port("https", 6443)}}
	for i := range maxAddresses + 1 {
		many.Endpoints = append(many.Endpoints, endpoints(true, fmt.Sprintf("10.0.0.%d", i)))
	}
	for name, c := range map[string]struct {
		slice *discoveryv1.EndpointSlice
		want  []string
		err   string
	}{
		"three API servers, one of them not ready": {&discoveryv1.EndpointSlice{
			Ports:     []discoveryv1.EndpointPort{port("https", 6443)},
			Endpoints: []discoveryv1.Endpoint{endpoints(true, "10.0.0.3", "10.0.0.1"), endpoints(false, "10.0.0.2"), endpoints(true, "10.0.0.1")},
		}, []string{"10.0.0.1:6443", "10.0.0.2:6443", "10.0.0.3:6443"}, ""},
		"IPv6": {&discoveryv1.EndpointSlice{
			Ports:     []discoveryv1.EndpointPort{port("https", 443)},
			Endpoints: []discoveryv1.Endpoint{endpoints(true, "2001:db8::1")},
		}, []string{"[2001:db8::1]:443"}, ""},
		"the only port needs no name": {&discoveryv1.EndpointSlice{
			Ports: []discoveryv1.EndpointPort{port("", 443)}, Endpoints: []discoveryv1.Endpoint{endpoints(true, "10.0.0.1")},
		}, []string{"10.0.0.1:443"}, ""},
		"another port": {&discoveryv1.EndpointSlice{
			Ports:     []discoveryv1.EndpointPort{port("other", 1), port("https", 443)},
			Endpoints: []discoveryv1.Endpoint{endpoints(true, "10.0.0.1")},
		}, []string{"10.0.0.1:443"}, ""},
		"names are not looked up": {&discoveryv1.EndpointSlice{
			Ports: []discoveryv1.EndpointPort{port("https", 443)}, Endpoints: []discoveryv1.Endpoint{endpoints(true, "registry.example.com")},
		}, nil, "has no address"},
		"no port": {&discoveryv1.EndpointSlice{
			Ports: []discoveryv1.EndpointPort{port("https", 0)}, Endpoints: []discoveryv1.Endpoint{endpoints(true, "10.0.0.1")},
		}, nil, "has no address"},
		"too many":   {&many, nil, "more than 32"},
		"none there": {nil, nil, "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			scheme := runtime.NewScheme()
			if err := discoveryv1.AddToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			builder := fake.NewClientBuilder().WithScheme(scheme)
			if c.slice != nil {
				c.slice.ObjectMeta = metav1.ObjectMeta{Namespace: EndpointSlice.Namespace, Name: EndpointSlice.Name}
				builder.WithObjects(c.slice)
			}
			got, err := readAddresses(t.Context(), builder.Build())
			if diff := cmp.Diff(c.want, got); diff != "" || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q (-want +got):\n%s", err, c.err, diff)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		sighting allowlist.Sighting
		expected string
		want     apiserverstatus.State
	}{
		"what was stored":                    {allowlist.Sighting{ResourceVersion: "100", Counts: true, Fenced: true}, "100", apiserverstatus.Current},
		"newer":                              {allowlist.Sighting{ResourceVersion: "1000", Counts: true, Fenced: true}, "999", apiserverstatus.Current},
		"newer, and its epoch comes later":   {allowlist.Sighting{ResourceVersion: "101", Fenced: true}, "100", apiserverstatus.Current},
		"older":                              {allowlist.Sighting{ResourceVersion: "99", Counts: true, Fenced: true}, "100", apiserverstatus.Stale},
		"older, and its epoch is withdrawn":  {allowlist.Sighting{ResourceVersion: "99", Fenced: true}, "100", apiserverstatus.Stale},
		"older, and everything is permitted": {allowlist.Sighting{ResourceVersion: "99", Counts: true}, "100", apiserverstatus.Stale},
		"its epoch does not count":           {allowlist.Sighting{ResourceVersion: "100", Fenced: true}, "100", apiserverstatus.Stale},
		"everything is permitted":            {allowlist.Sighting{ResourceVersion: "100", Counts: true}, "100", apiserverstatus.Unfenced},
		"versions that are no numbers":       {allowlist.Sighting{ResourceVersion: "100", Counts: true, Fenced: true}, "x", apiserverstatus.Unknown},
	} {
		if got := compare(c.sighting, c.expected); got.State != c.want || (got.Message == "") != (c.want == apiserverstatus.Current) {
			t.Errorf("%s: got %+v, want %s", name, got, c.want)
		}
	}
}

// TestDescribe checks that the words for an error have nothing in them that differs each time.
func TestDescribe(t *testing.T) {
	post := func(err error) error { return &url.Error{Op: "Post", URL: "https://10.0.0.1:6443", Err: err} }
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for want, err := range map[string]error{
		"its certificate cannot be verified": post(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}),
		"it answered with status 403":        apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "a", errors.New("another each time")),
		"it did not answer in time":          post(context.DeadlineExceeded),
		"it cannot be reached":               post(refused),
		"it could not be asked":              errors.New("the client configuration does not verify API servers"),
	} {
		if got := describe(err); !strings.HasPrefix(got, want) || strings.Contains(got, "each time") {
			t.Errorf("%v: got %q, want %q", err, got, want)
		}
	}
	if got := describe(post(&net.DNSError{IsTimeout: true})); got != "it did not answer in time" {
		t.Errorf("a timeout of the network: %q", got)
	}
}

// TestInsecureConfig checks that no server is asked without a check of its certificate.
func TestInsecureConfig(t *testing.T) {
	asked := false
	dial := func(context.Context, string, string) (net.Conn, error) {
		asked = true
		return nil, errors.New("dialed")
	}
	a := newAsker(&rest.Config{TLSClientConfig: rest.TLSClientConfig{Insecure: true}}, "assay-system", dial)
	if _, _, err := a.ask(t.Context(), "192.0.2.1:6443", nil); err == nil || asked {
		t.Errorf("asked: %v, error %v", asked, err)
	}
	a.closeIdleConnections()
	a = newAsker(&rest.Config{}, "assay-system", dial)
	if _, _, err := a.ask(t.Context(), "192.0.2.1:6443", nil); err == nil || !asked {
		t.Errorf("a secure one: asked: %v, error %v", asked, err)
	}
	if (&Checker{}).NeedLeaderElection() != true {
		t.Error("replicas that do not lead check")
	}
	if err := (&Checker{}).SetupWithManager(nil); err != nil {
		t.Errorf("a checker that is disabled: %v", err)
	}
}
