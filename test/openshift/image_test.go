// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openshift

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	openshiftv1 "github.com/openshift/api/image/v1"
	imageclient "github.com/openshift/client-go/image/clientset/versioned"
	typedv1 "github.com/openshift/client-go/image/clientset/versioned/typed/image/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
)

// testLabel has the name of the test as its value, for selectors.
const testLabel = "test"

// clientset returns OpenShift's client for the API group.
func clientset(t *testing.T) imageclient.Interface {
	t.Helper()
	c, err := imageclient.NewForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// images returns OpenShift's typed client, and deletes the test's Images when it ends.
func images(t *testing.T) typedv1.ImageInterface {
	t.Helper()
	c := clientset(t).ImageV1().Images()
	t.Cleanup(func() {
		if err := c.DeleteCollection(cleanupContext(t), metav1.DeleteOptions{}, ofTest(t)); err != nil {
			t.Error(err)
		}
	})
	return c
}

// ofTest selects the Images that the test created.
func ofTest(t *testing.T) metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: testLabel + "=" + labelValue(t)}
}

// labelValue returns the end of the test's name, which tells tests apart, in the
// characters of a label's value and of an object's name.
func labelValue(t *testing.T) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(t.Name()))
	return strings.Trim(name[max(0, len(name)-60):], "-")
}

// newImage returns an Image that carries the test's label and nothing else.
func newImage(t *testing.T, name string) *openshiftv1.Image {
	return &openshiftv1.Image{ObjectMeta: metav1.ObjectMeta{
		Name:   labelValue(t) + "." + name,
		Labels: map[string]string{testLabel: labelValue(t)},
	}}
}

// signature returns a signature as a client uploads it: without verdict.
func signature(name string) openshiftv1.ImageSignature {
	return openshiftv1.ImageSignature{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Type:       "atomic",
		Content:    []byte("content of " + name),
	}
}

// mustCreate creates an Image with OpenShift's client and returns the server's answer.
func mustCreate(t *testing.T, c typedv1.ImageInterface, image *openshiftv1.Image) *openshiftv1.Image {
	t.Helper()
	created, err := c.Create(t.Context(), image, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		t.Fatalf("create %s: %v", image.Name, err)
	}
	return created
}

// mustGet reads an Image with OpenShift's client.
func mustGet(t *testing.T, c typedv1.ImageInterface, name string) *openshiftv1.Image {
	t.Helper()
	image, err := c.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatalf("get %s: %v", name, err)
	}
	return image
}

