// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// Commands of docs/gitops.md.
const (
	imageArgs      = "registry.example.com/team/app:v1 --manifest manifest.json --signature app.sig"
	applyImage     = "assay image apply " + imageArgs
	removeImage    = "assay image create " + imageArgs + " | kubectl delete --ignore-not-found -f -"
	printImage     = "assay image create " + imageArgs + " > image.yaml"
	applyManifest  = "kubectl apply --server-side -f image.yaml"
	diffManifest   = "kubectl diff --server-side -f image.yaml"
	clientApply    = "kubectl apply -f image.yaml"
	deleteManifest = "kubectl delete --ignore-not-found -f image.yaml"
	forceManifest  = "kubectl apply --server-side --force-conflicts -f image.yaml"
	applyHealth    = "kubectl apply --server-side -k config/samples-argo-cd"
	removeHealth   = "kubectl -n argocd patch configmap argocd-cm --type=merge -p '{\"data\":{" +
		"\"resource.customizations.health.image.openshift.io_Image\":null," +
		"\"resource.customizations.health.assay.dev_TrustPolicy\":null," +
		"\"resource.customizations.health.assay.dev_RegistryConfig\":null}}'"
)

// repository is the reader of docs/gitops.md at work: an image's manifest and signature in files, and
// a cluster with the operator and a TrustPolicy.
type repository struct {
	*cluster
	doc *document
	// name is that of the Image.
	name string
}

// TestGitOps runs the commands of docs/gitops.md against an API server with admission and a running
// operator.
func TestGitOps(t *testing.T) {
	r := &repository{cluster: newCluster(t), doc: readDocument(t, "../../docs/gitops.md")}
	for _, command := range []string{
		applyImage, removeImage, printImage, applyManifest, diffManifest, clientApply, deleteManifest, forceManifest,
		applyHealth, removeHealth, applyOwn,
	} {
		r.doc.take(t, command)
	}
	r.doc.checkAllRun(t)
	r.sh(t, startAudit)
	r.startOperator(t)
	r.prepareImage(t)

	t.Run("pipeline", r.testPipeline)
	t.Run("kubectl", r.testKubectl)
	t.Run("client-side apply", r.testClientSide)
	t.Run("Argo CD", r.testHealth)
	t.Run("without MutatingAdmissionPolicy", r.testWithoutMutation)
}

// startOperator builds assay, puts it into the path, and runs the operator with the permissions of
// its service account.
func (r *repository) startOperator(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "assay")
	if err := manager.Build(t.Context(), r.root, program); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	kubeconfig, err := r.KubeconfigFor(t.Context(), manager.Namespace, manager.ServiceAccount)
	if err != nil {
		t.Fatal(err)
	}
	fixture.StartManager(t, program, kubeconfig)
}

