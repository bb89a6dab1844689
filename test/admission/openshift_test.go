// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"testing"

	openshiftimagev1 "github.com/openshift/api/image/v1"
	imageclient "github.com/openshift/client-go/image/clientset/versioned"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1 "github.com/assay-project/assay/api/image/v1"
)

// TestOpenShiftRoundTrip reads an Image with a verdict with OpenShift's client, which has types of its own, and writes it back.
func TestOpenShiftRoundTrip(t *testing.T) {
	image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: "from-openshift"}, DockerImageManifest: `{"schemaVersion":2}`}
	image.Signatures = []imagev1.ImageSignature{withVerdict(signature("one")), signature("two")}
	if err := admin.Create(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	config, err := cp.ConfigForUser("editor")
	if err != nil {
		t.Fatal(err)
	}
	client, err := imageclient.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	images := client.ImageV1().Images()
	edits := map[string]struct {
		edit    func(*openshiftimagev1.Image)
		refusal string
	}{
		"nothing": {func(*openshiftimagev1.Image) {}, ""},
		"add a signature": {func(i *openshiftimagev1.Image) {
			i.Signatures = append(i.Signatures, openshiftimagev1.ImageSignature{Type: "atomic", Content: []byte("x")})
		}, ""},
		"clear, as on a failure to verify": {func(i *openshiftimagev1.Image) {
			i.Signatures[0] = openshiftimagev1.ImageSignature{ObjectMeta: i.Signatures[0].ObjectMeta, Type: "atomic", Content: i.Signatures[0].Content}
		}, ""},
		"oc adm verify-image-signature --save": {func(i *openshiftimagev1.Image) { i.Signatures[1].Conditions = i.Signatures[0].Conditions }, aboutVerdict},
	}
	for name, tc := range edits {
		t.Run(name, func(t *testing.T) {
			read, err := images.Get(t.Context(), image.Name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			tc.edit(read)
			_, err = images.Update(t.Context(), read, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
			wantError(t, err, tc.refusal)
		})
	}
}