// assayClient returns a client for the types of this project.
func assayClient(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := imagev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(admin, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// post creates an Image from JSON as it is and returns the server's answer.
func post(t *testing.T, fieldValidation, body string) ([]byte, error) {
	t.Helper()
	return restClient(t).Post().Resource("images").Param("fieldValidation", fieldValidation).
		SetHeader("Content-Type", "application/json").Body([]byte(body)).DoRaw(t.Context())
}

// restClient returns the plain REST client of the API group.
func restClient(t *testing.T) rest.Interface {
	return clientset(t).ImageV1().RESTClient()
}

// body returns the JSON of an Image of the test with the given members beside its metadata.
func body(t *testing.T, name, members string) string {
	meta, err := json.Marshal(newImage(t, name).ObjectMeta)
	if err != nil {
		t.Fatal(err)
	}
	if members != "" {
		members = "," + members
	}
	return fmt.Sprintf(`{"apiVersion":"image.openshift.io/v1","kind":"Image","metadata":%s%s}`, meta, members)
}

// serverFields is for comparing an object with what became of it on the server.
var serverFields = cmpopts.IgnoreFields(metav1.ObjectMeta{}, "UID", "ResourceVersion", "Generation", "CreationTimestamp", "ManagedFields")

// sameImage fails the test if two Images differ in more than what the server fills in.
func sameImage(t *testing.T, what string, want, got *openshiftv1.Image) {
	t.Helper()
	if diff := cmp.Diff(want, got, serverFields, cmpopts.EquateEmpty(), cmpopts.IgnoreTypes(metav1.TypeMeta{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// fullImage returns an Image with every field that OpenShift's type has.
func fullImage(t *testing.T) *openshiftv1.Image {
	image := newImage(t, "sha256-0e5574283393c65e5d9ee66c2c0c2a4bd1a0a52a5c9d4a6a5a1b6c1e0b7ed3b1")
	image.DockerImageReference = "registry.example.com/team/app@sha256:0e5574283393c65e5d9ee66c2c0c2a4bd1a0a52a5c9d4a6a5a1b6c1e0b7ed3b1"
	image.DockerImageMetadata = runtime.RawExtension{Raw: []byte(`{"Config":{"Env":["A=b"],"ExposedPorts":{"80/tcp":{}},"User":null},"Size":12345678901234567,"apiVersion":"1.0","kind":"DockerImage","x":1.5}`)}
	image.DockerImageMetadataVersion = "1.0"
	image.DockerImageManifest = "{\n   \"schemaVersion\": 2\n}\t\u00e9\u2028<&>"
	image.DockerImageManifestMediaType = "application/vnd.oci.image.index.v1+json"
	image.DockerImageManifests = []openshiftv1.ImageManifest{{
		Digest: "sha256:aa", MediaType: "application/vnd.oci.image.manifest.v1+json", ManifestSize: 1 << 53, Architecture: "arm", OS: "linux", Variant: "v7",
	}}
	image.DockerImageConfig = `{"architecture":"arm"}`
	image.DockerImageLayers = []openshiftv1.ImageLayer{{Name: "sha256:bb", LayerSize: 1<<63 - 1, MediaType: "application/vnd.oci.image.layer.v1.tar+gzip"}}
	image.DockerImageSignatures = [][]byte{{0, 1, 0xff}, []byte("second")}
	image.Signatures = []openshiftv1.ImageSignature{fullSignature(image.Name), signature(image.Name + "@second")}
	return image
}

// fullSignature returns a signature with every field but those of its metadata that no
// OpenShift server fills in.
func fullSignature(image string) openshiftv1.ImageSignature {
	at := func(hour int) metav1.Time { return metav1.NewTime(time.Date(2020, 2, 29, hour, 30, 59, 0, time.UTC)) }
	created := at(1)
	entity := openshiftv1.SignatureGenericEntity{Organization: "Example", CommonName: "Release <release@example.com>"}
	return openshiftv1.ImageSignature{
		TypeMeta: metav1.TypeMeta{APIVersion: "image.openshift.io/v1", Kind: "ImageSignature"},
		ObjectMeta: metav1.ObjectMeta{
			Name: image + "@first", GenerateName: "first-", Namespace: "team", UID: "5f8ad4d1", ResourceVersion: "7", Generation: 3,
			CreationTimestamp: at(2), Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"}, Finalizers: []string{"e"},
		},
		Type:    "AtomicImageV1",
		Content: []byte{0x00, 0xff, 0x80, '\n'},
		Conditions: []openshiftv1.SignatureCondition{
			{Type: "Complete", Status: corev1.ConditionTrue, LastProbeTime: at(3), LastTransitionTime: at(4), Reason: "Verified", Message: "fine"},
			{Type: "Failed", Status: corev1.ConditionFalse, LastProbeTime: at(3), LastTransitionTime: at(4), Reason: "Verified", Message: "fine"},
		},
		ImageIdentity: "registry.example.com/team/app:v1",
		SignedClaims:  map[string]string{"critical.identity.docker-reference": "registry.example.com/team/app:v1", "optional.creator": "x "},
		Created:       &created,
		IssuedBy:      &openshiftv1.SignatureIssuer{SignatureGenericEntity: entity},
		IssuedTo:      &openshiftv1.SignatureSubject{SignatureGenericEntity: entity, PublicKeyID: "0x685ebe62bf278440"},
	}
}
