// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openshift

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	openshiftv1 "github.com/openshift/api/image/v1"
	applyv1 "github.com/openshift/client-go/image/applyconfigurations/image/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// applied returns an apply configuration with one signature, whose constructor also
// sets its kind and API version.
func applied(t *testing.T) *applyv1.ImageApplyConfiguration {
	image := newImage(t, "one")
	return applyv1.Image(image.Name).WithLabels(image.Labels).
		WithDockerImageReference("registry.example.com/app:v1").
		WithDockerImageMetadata(runtime.RawExtension{Raw: []byte(`{"a":1}`)}).
		WithSignatures(applyv1.ImageSignature("one@a").WithType("atomic").WithContent([]byte("content of one@a")...))
}

func TestApply(t *testing.T) {
	c := images(t)
	mine := metav1.ApplyOptions{FieldManager: "publisher"}
	want := newImage(t, "one")
	want.DockerImageReference = "registry.example.com/app:v1"
	want.DockerImageMetadata.Raw = []byte(`{"a":1}`)
	want.Signatures = []openshiftv1.ImageSignature{signature("one@a")}

	first, err := c.Apply(t.Context(), applied(t), mine)
	if err != nil {
		t.Fatal(err)
	}
	sameImage(t, "first apply", want, first)
	if got, want := owners(t, first), map[string]string{"publisher": "dockerImageMetadata dockerImageReference metadata signatures"}; !cmp.Equal(want, got) {
		t.Errorf("owners: %v, want %v", got, want)
	}
	setStatus(t, first.Name)
	checked := mustGet(t, c, first.Name)
	again, err := c.Apply(t.Context(), applied(t), mine)
	if err != nil {
		t.Fatal(err)
	}
	if again.ResourceVersion != checked.ResourceVersion {
		t.Error("the second apply of the same configuration wrote the object")
	}

	less := applied(t)
	less.DockerImageReference = nil
	want.DockerImageReference = ""
	got, err := c.Apply(t.Context(), less, mine)
	if err != nil {
		t.Fatal(err)
	}
	sameImage(t, "apply without the reference", want, got)
}

// owners returns which top-level members each field manager owns.
func owners(t *testing.T, image *openshiftv1.Image) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, entry := range image.ManagedFields {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, name := range []string{"f:dockerImageMetadata", "f:dockerImageReference", "f:metadata", "f:signatures"} {
			if value, ok := fields[name]; ok {
				names = append(names, strings.TrimPrefix(name, "f:"))
				if name != "f:metadata" && string(value) != "{}" {
					t.Errorf("%s owns parts of %s: %s", entry.Manager, name, value)
				}
			}
		}
		got[entry.Manager] = strings.Join(names, " ")
	}
	return got
}

// A list whose items have their name in metadata cannot be merged item by item, so the
// whole list has one owner. A verdict takes it over; applying the same signatures again
// is a conflict, and forcing it drops the verdict, which Assay then makes anew.
func TestApplyOwnsSignaturesAsAWhole(t *testing.T) {
	c := images(t)
	mine := metav1.ApplyOptions{FieldManager: "publisher"}
	image, err := c.Apply(t.Context(), applied(t), mine)
	if err != nil {
		t.Fatal(err)
	}
	image.Signatures[0].Conditions = []openshiftv1.SignatureCondition{{Type: "Complete", Status: corev1.ConditionTrue}}
	if _, err := c.Update(t.Context(), image, metav1.UpdateOptions{FieldManager: "verifier"}); err != nil {
		t.Fatal(err)
	}

	_, err = c.Apply(t.Context(), applied(t), mine)
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `conflict with "verifier"`) || !strings.Contains(err.Error(), ".signatures") {
		t.Errorf("apply over a verdict: %v, want a conflict with the verifier over .signatures", err)
	}
	mine.Force = true
	got, err := c.Apply(t.Context(), applied(t), mine)
	if err != nil {
		t.Fatal(err)
	}
	want := image.DeepCopy()
	want.Signatures[0].Conditions = nil
	sameImage(t, "forced apply", want, got)
}

// Who applies an Image without signatures can go on doing so beside the verifier.
func TestApplyOfOtherFieldsHasNoConflict(t *testing.T) {
	c := images(t)
	mine := metav1.ApplyOptions{FieldManager: "publisher"}
	config := applied(t)
	config.Signatures = nil
	image, err := c.Apply(t.Context(), config, mine)
	if err != nil {
		t.Fatal(err)
	}
	patch := `[{"op":"add","path":"/signatures","value":[{"metadata":{"name":"one@a"},"type":"atomic","content":"YQ=="}]}]`
	want, err := c.Patch(t.Context(), image.Name, types.JSONPatchType, []byte(patch), metav1.PatchOptions{FieldManager: "importer"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Apply(t.Context(), config, mine)
	if err != nil {
		t.Fatal(err)
	}
	sameImage(t, "second apply", want, got)
}

// The schema built into OpenShift's client takes signatures for a list keyed by a member
// that its items do not have. Extracting an apply configuration fails for that reason on
// OpenShift too: it is no property of the server.
func TestExtractFailsOnSignaturesInTheClient(t *testing.T) {
	image := &openshiftv1.Image{ObjectMeta: metav1.ObjectMeta{
		Name: "one",
		ManagedFields: []metav1.ManagedFieldsEntry{{
			Manager: "publisher", Operation: metav1.ManagedFieldsOperationApply, APIVersion: "image.openshift.io/v1",
			FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:dockerImageReference":{}}`),
		}},
	}, DockerImageReference: "registry.example.com/app:v1"}
	got, err := applyv1.ExtractImage(image, "publisher")
	if err != nil {
		t.Fatal(err)
	}
	if got.DockerImageReference == nil || *got.DockerImageReference != image.DockerImageReference {
		t.Errorf("extracted %v, want the reference", got.DockerImageReference)
	}
	image.Signatures = []openshiftv1.ImageSignature{signature("one@a")}
	if _, err := applyv1.ExtractImage(image, "publisher"); err == nil || !strings.Contains(err.Error(), "associative list") {
		t.Errorf("extract with signatures: %v, want the client's complaint about an associative list", err)
	}
}
