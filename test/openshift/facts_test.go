// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openshift

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	openshiftv1 "github.com/openshift/api/image/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
)

const hex = "0e5574283393c65e5d9ee66c2c0c2a4bd1a0a52a5c9d4a6a5a1b6c1e0b7ed3b1"

// A custom resource cannot have the name that OpenShift gives to an Image.
func TestNames(t *testing.T) {
	tests := map[string]struct {
		refused bool
	}{
		"sha256-" + hex:       {},
		"team.app-v1.2":       {},
		"sha256:" + hex:       {refused: true},
		"sha256@" + hex:       {refused: true},
		"Sha256-" + hex:       {refused: true},
		"registry/app":        {refused: true},
		"sha256-" + hex + ".": {refused: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			image := &openshiftv1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}}
			opts := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
			_, err := clientset(t).ImageV1().Images().Create(t.Context(), image, opts)
			switch {
			case tt.refused && (!apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "metadata.name")):
				t.Errorf("create: %v, want Invalid for metadata.name", err)
			case !tt.refused && err != nil:
				t.Errorf("create: %v, want none", err)
			}
		})
	}
}

// The metadata of a signature has to keep its name, and manifests exported from
// OpenShift, where a server filled in more, have to pass a strict server.
func TestSignatureKeepsItsMetadata(t *testing.T) {
	tests := map[string]struct {
		metadata string
		want     metav1.ObjectMeta
	}{
		"name":      {`{"name":"one@a"}`, metav1.ObjectMeta{Name: "one@a"}},
		"empty":     {`{}`, metav1.ObjectMeta{}},
		"null":      {`null`, metav1.ObjectMeta{}},
		"null time": {`{"name":"one@a","creationTimestamp":null}`, metav1.ObjectMeta{Name: "one@a"}},
		"as OpenShift's server has it": {
			`{"name":"one@a","uid":"5f8ad4d1","creationTimestamp":"2020-02-29T02:30:59Z"}`,
			metav1.ObjectMeta{Name: "one@a", UID: "5f8ad4d1", CreationTimestamp: fullSignature("").CreationTimestamp},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := images(t)
			json := body(t, "one", `"signatures":[{"metadata":`+tt.metadata+`,"type":"atomic","content":"YQ=="}]`)
			if answer, err := post(t, metav1.FieldValidationStrict, json); err != nil {
				t.Fatalf("create: %v: %s", err, answer)
			}
			got := mustGet(t, c, newImage(t, "one").Name).Signatures[0].ObjectMeta
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("metadata (-want +got):\n%s", diff)
			}
		})
	}
}

// Clients of 3.11 send null for layers that they do not know, later ones nothing.
func TestLayersAreOptional(t *testing.T) {
	for name, layers := range map[string]string{"absent": "", "null": `"dockerImageLayers":null`, "empty": `"dockerImageLayers":[]`} {
		t.Run(name, func(t *testing.T) {
			c := images(t)
			if answer, err := post(t, metav1.FieldValidationStrict, body(t, "one", layers)); err != nil {
				t.Fatalf("create: %v: %s", err, answer)
			}
			sameImage(t, "get", newImage(t, "one"), mustGet(t, c, newImage(t, "one").Name))
		})
	}
}

// A typed client cannot leave out members that its Go type has by value.
func TestTypedClientsSendNulls(t *testing.T) {
	image := newImage(t, "one")
	image.Signatures = []openshiftv1.ImageSignature{{
		Type: "atomic", Content: []byte("a"),
		Conditions: []openshiftv1.SignatureCondition{{Type: "Complete", Status: corev1.ConditionUnknown}},
		IssuedBy:   &openshiftv1.SignatureIssuer{},
		IssuedTo:   &openshiftv1.SignatureSubject{},
	}}
	sent, err := json.Marshal(image)
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{
		`"dockerImageMetadata":null`, `"lastProbeTime":null`, `"lastTransitionTime":null`,
		`"metadata":{}`, `"issuedBy":{}`, `"issuedTo":{"publicKeyID":""}`,
	} {
		if !strings.Contains(string(sent), member) {
			t.Errorf("the client does not send %s: %s", member, sent)
		}
	}
	c := images(t)
	mustCreate(t, c, image)
	sameImage(t, "get", image, mustGet(t, c, image.Name))
}

func TestTypedClientsOf311SendNulls(t *testing.T) {
	c := images(t)
	answer, err := post(t, metav1.FieldValidationStrict, body(t, "one", `"dockerImageMetadata":null,"dockerImageLayers":null,
		"signatures":[{"metadata":{"name":"one@a","creationTimestamp":null},"type":"atomic","content":"YQ==","created":null,"issuedBy":null,"issuedTo":null,
		"conditions":[{"type":"Complete","status":"True","lastProbeTime":null,"lastTransitionTime":null}]}]`))
	if err != nil {
		t.Fatalf("create: %v: %s", err, answer)
	}
	want := newImage(t, "one")
	want.Signatures = []openshiftv1.ImageSignature{{
		ObjectMeta: metav1.ObjectMeta{Name: "one@a"}, Type: "atomic", Content: []byte("a"),
		Conditions: []openshiftv1.SignatureCondition{{Type: "Complete", Status: corev1.ConditionTrue}},
	}}
	sameImage(t, "get", want, mustGet(t, c, want.Name))
}

