// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

const (
	// namespace is where the Deployments of the demo are.
	namespace = "demo"
	// columns of Images in the first part, whose names are digests.
	columns = "custom-columns=IMAGE:.dockerImageReference,TYPE:.signatures[*].type,VERIFIED:.status.verified,REASON:.status.reason"
)

// showRollouts is the first part: nobody makes an Image or fetches a signature.
func (d *demo) showRollouts(ctx context.Context) error {
	for _, chapter := range []func(context.Context) error{d.trust, d.rollOutSigned, d.rollOutCosigned, d.rollOutUnsigned, d.revoke} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return nil
}

// trust applies what an administrator says, once.
func (d *demo) trust(ctx context.Context) error {
	by := "the demo, in the form of cosign (COSIGN=1 builds and runs cosign itself)"
	if d.cosign {
		by = "cosign"
	}
	d.out.printf(`
== 1. Images and signatures come by themselves ==

The registry %s has four images. The cluster knows nothing of them yet.

  %-12s signed with an OpenPGP key; the signature is in the lookaside store %s
  %-12s not signed
  %-12s signed with a key by %s
  %-12s the same; the first signature is under a tag, the second one is a bundle

An administrator names the keys for them, and the store, and nothing else.

`, d.site.registry.Host, webImage, d.site.lookaside.URL, legacyImage, scanImage, by, lintImage)
	text, err := os.ReadFile(filepath.Join(d.dir, "trust.yaml"))
	if err != nil {
		return err
	}
	d.out.command("cat", "trust.yaml")
	d.out.block(string(text))
	if err := d.kubectl(ctx, "apply", "-f", "keys.yaml", "-f", "trust.yaml"); err != nil {
		return err
	}
	if err := d.kubectl(ctx, "create", "namespace", namespace); err != nil {
		return err
	}
	return d.awaitRefusal(ctx, d.site.reference(webImage))
}

// rollOutSigned shows what happens to an image that is signed.
func (d *demo) rollOutSigned(ctx context.Context) error {
	d.out.printf("Somebody deploys an image that is signed. kubectl warns that it is not verified yet.\n\n")
	if err := d.rollOut(ctx, "web", webImage); err != nil {
		return err
	}
	if err := d.table(ctx, "get", "images", "-o", columns); err != nil {
		return err
	}
	return d.table(ctx, "-n", namespace, "get", "pods")
}

// rollOutCosigned shows the same of two images that cosign has signed.
func (d *demo) rollOutCosigned(ctx context.Context) error {
	d.out.printf("Somebody deploys two images with signatures in the registry.\n\n")
	if err := d.rollOut(ctx, "tools", scanImage, lintImage); err != nil {
		return err
	}
	return d.table(ctx, "get", "images", "-o", columns)
}

// rollOut applies a Deployment and waits for its Pod, which the API server admits once the images are
// verified.
func (d *demo) rollOut(ctx context.Context, name string, repositories ...string) error {
	begin := time.Now()
	if err := d.kubectl(ctx, "apply", "-f", name+".yaml"); err != nil {
		return err
	}
	if err := d.awaitPods(ctx, name, 1); err != nil {
		return err
	}
	took := time.Since(begin)
	for _, repository := range repositories {
		if err := d.awaitVerdict(ctx, repository, metav1.ConditionTrue, assayv1alpha1.ReasonVerified); err != nil {
			return err
		}
	}
	d.out.printf("The Pod is there after %.1f s: Assay made the Images, fetched the signatures and verified them.\n\n", took.Seconds())
	return nil
}

// rollOutUnsigned shows that the Pods of a Deployment are refused, and why.
func (d *demo) rollOutUnsigned(ctx context.Context) error {
	d.out.printf("Somebody deploys an image that is not signed.\n\n")
	if err := d.kubectl(ctx, "apply", "-f", "legacy.yaml"); err != nil {
		return err
	}
	if err := d.awaitVerdict(ctx, legacyImage, metav1.ConditionFalse, assayv1alpha1.ReasonNoSignatures); err != nil {
		return err
	}
	if err := d.awaitFailure(ctx, "legacy"); err != nil {
		return err
	}
	d.out.printf("There is no Pod. The ReplicaSet has the refusal, and the Image the reason.\n\n")
	if err := d.showRefusal(ctx, "legacy"); err != nil {
		return err
	}
	if err := d.kubectl(ctx, "get", "image", d.site.image(legacyImage), "-o",
		`jsonpath={.status.reason}: {.status.conditions[?(@.type=="Verified")].message}`); err != nil {
		return err
	}
	return d.awaitPods(ctx, "legacy", 0)
}

