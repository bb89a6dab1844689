// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/cli/summary"
	"github.com/assay-project/assay/internal/references"
)

// deepen makes the metadata of a stored object so deep that decoders of JSON give up.
func (f *fixture) deepen(obj client.Object) {
	f.Helper()
	kind, err := apiutil.GVKForObject(obj, testClient.Scheme())
	if err != nil {
		f.Fatal(err)
	}
	const levels = 9995 // With those around them, as many as an API server stores.
	patch := fmt.Sprintf(`{"metadata":{"managedFields":[{"manager":"m","operation":"Apply","apiVersion":%q,"fieldsType":"FieldsV1","fieldsV1":%s}]}}`,
		kind.GroupVersion(), strings.Repeat(`{"f:a":`, levels)+"{}"+strings.Repeat("}", levels))
	// The answer of a typed client could not be read.
	partial := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: obj.GetNamespace(), Name: obj.GetName()}}
	partial.SetGroupVersionKind(kind)
	f.eventually("an object with deep metadata", func() (bool, string) {
		// The API server gives up when it is busy.
		err := testClient.Patch(f.ctx, partial, client.RawPatch(types.MergePatchType, []byte(patch)))
		if err != nil && !apierrors.IsTimeout(err) {
			f.Fatal(err)
		}
		return err == nil, fmt.Sprint(err)
	})
}

// TestDeepObjectsStopNothing stores objects that no decoder of JSON can read. Watches go on, and lists
// are complete after a restart.
func TestDeepObjectsStopNothing(t *testing.T) {
	f := newSerialFixture(t)
	release := newSigner(f.name)
	keys := f.secret(release)
	policy, config := f.policy(release), &assayv1alpha1.RegistryConfig{ObjectMeta: metav1.ObjectMeta{Name: f.name}}
	policy.Name, policy.Spec.Scopes = f.name+"-deep", scopes(f.repository()+"/deep")
	config.Spec.Scopes = []assayv1alpha1.RegistryScope{assayv1alpha1.RegistryScope(f.repository())}
	f.create(policy, config, keys)
	for _, obj := range []client.Object{policy, config} {
		f.deepen(obj)
	}
	var list assayv1alpha1.TrustPolicyList
	if err := testClient.List(f.ctx, &list); err == nil {
		t.Error("a typed client lists the TrustPolicies, so that the deep one tests nothing")
	}
	f.create(f.fromSecret(f.policy()), f.image(release))
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	update(f, policy, func(p *assayv1alpha1.TrustPolicy) { p.Spec.RequiredSignatures = 2 })
	f.observed(policy)
	f.relisted(policy, config)
	f.summarized(policy)
}

// summarized checks that assay status finds a policy.
func (f *fixture) summarized(policy *assayv1alpha1.TrustPolicy) {
	f.Helper()
	reader, err := summary.NewReader(testConfig)
	if err != nil {
		f.Fatal(err)
	}
	err = reader.Read(f.ctx, false, func(c *summary.Cluster) error {
		policies := c.Summarize(summary.Options{}).Policies
		if !slices.ContainsFunc(policies, func(p summary.Policy) bool { return p.Name == policy.Name }) {
			f.Errorf("assay status does not know TrustPolicy %s", policy.Name)
		}
		return nil
	})
	if err != nil {
		f.Error(err)
	}
}

// observed waits until the cache of the operator has a policy with a status for its generation.
func (f *fixture) observed(policy *assayv1alpha1.TrustPolicy) {
	f.Helper()
	f.eventually("a status for the generation", func() (bool, string) {
		var cached assayv1alpha1.TrustPolicy
		err := cachedClient.Get(f.ctx, client.ObjectKeyFromObject(policy), &cached)
		return err == nil && cached.Status.ObservedGeneration == policy.Generation, fmt.Sprint(err, cached.Status)
	})
}

// relisted checks that a cache that starts now has the objects.
func (f *fixture) relisted(objects ...client.Object) {
	f.Helper()
	mgr, err := newTestManager(testConfig)
	if err != nil {
		f.Fatal(err)
	}
	c := mgr.GetCache()
	ctx, cancel := context.WithCancel(f.ctx)
	done := make(chan error, 1)
	go func() { done <- c.Start(ctx) }()
	f.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			f.Error(err)
		}
	})
	for _, obj := range objects {
		into, ok := obj.DeepCopyObject().(client.Object)
		if !ok {
			f.Fatalf("%T is no object", obj)
		}
		if _, err := c.GetInformer(ctx, into, cache.BlockUntilSynced(false)); err != nil {
			f.Fatal(err)
		}
		f.eventually(fmt.Sprintf("a list with the %T", obj), func() (bool, string) {
			// A get waits for the list.
			ctx, cancel := context.WithTimeout(ctx, verdictTimeout/4)
			defer cancel()
			err := c.Get(ctx, client.ObjectKeyFromObject(obj), into)
			return err == nil, fmt.Sprint(err)
		})
	}
}

// accepted records in which encodings the operator has asked for the resources of an API server, by
// their paths.
var accepted = struct {
	sync.Mutex
	byPath map[string]string
}{byPath: map[string]string{}}

// recordAccepted makes a client record what it asks for.
func recordAccepted(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if request.Method == http.MethodGet {
				accepted.Lock()
				accepted.byPath[request.URL.Path] = request.Header.Get("Accept")
				accepted.Unlock()
			}
			return next.RoundTrip(request)
		})
	})
	return config
}

// roundTripper is a function as an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

// TestBuiltInKindsAreProtobuf checks the rule by which no object of a kind of Kubernetes itself can end
// a list or watch: the operator reads all of them as protobuf, in which managedFields is a text. Others
// have decoders of their own.
func TestBuiltInKindsAreProtobuf(t *testing.T) {
	f := newFixture(t)
	own := []string{"/apis/image.openshift.io/v1/", "/apis/assay.dev/v1alpha1/"}
	f.eventually("requests for all kinds", func() (bool, string) {
		accepted.Lock()
		defer accepted.Unlock()
		kinds := 0
		for path, encoding := range accepted.byPath {
			_, discovery := strings.CutPrefix(path, "/openapi")
			switch {
			case discovery, strings.Count(path, "/") < 4 && !strings.HasPrefix(path, "/api/v1/"):
				// It describes kinds, and has no objects.
			case slices.ContainsFunc(own, func(prefix string) bool { return strings.HasPrefix(path, prefix) }):
				kinds++
			case !strings.HasPrefix(encoding, runtime.ContentTypeProtobuf):
				t.Errorf("%s is read as %q", path, encoding)
			default:
				kinds++
			}
		}
		const images, policies, configs, secrets, configMaps, fence, namespaces = 1, 1, 1, 1, 1, 2, 1
		want := images + policies + configs + secrets + configMaps + fence + namespaces + len(references.Kinds())
		return kinds >= want, fmt.Sprint(accepted.byPath)
	})
}