// prepareImage writes the files of an image, and trusts the key that signed it.
func (r *repository) prepareImage(t *testing.T) {
	t.Helper()
	const name = "registry.example.com/team/app"
	manifest := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[]}`
	d, key := digest.FromString(manifest), fixture.Key("release")
	r.name = "sha256-" + d.Encoded()
	writeFile(t, filepath.Join(r.checkout, "manifest.json"), manifest)
	writeFile(t, filepath.Join(r.checkout, "app.sig"), string(fixture.Signature(name, d, key).Content))
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: "team"}, Spec: assayv1alpha1.TrustPolicySpec{
		Scopes: []assayv1alpha1.Scope{name}, Keys: []assayv1alpha1.TrustedKey{{Name: "release", Inline: string(fixture.PublicKey(key))}},
	}}
	if err := r.client.Create(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
}

// verified returns the Image once its verdict is stored.
func (r *repository) verified(t *testing.T) *imagev1.Image {
	t.Helper()
	image := &imagev1.Image{}
	fixture.Eventually(t, "the Image to be verified", func(ctx context.Context) (bool, string) {
		if err := r.client.Get(ctx, client.ObjectKey{Name: r.name}, image); err != nil {
			return false, err.Error()
		}
		return image.Status.ObservedGeneration == image.Generation && image.Status.Verified == "True" &&
			len(image.Signatures) == 1 && len(image.Signatures[0].Conditions) == 2, image.Status.Reason
	})
	return image
}

// wantSame checks that nobody has written to the Image.
func (r *repository) wantSame(t *testing.T, before *imagev1.Image) {
	t.Helper()
	now := &imagev1.Image{}
	if err := r.client.Get(t.Context(), client.ObjectKeyFromObject(before), now); err != nil {
		t.Fatal(err)
	}
	if now.Generation != before.Generation || len(now.Signatures[0].Conditions) != 2 {
		t.Errorf("generation %d with %d conditions, and before %d", now.Generation, len(now.Signatures[0].Conditions), before.Generation)
	}
}

func (r *repository) wantGone(t *testing.T) {
	t.Helper()
	if err := r.client.Get(t.Context(), client.ObjectKey{Name: r.name}, &imagev1.Image{}); !apierrors.IsNotFound(err) {
		t.Errorf("the Image is still there: %v", err)
	}
}

func (r *repository) testPipeline(t *testing.T) {
	for range 2 {
		r.twice(t, applyImage)
		image := r.verified(t)
		if out := r.sh(t, applyImage); !strings.Contains(out, "unchanged") {
			t.Errorf("applied again: %s", out)
		}
		r.wantSame(t, image)
		r.twice(t, removeImage)
		r.wantGone(t)
	}
}

func (r *repository) testKubectl(t *testing.T) {
	for range 2 {
		r.twice(t, printImage, applyManifest)
		image := r.verified(t)
		r.twice(t, printImage, applyManifest, diffManifest)
		if out := r.sh(t, diffManifest); out != "" {
			t.Errorf("a difference after an apply:\n%s", out)
		}
		r.wantSame(t, image)
		r.twice(t, deleteManifest)
		r.wantGone(t)
	}
}

func (r *repository) testClientSide(t *testing.T) {
	for range 2 {
		r.twice(t, printImage, clientApply)
		image := r.verified(t)
		if out := r.sh(t, clientApply); !strings.Contains(out, "configured") {
			t.Errorf("the document says that it prints configured: %s", out)
		}
		r.wantSame(t, image)
		r.twice(t, deleteManifest)
		r.wantGone(t)
	}
}

// testHealth adds the scripts to settings of Argo CD that are there, and removes them again.
func (r *repository) testHealth(t *testing.T) {
	const keys = "kubectl -n argocd get configmap argocd-cm -o go-template='{{range $k, $v := .data}}{{$k}} {{end}}'"
	r.sh(t, "kubectl create namespace argocd && kubectl -n argocd create configmap argocd-cm --from-literal=url=https://argocd.example.com")
	for range 2 {
		r.twice(t, applyHealth)
		want := "resource.customizations.health.assay.dev_RegistryConfig resource.customizations.health.assay.dev_TrustPolicy " +
			"resource.customizations.health.image.openshift.io_Image url "
		if got := r.sh(t, keys); got != want {
			t.Errorf("settings %s, want %s", got, want)
		}
		r.twice(t, removeHealth)
		if got := r.sh(t, keys); got != "url " {
			t.Errorf("settings %s, want url alone", got)
		}
	}
}

// testWithoutMutation installs Assay as on a version of Kubernetes without MutatingAdmissionPolicy: an
// apply is a conflict once the operator has written, and the one that is forced works.
func (r *repository) testWithoutMutation(t *testing.T) {
	r.sh(t, removeAdmission)
	r.sh(t, removeMutation)
	r.doc.writeFiles(t, r.checkout)
	r.twice(t, applyOwn)
	if out := r.sh(t, "kubectl get mutatingadmissionpolicies,mutatingadmissionpolicybindings -o name"); out != "" {
		t.Fatalf("the component kubernetes-1.34 leaves\n%s", out)
	}
	r.sh(t, "kubectl get validatingadmissionpolicybinding image-verification")
	for range 2 {
		r.sh(t, printImage)
		r.sh(t, forceManifest)
		r.verified(t)
		if out, err := r.try(t, applyManifest); err == nil || !strings.Contains(out, "conflict") {
			t.Errorf("the document says that an apply without force is a conflict: %v\n%s", err, out)
		}
		r.twice(t, forceManifest)
		r.verified(t)
		r.twice(t, deleteManifest)
		r.wantGone(t)
	}
}