func TestSignatureConditionsAreAMapByType(t *testing.T) {
	image := newImage(t, "one")
	image.Signatures = []openshiftv1.ImageSignature{signature("one@a")}
	condition := openshiftv1.SignatureCondition{Type: "Complete", Status: corev1.ConditionTrue}
	image.Signatures[0].Conditions = []openshiftv1.SignatureCondition{condition, condition}
	_, err := images(t).Create(t.Context(), image, metav1.CreateOptions{})
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), `signatures[0].conditions[1]: Duplicate value: {"type":"Complete"}`) {
		t.Errorf("create: %v, want Duplicate value in signatures[0].conditions[1]", err)
	}
}

func TestStrategicMergePatchIsUnsupported(t *testing.T) {
	c := images(t)
	image := mustCreate(t, c, newImage(t, "one"))
	_, err := c.Patch(t.Context(), image.Name, types.StrategicMergePatchType, []byte(`{"dockerImageReference":"x"}`), metav1.PatchOptions{})
	if !apierrors.IsUnsupportedMediaType(err) {
		t.Errorf("strategic merge patch: %v, want 415 UnsupportedMediaType", err)
	}
	sameImage(t, "after the patch", image, mustGet(t, c, image.Name))
}

func TestMergePatchReplacesAllSignatures(t *testing.T) {
	c := images(t)
	image := newImage(t, "one")
	image.Signatures = []openshiftv1.ImageSignature{fullSignature("one"), signature("one@b")}
	want := mustCreate(t, c, image).DeepCopy()
	want.Signatures = []openshiftv1.ImageSignature{signature("one@c")}
	patch, err := json.Marshal(map[string]any{"signatures": want.Signatures})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Patch(t.Context(), image.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sameImage(t, "patch", want, got)
}

// Only the status subresource writes the status, and it writes nothing else.
func TestStatusIsASubresource(t *testing.T) {
	c := images(t)
	name := mustCreate(t, c, newImage(t, "one")).Name
	want := setStatus(t, name)
	ours := assayClient(t)
	read := func() *imagev1.Image {
		var image imagev1.Image
		if err := ours.Get(t.Context(), client.ObjectKey{Name: name}, &image); err != nil {
			t.Fatal(err)
		}
		return &image
	}

	image := read()
	image.Status = imagev1.ImageStatus{SignatureSummary: "9/9"}
	image.DockerImageReference = "registry.example.com/app:v1"
	if err := ours.Update(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	image = read()
	if diff := cmp.Diff(want, image.Status); diff != "" {
		t.Errorf("status after a plain update (-want +got):\n%s", diff)
	}
	generation := image.Generation

	image.Status.SignatureSummary = "2/2"
	image.DockerImageReference = "registry.example.com/forged:v1"
	if err := ours.Status().Update(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	image = read()
	if image.Status.SignatureSummary != "2/2" || image.DockerImageReference != "registry.example.com/app:v1" {
		t.Errorf("after an update of the status: summary %q, reference %q", image.Status.SignatureSummary, image.DockerImageReference)
	}
	if image.Generation != generation {
		t.Error("an update of the status changed the generation")
	}
}

func TestCreateIgnoresStatus(t *testing.T) {
	images(t)
	image := fromOpenShift(t, newImage(t, "one"))
	image.Status = imagev1.ImageStatus{SignatureSummary: "9/9", Conditions: []metav1.Condition{{Type: "Verified", Status: "True", Reason: "Verified"}}}
	if err := assayClient(t).Create(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	// What kstatus does not take for a state that was observed.
	if diff := cmp.Diff(imagev1.ImageStatus{ObservedGeneration: -1}, image.Status); diff != "" {
		t.Errorf("status after create (-want +got):\n%s", diff)
	}
}

// The generation does not tell a client's change from the controller's: a verdict in
// signatures[] raises it as well.
func TestVerdictRaisesGeneration(t *testing.T) {
	c := images(t)
	image := newImage(t, "one")
	image.Signatures = []openshiftv1.ImageSignature{signature("one@a")}
	image = mustCreate(t, c, image)
	before := image.Generation
	image.Signatures[0].Conditions = []openshiftv1.SignatureCondition{{Type: "Complete", Status: corev1.ConditionTrue}}
	after, err := c.Update(t.Context(), image, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if after.Generation != before+1 {
		t.Errorf("generation %d after %d, want one more", after.Generation, before)
	}
}

// Unknown members survive in dockerImageMetadata, at every depth and whatever they are,
// and nowhere else.
func TestUnknownMembers(t *testing.T) {
	const free = `{"Config":{"deep":[{"x":null,"y":[null,true,1.5,-12345678901234567]}]},"a.b/c":{},"x":"\u003c&>"}`
	c := images(t)
	members := `"dockerImageMetadata":` + free + `,"unknown":1`
	if answer, err := post(t, metav1.FieldValidationStrict, body(t, "one", members)); !apierrors.IsBadRequest(err) || !strings.Contains(string(answer), `unknown field \"unknown\"`) {
		t.Errorf("strict create: %v: %s, want BadRequest for the unknown field", err, answer)
	}
	answer, err := post(t, metav1.FieldValidationIgnore, body(t, "one", members))
	if err != nil || strings.Contains(string(answer), `"unknown":`) {
		t.Fatalf("lenient create: %v: %s, want the unknown field dropped", err, answer)
	}
	got := mustGet(t, c, newImage(t, "one").Name).DockerImageMetadata.Raw
	if diff := cmp.Diff(decode(t, []byte(free)), decode(t, got)); diff != "" {
		t.Errorf("dockerImageMetadata (-want +got):\n%s", diff)
	}
}

// decode keeps numbers as they are written.
func decode(t *testing.T, data []byte) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}