// revoke shows that a Pod is refused once the key is revoked, and that those that run are left alone.
func (d *demo) revoke(ctx context.Context) error {
	d.out.printf("The release key is stolen, and its owner revokes it.\n\n")
	if err := d.kubectl(ctx, "apply", "-f", "revoked.yaml"); err != nil {
		return err
	}
	if err := d.awaitVerdict(ctx, webImage, metav1.ConditionFalse, assayv1alpha1.ReasonKeyRevoked); err != nil {
		return err
	}
	if err := d.awaitRefusal(ctx, d.site.reference(webImage)); err != nil {
		return err
	}
	d.out.printf("The Pod that is there stays. The next one is refused.\n\n")
	if err := d.kubectl(ctx, "-n", namespace, "scale", "deployment", "web", "--replicas=2"); err != nil {
		return err
	}
	if err := d.awaitFailure(ctx, "web"); err != nil {
		return err
	}
	if err := d.showRefusal(ctx, "web"); err != nil {
		return err
	}
	if err := d.table(ctx, "get", "images", "-o", columns); err != nil {
		return err
	}
	return d.awaitPods(ctx, "web", 1)
}

// showRefusal shows why a ReplicaSet cannot make a Pod.
func (d *demo) showRefusal(ctx context.Context, name string) error {
	return d.kubectl(ctx, "-n", namespace, "get", "replicasets", "-l", "app="+name, "-o",
		`jsonpath={.items[*].status.conditions[?(@.type=="ReplicaFailure")].message}`)
}

// awaitPods waits until a Deployment has so many Pods.
func (d *demo) awaitPods(ctx context.Context, name string, want int) error {
	return d.await(ctx, fmt.Sprintf("Deployment %s to have %d Pods", name, want), func(ctx context.Context) (bool, string, error) {
		var pods corev1.PodList
		err := d.client.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{"app": name})
		return len(pods.Items) == want, fmt.Sprintf("%d Pods", len(pods.Items)), err
	})
}

// awaitFailure waits until a ReplicaSet has failed to make a Pod because of admission.
func (d *demo) awaitFailure(ctx context.Context, name string) error {
	return d.await(ctx, "ReplicaSet of "+name+" to be refused a Pod", func(ctx context.Context) (bool, string, error) {
		var sets appsv1.ReplicaSetList
		err := d.client.List(ctx, &sets, client.InNamespace(namespace), client.MatchingLabels{"app": name})
		for i := range sets.Items {
			for _, c := range sets.Items[i].Status.Conditions {
				if c.Type == appsv1.ReplicaSetReplicaFailure && strings.Contains(c.Message, "ValidatingAdmissionPolicy") {
					return true, c.Message, err
				}
			}
		}
		return false, "no refusal", err
	})
}

// awaitVerdict waits for a verdict on an image of the demo.
func (d *demo) awaitVerdict(ctx context.Context, repository string, status metav1.ConditionStatus, reason string) error {
	return d.await(ctx, repository+" to be "+reason, func(ctx context.Context) (bool, string, error) {
		var image imagev1.Image
		if err := d.client.Get(ctx, client.ObjectKey{Name: d.site.image(repository)}, &image); err != nil {
			return false, err.Error(), client.IgnoreNotFound(err)
		}
		c := meta.FindStatusCondition(image.Status.Conditions, assayv1alpha1.VerifiedCondition)
		return c != nil && c.Status == status && c.Reason == reason, fmt.Sprintf("%+v", c), nil
	})
}

// awaitRefusal waits until the API server refuses Pods with an image: it reads the allowlist a moment
// after the operator has written it.
func (d *demo) awaitRefusal(ctx context.Context, image string) error {
	return d.await(ctx, image+" to be refused", func(ctx context.Context) (bool, string, error) {
		err := d.tryPod(ctx, image)
		if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
			return true, "", nil
		}
		return false, "admitted", err
	})
}

// tryPod creates a Pod as a dry run.
func (d *demo) tryPod(ctx context.Context, image string) error {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "tried", Namespace: metav1.NamespaceDefault},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: image}}},
	}
	return d.client.Create(ctx, pod, client.DryRunAll)
}
