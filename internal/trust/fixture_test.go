// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trust_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verify"
)

const namespace = "assay-system"

// testFormat is a format of key files whose parsing can be watched. A file is "cost " and
// a number, its cost; "wait" is a file that is parsed when release is closed.
type testFormat struct {
	parsed  atomic.Int32
	waiting chan struct{} // Gets a value for each file that waits.
	release chan struct{}
}

func newFormat() *testFormat {
	return &testFormat{waiting: make(chan struct{}, 8), release: make(chan struct{})}
}

func (f *testFormat) Name() string          { return "test" }
func (f *testFormat) Types() []string       { return []string{"test"} }
func (f *testFormat) IsKeyFile([]byte) bool { return true }
func (f *testFormat) Parse([]byte, *verify.Budget) (verify.Message, error) {
	return testMessage{}, nil
}

type testMessage struct{}

func (testMessage) UnverifiedKeyID() string { return "" }

func (f *testFormat) ParseKeyFile(data []byte) (verify.KeyFile, error) {
	f.parsed.Add(1)
	if string(data) == "wait" {
		f.waiting <- struct{}{}
		<-f.release
		return testFile{fingerprint: "wait"}, nil
	}
	text, ok := strings.CutPrefix(string(data), "cost ")
	cost, err := strconv.Atoi(text)
	if !ok || err != nil {
		return testFile{}, errors.New("not a key of the test")
	}
	return testFile{fingerprint: text, cost: cost}, nil
}

func (f *testFormat) NewTrust(files []verify.NamedKeyFile) verify.Trust { return testTrust(files) }

// testFile is a file with one key.
type testFile struct {
	fingerprint string
	cost        int
}

func (f testFile) Problems() []string { return nil }
func (f testFile) Cost() int          { return f.cost }

type testTrust []verify.NamedKeyFile

func (t testTrust) Len() int { return len(t) }

func (t testTrust) Authenticate(verify.Message, verify.Circumstances) (verify.Signed, error) {
	return nil, &verify.Error{Reason: assayv1alpha1.ReasonUntrustedKey, UnknownKey: true}
}

func (t testTrust) Keys(file verify.KeyFile, _ time.Time) []verify.KeyStatus {
	f, ok := file.(testFile)
	if !ok {
		return nil
	}
	return []verify.KeyStatus{{Fingerprint: f.fingerprint}}
}

// cluster is a store with a cluster that it reads.
type cluster struct {
	*testing.T
	client client.Client
	store  *trust.Store
	format *testFormat
}

func newCluster(t *testing.T, objects ...client.Object) *cluster {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, assayv1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c := &cluster{T: t, client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(), format: newFormat()}
	c.store = &trust.Store{Client: c.client, Namespace: namespace, Formats: []verify.Format{c.format}}
	return c
}

func (c *cluster) snapshot() *trust.Snapshot {
	c.Helper()
	snapshot, err := c.store.Snapshot(c.Context())
	if err != nil {
		c.Fatal(err)
	}
	return snapshot
}

// changed writes an object, as an event reports it.
func (c *cluster) changed(obj client.Object) *trust.Snapshot {
	c.Helper()
	if err := c.client.Update(c.Context(), obj); err != nil {
		c.Fatal(err)
	}
	c.store.Invalidate()
	return c.snapshot()
}

// newPolicy is for the repository of its own name, with one inline key for each text.
func newPolicy(name string, keys ...string) *assayv1alpha1.TrustPolicy {
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1}}
	policy.Spec.Scopes = []assayv1alpha1.Scope{assayv1alpha1.Scope("registry.example.com/" + name)}
	for i, text := range keys {
		policy.Spec.Keys = append(policy.Spec.Keys, assayv1alpha1.TrustedKey{
			Name: assayv1alpha1.EntryName("key-" + strconv.Itoa(i)), Inline: text,
		})
	}
	return policy
}

// readingSecret is newPolicy with the keys in a Secret.
func readingSecret(name, secret, key string) *assayv1alpha1.TrustPolicy {
	policy := newPolicy(name)
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{{Name: "all", SecretRef: &assayv1alpha1.KeySourceRef{Name: secret, Key: key}}}
	return policy
}

func newSecret(name string, data map[string]string) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("secret " + name)}, Data: map[string][]byte{},
	}
	for key, text := range data {
		secret.Data[key] = []byte(text)
	}
	return secret
}

// imageOf is an image that the policy of a name applies to.
func imageOf(t *testing.T, name string) reference.Named {
	t.Helper()
	ref := verify.ParseReference("registry.example.com/" + name + "/app:v1")
	if ref.Err != nil {
		t.Fatal(ref.Err)
	}
	return ref.Named
}

var errBroken = errors.New("broken")

// broken reads lists and nothing else.
type broken struct{ client.Reader }

func (broken) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errBroken
}
