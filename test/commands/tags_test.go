// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// Commands of docs/tags.md.
const (
	getImages = "kubectl get images"
	showTags  = "kubectl get images -o custom-columns='NAME:.metadata.name,VERIFIED:.status.verified,REASON:.status.reason,TAGS:.status.tags[*].name'"
	optOut    = "kubectl label --overwrite namespace shop assay.dev/pin=disabled"
	endOptOut = "kubectl label namespace shop assay.dev/pin-"
	deletePin = "kubectl delete --ignore-not-found mutatingadmissionpolicybinding,mutatingadmissionpolicy pin-tags"
)

// tagged is an image by the tag that writeTags knows.
const tagged = enforceScope + "/app:v1"

// TestTags adds the component pin as docs/tags.md does, opts a namespace out of it, and removes it.
func TestTags(t *testing.T) {
	c := newCluster(t)
	doc := readDocument(t, "../../docs/tags.md")
	for _, command := range []string{applyOwn, getImages, showTags, optOut, endOptOut, deletePin} {
		doc.take(t, command)
	}
	doc.checkAllRun(t)
	if len(doc.files) != 1 || !strings.Contains(doc.files[ownKustomization], "/components/pin\n") {
		t.Fatalf("the document has other files than %s with the component pin", ownKustomization)
	}
	c.sh(t, "kubectl apply --server-side -k config/admission && kubectl create namespace shop")
	c.writeAllowlist(t, enforceScope)
	c.writeTags(t)
	c.wantShownTags(t)

	const refused = ""
	pinned := tagged + strings.TrimPrefix(signed, "/app")
	for range 2 {
		doc.writeFiles(t, c.checkout)
		c.twice(t, applyOwn)
		c.wantImage(t, "shop", pinned)
		c.twice(t, optOut)
		c.wantImage(t, "shop", refused)
		c.wantImage(t, "default", pinned)
		c.twice(t, endOptOut)
		c.wantImage(t, "shop", pinned)

		withoutPin := strings.Replace(doc.files[ownKustomization], "- ../assay/config/admission/components/pin\n", "", 1)
		writeFile(t, c.checkout+"/"+ownKustomization, withoutPin)
		c.twice(t, deletePin, applyOwn)
		c.wantImage(t, "shop", refused)
	}
}

// writeTags writes what the operator would: the tag of the signed image, and an Image with it.
func (c *cluster) writeTags(t *testing.T) {
	t.Helper()
	_, digits, _ := strings.Cut(signed, "@sha256:")
	tables, dropped := allowlist.EncodeTags(map[string]string{tagged: digits}, nil, func(string) string { return "" })
	if dropped > 0 {
		t.Fatalf("%d tags do not fit", dropped)
	}
	for _, table := range tables {
		object := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: manager.Namespace, Name: table.Name, Labels: table.Labels}, Data: table.Data,
		}
		if err := c.client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// wantShownTags checks that the command for tags shows an Image with its tag and its verdict.
func (c *cluster) wantShownTags(t *testing.T) {
	t.Helper()
	image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: "tagged"}}
	if err := c.client.Create(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	image.Status.Verified, image.Status.Reason = "True", "Verified"
	image.Status.Tags = []imagev1.ImageTag{{Name: tagged}}
	// An API server refuses updates until it evaluates the policy keep-verdicts.
	waitFor(t, "the status of an Image to be written", func(ctx context.Context) (bool, error) {
		err := c.client.Status().Update(ctx, image)
		if apierrors.IsServiceUnavailable(err) {
			return false, nil
		}
		return err == nil, err
	})
	if list := c.sh(t, getImages); !strings.Contains(list, "tagged ") {
		t.Errorf("the Images are\n%s\nwant one named tagged", list)
	}
	fields := strings.Fields(c.sh(t, showTags))
	if got, want := strings.Join(fields, " "), "NAME VERIFIED REASON TAGS tagged True Verified "+tagged; got != want {
		t.Errorf("the tags are shown as %q, want %q", got, want)
	}
}

// wantImage waits until a Pod that names the image by its tag gets the wanted one, or is refused if
// that is empty.
func (c *cluster) wantImage(t *testing.T, namespace, want string) {
	t.Helper()
	waitFor(t, fmt.Sprintf("a Pod in %s to get the image %q", namespace, want), func(ctx context.Context) (bool, error) {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "tagged-"},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: tagged}}},
		}
		err := c.client.Create(ctx, pod, client.DryRunAll)
		if want == "" {
			return apierrors.IsForbidden(err) || apierrors.IsInvalid(err), nil
		}
		return err == nil && pod.Spec.Containers[0].Image == want, nil
	})
}
