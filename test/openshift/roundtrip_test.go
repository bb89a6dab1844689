// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openshift

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	openshiftv1 "github.com/openshift/api/image/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
)

// The Image of the round trips has to grow with OpenShift's type.
func TestFullImageHasEveryField(t *testing.T) {
	for _, path := range zeroFields("Image", reflect.ValueOf(*fullImage(t))) {
		t.Errorf("%s is not set", path)
	}
}

// zeroFields returns the paths of what is not set in v. The metadata of the Image itself
// is the API server's business.
func zeroFields(path string, v reflect.Value) []string {
	switch v.Interface().(type) {
	case metav1.TypeMeta, metav1.ObjectMeta, runtime.RawExtension, metav1.Time:
		if v.IsZero() && path != "Image.TypeMeta" {
			return []string{path}
		}
		return nil
	}
	if v.IsZero() || (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0 {
		return []string{path}
	}
	var zero []string
	switch v.Kind() {
	case reflect.Pointer:
		return zeroFields(path, v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return nil
		}
		return zeroFields(path+"[0]", v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			zero = append(zero, zeroFields(path+"."+v.Type().Field(i).Name, v.Field(i))...)
		}
	}
	return zero
}

// What OpenShift's client writes, it reads back, and Assay reads the same.
func TestRoundTripFromOpenShift(t *testing.T) {
	c := images(t)
	want := fullImage(t)
	sameImage(t, "answer to create", want, mustCreate(t, c, want))
	got := mustGet(t, c, want.Name)
	sameImage(t, "get", want, got)
	if diff := cmp.Diff(want.Signatures[0].TypeMeta, got.Signatures[0].TypeMeta); diff != "" {
		t.Errorf("kind and version of a signature (-want +got):\n%s", diff)
	}

	var read imagev1.Image
	if err := assayClient(t).Get(t.Context(), client.ObjectKey{Name: want.Name}, &read); err != nil {
		t.Fatal(err)
	}
	sameImage(t, "as Assay reads it", got, toOpenShift(t, &read))
}

// What Assay writes, OpenShift's client reads, and writes back without loss.
func TestRoundTripFromAssay(t *testing.T) {
	c := images(t)
	want := fullImage(t)
	written := fromOpenShift(t, want)
	if err := assayClient(t).Create(t.Context(), written, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
		t.Fatal(err)
	}
	setStatus(t, want.Name)
	got := mustGet(t, c, want.Name)
	sameImage(t, "as OpenShift's client reads it", want, got)

	updated, err := c.Update(t.Context(), got, metav1.UpdateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		t.Fatal(err)
	}
	if updated.ResourceVersion != got.ResourceVersion {
		t.Error("writing back what was read changed the object")
	}
}

// The status belongs to Assay's type alone: OpenShift's PUT neither sends nor loses it.
func TestOpenShiftPutKeepsStatus(t *testing.T) {
	c := images(t)
	created := mustCreate(t, c, newImage(t, "one"))
	want := setStatus(t, created.Name)

	image := mustGet(t, c, created.Name)
	image.DockerImageReference = "registry.example.com/app:v2"
	if _, err := c.Update(t.Context(), image, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	var got imagev1.Image
	if err := assayClient(t).Get(t.Context(), client.ObjectKey{Name: created.Name}, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Status); diff != "" {
		t.Errorf("status after the PUT (-want +got):\n%s", diff)
	}
	if got.DockerImageReference != image.DockerImageReference {
		t.Errorf("dockerImageReference %q, want that of the PUT", got.DockerImageReference)
	}
}

// setStatus writes a full status of an Image through the subresource and returns it.
func setStatus(t *testing.T, name string) imagev1.ImageStatus {
	t.Helper()
	c := assayClient(t)
	var image imagev1.Image
	if err := c.Get(t.Context(), client.ObjectKey{Name: name}, &image); err != nil {
		t.Fatal(err)
	}
	image.Status = imagev1.ImageStatus{
		ObservedGeneration: 1,
		Conditions: []metav1.Condition{{
			Type: "Verified", Status: metav1.ConditionTrue, Reason: "Verified", Message: "fine", ObservedGeneration: 1,
			LastTransitionTime: metav1.NewTime(time.Date(2020, 2, 29, 1, 0, 0, 0, time.UTC)),
		}},
		Digest:           "sha256:0e5574283393c65e5d9ee66c2c0c2a4bd1a0a52a5c9d4a6a5a1b6c1e0b7ed3b1",
		SignatureSummary: "1/2",
		Verified:         metav1.ConditionTrue,
		Reason:           "Verified",
		Policies:         []imagev1.AppliedPolicy{{Name: "team", Scope: "registry.example.com/team", Status: metav1.ConditionTrue}},
	}
	want := *image.Status.DeepCopy()
	if err := c.Status().Update(t.Context(), &image); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, image.Status); diff != "" {
		t.Fatalf("answer to the update of the status (-want +got):\n%s", diff)
	}
	return want
}

// toOpenShift converts through JSON and fails on a member that OpenShift's type lacks.
func toOpenShift(t *testing.T, in *imagev1.Image) *openshiftv1.Image {
	t.Helper()
	var members map[string]json.RawMessage
	remarshal(t, in, &members)
	delete(members, "status")
	out := &openshiftv1.Image{}
	remarshal(t, members, out)
	return out
}

// fromOpenShift converts through JSON and fails on a member that Assay's type lacks.
func fromOpenShift(t *testing.T, in *openshiftv1.Image) *imagev1.Image {
	t.Helper()
	out := &imagev1.Image{}
	remarshal(t, in, out)
	return out
}

func remarshal(t *testing.T, in, out any) {
	t.Helper()
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(out); err != nil {
		t.Fatalf("%T into %T: %v", in, out, err)
	}
}
