// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package objectjson_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/watch"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/objectjson"
)

func newPolicy() *assayv1alpha1.TrustPolicy { return &assayv1alpha1.TrustPolicy{} }

// nested returns objects of a depth.
func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
}

// good is a policy that everybody can read.
const good = `{"apiVersion":"assay.dev/v1alpha1","kind":"TrustPolicy",
 "metadata":{"name":"good","uid":"u","resourceVersion":"7","generation":3,"creationTimestamp":"2026-01-02T03:04:05Z",
  "annotations":{"a":"b"},"labels":{"c":"d"},"finalizers":["e"],"managedFields":[{"manager":"m"}]},
 "spec":{"scopes":["registry.example.com"],"keys":[{"name":"k","inline":"x"}],"requiredSignatures":2,"enforcement":"Warn"},
 "status":{"observedGeneration":3,"keySummary":"1/1"}}`

// decode reads a list of the objects.
func decode(t *testing.T, objects ...string) []*assayv1alpha1.TrustPolicy {
	t.Helper()
	text := `{"kind":"TrustPolicyList","metadata":{"resourceVersion":"9","continue":"c"},"items":[` + strings.Join(objects, ",") + `]}`
	var policies []*assayv1alpha1.TrustPolicy
	meta, err := objectjson.DecodeList(iotest.OneByteReader(strings.NewReader(text)), newPolicy, func(p *assayv1alpha1.TrustPolicy) {
		policies = append(policies, p)
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(metav1.ListMeta{ResourceVersion: "9", Continue: "c"}, meta); diff != "" {
		t.Error(diff)
	}
	if len(policies) != len(objects) {
		t.Fatalf("%d policies of %d", len(policies), len(objects))
	}
	return policies
}

// typed reads an object as a typed client does.
func typed(t *testing.T, text string) *assayv1alpha1.TrustPolicy {
	t.Helper()
	policy := newPolicy()
	if err := utiljson.Unmarshal([]byte(text), policy); err != nil {
		t.Fatal(err)
	}
	policy.ManagedFields = nil
	return policy
}

// TestFaults checks what becomes of a policy that cannot be read, that others do not suffer, and
// that the scopes and everything else that can be read are kept.
func TestFaults(t *testing.T) {
	const scopes = `"scopes":["registry.example.com"]`
	want := func(change func(*assayv1alpha1.TrustPolicySpec)) assayv1alpha1.TrustPolicySpec {
		spec := assayv1alpha1.TrustPolicySpec{Scopes: []assayv1alpha1.Scope{"registry.example.com"}}
		if change != nil {
			change(&spec)
		}
		return spec
	}
	tests := map[string]struct {
		members, fault string
		spec           assayv1alpha1.TrustPolicySpec
	}{
		"deep managedFields": {members: `"metadata":{"name":"n","managedFields":` + nested(20_000) + `},"spec":{` + scopes + `}`, spec: want(nil)},
		"deep annotations":   {members: `"metadata":{"name":"n","annotations":` + nested(20_000) + `},"spec":{` + scopes + `}`, spec: want(nil)},
		"deep elsewhere":     {members: `"metadata":{"name":"n"},"spec":{` + scopes + `},"more":` + nested(20_000), spec: want(nil)},
		"bad time":           {members: `"metadata":{"creationTimestamp":"yesterday","name":"n"},"spec":{` + scopes + `}`, spec: want(nil)},
		"bad status":         {members: `"metadata":{"name":"n"},"spec":{` + scopes + `},"status":{"conditions":[{"lastTransitionTime":"x"}],"observedGeneration":1e30}`, spec: want(nil)},
		"forged fault":       {members: `"metadata":{"name":"n","annotations":{"assay.dev/undecodable":"x"}},"spec":{` + scopes + `}`, spec: want(nil)},
		"deep spec":          {members: `"metadata":{"name":"n"},"spec":` + nested(20_000), fault: "depth"},
		"spec of another type": {
			members: `"metadata":{"name":"n"},"spec":[1]`, fault: "spec is of another type",
		},
		"keys of another type": {
			members: `"metadata":{"name":"n"},"spec":{"keys":{"a":"b"},` + scopes + `,"enforcement":"Warn"}`, fault: "spec.keys is of another type",
			spec: want(func(s *assayv1alpha1.TrustPolicySpec) { s.Enforcement = assayv1alpha1.EnforcementWarn }),
		},
		"a scope of another type": {
			members: `"metadata":{"name":"n"},"spec":{"scopes":["registry.example.com",{"a":1}]}`, fault: "spec.scopes is of another type",
			spec: want(func(s *assayv1alpha1.TrustPolicySpec) { s.Scopes = append(s.Scopes, "") }),
		},
		"a large number": {
			members: `"metadata":{"name":"n"},"spec":{"requiredSignatures":1e300,` + scopes + `}`, fault: "spec.requiredSignatures is of another type", spec: want(nil),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			policies := decode(t, good, "{"+tt.members+"}", good)
			for _, i := range []int{0, 2} {
				if diff := cmp.Diff(typed(t, good), policies[i]); diff != "" || objectjson.FaultOf(policies[i]) != nil {
					t.Errorf("policy %d (-typed +got):\n%s%v", i, diff, objectjson.FaultOf(policies[i]))
				}
			}
			got := policies[1]
			if got.Name != "n" {
				t.Errorf("the name is %q", got.Name)
			}
			if fault := objectjson.FaultOf(got); (fault != nil) != (tt.fault != "") || !strings.Contains(fmt.Sprint(fault), tt.fault) {
				t.Errorf("fault %v, want %q", fault, tt.fault)
			}
			if diff := cmp.Diff(tt.spec, got.Spec); diff != "" {
				t.Errorf("spec (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaultIsBounded(t *testing.T) {
	keys := strings.Repeat("é", 2000)
	policies := decode(t, `{"metadata":{"name":"n"},"spec":{"signedIdentity":{"matchPolicy":{"`+keys+`":1}}}}`)
	fault := objectjson.FaultOf(policies[0])
	if fault == nil || len(fault.Error()) > 512 {
		t.Errorf("fault %v", fault)
	}
}

func TestListErrors(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":       "",
		"no list":       `{"kind":"Status","message":"no"}`,
		"no array":      `{"items":{}}`,
		"cut off":       `{"items":[` + good[:len(good)/2],
		"no JSON":       `{"items":[` + good + ` x`,
		"metadata":      `{"metadata":[],"items":[]}`,
		"long metadata": `{"metadata":{"a":"` + strings.Repeat("a", 1<<20) + `"},"items":[]}`,
	} {
		if _, err := objectjson.DecodeList(strings.NewReader(text), newPolicy, func(*assayv1alpha1.TrustPolicy) {}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestWatch(t *testing.T) {
	deep := `{"metadata":{"name":"deep","managedFields":` + nested(20_000) + `}}`
	events := objectjson.NewWatch(strings.NewReader(`{"type":"ADDED","object":`+deep+"}\n"+
		`{"type":"MODIFIED","object":`+good+"}\n"+
		`{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"5","annotations":{"k8s.io/initial-events-end":"true"}}}}`+"\n"+
		`{"type":"DELETED","object":`+good+"}\n"+
		`{"type":"ERROR","object":{"kind":"Status","code":410}}`+"\n"), newPolicy)
	var got []string
	for {
		event, err := events.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text := string(event.Type)
		if event.Status != nil {
			text += fmt.Sprint(" ", event.Status.Code)
		} else {
			text += " " + event.Object.Name + event.Object.Annotations[metav1.InitialEventsAnnotationKey]
		}
		got = append(got, text)
	}
	want := []string{"ADDED deep", "MODIFIED good", "BOOKMARK true", "DELETED good", "ERROR 410"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWatchErrors(t *testing.T) {
	for name, text := range map[string]string{
		"unknown type":    `{"type":"` + string(watch.Added) + `X","object":{}}`,
		"object in front": `{"object":{},"type":"ADDED"}`,
		"no object":       `{"type":"ADDED"}`,
		"no status":       `{"type":"ERROR","object":5}`,
		"cut off":         `{"type":"ADDED","object":{"metadata"`,
		"no JSON":         `x`,
		"an array":        `[]`,
	} {
		events := objectjson.NewWatch(strings.NewReader(text), newPolicy)
		if _, err := events.Next(); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: error %v", name, err)
		}
		if _, err := events.Next(); err == nil {
			t.Errorf("%s: the watch goes on", name)
		}
	}
}

// FuzzDecodeList compares with a typed client: what that reads, this package reads alike. Whatever a
// list has, the policy in front of it is read.
func FuzzDecodeList(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"metadata":{"name":"n","managedFields":` + nested(10_001) + `}}`))
	f.Add([]byte(`{"spec":{"requiredSignatures":1e300,"scopes":[5]},"status":7}`))
	f.Add([]byte(`{"spec":null,"metadata":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		list := bytes.Join([][]byte{[]byte(`{"items":[` + good + `,`), text, []byte(`]}`)}, nil)
		var got []*assayv1alpha1.TrustPolicy
		_, err := objectjson.DecodeList(bytes.NewReader(list), newPolicy, func(p *assayv1alpha1.TrustPolicy) { got = append(got, p) })
		if len(got) == 0 || got[0].Name != "good" {
			t.Fatalf("the first policy is lost: %v", err)
		}
		var want struct{ Items []*assayv1alpha1.TrustPolicy }
		if utiljson.Unmarshal(list, &want) != nil || len(want.Items) != 2 || want.Items[1] == nil || hasDuplicates(text) {
			return
		}
		if err != nil || len(got) != 2 {
			t.Fatalf("%d policies: %v", len(got), err)
		}
		want.Items[1].ManagedFields = nil
		delete(want.Items[1].Annotations, "assay.dev/undecodable")
		if diff := cmp.Diff(want.Items[1].Spec, got[1].Spec); diff != "" {
			t.Errorf("spec (-typed +got):\n%s", diff)
		}
		if objectjson.FaultOf(got[1]) != nil || got[1].Name != want.Items[1].Name || got[1].UID != want.Items[1].UID {
			t.Errorf("got %+v with %v, want %+v", got[1].ObjectMeta, objectjson.FaultOf(got[1]), want.Items[1].ObjectMeta)
		}
	})
}

// hasDuplicates reports whether a member may occur twice, which no API server sends. What counts
// then is not the same.
func hasDuplicates(text []byte) bool {
	for _, name := range []string{"metadata", "spec", "name", "uid"} {
		if bytes.Count(text, []byte(name)) > 1 || bytes.Contains(text, []byte(`\u`)) {
			return true
		}
	}
	return false
}
