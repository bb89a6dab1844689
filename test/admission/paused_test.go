// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// TestPausedLeader pauses the leader of two replicas and revokes a key. The other one takes over and
// withdraws its image. When the first one goes on, it believes for some seconds that it leads, and
// it must not put the image back.
func TestPausedLeader(t *testing.T) {
	key := pgp.EdDSA(keyCreated, "paused")
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: "paused"}}
	policy.Spec.Scopes = []assayv1alpha1.Scope{"registry.example.com/operated"}
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{{Name: "paused", Inline: string(armored(key))}}
	d := digest.FromString("paused")
	for _, obj := range []client.Object{policy, signedImage(key, d)} {
		if err := admin.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := admin.Delete(cleanupContext(t), obj); err != nil {
				t.Error(err)
			}
		})
	}
	first := startManager(t, "--leader-elect")
	awaitAdmitted(t, digest.FromString("never listed"), false)
	awaitAdmitted(t, d, true)
	startManager(t, "--leader-elect")
	if err := first.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(policy), policy); err != nil {
		t.Fatal(err)
	}
	policy.Spec.RevokedKeys = []assayv1alpha1.RevokedKey{{Fingerprint: assayv1alpha1.Fingerprint(fmt.Sprintf("%X", key.Fingerprint()))}}
	if err := admin.Update(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	awaitAdmitted(t, d, false)
	if err := first.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	asked := 0
	for ; first.Running(); asked++ { // It ends once it has noticed.
		if err := runPod(t, d); err == nil {
			t.Fatalf("the image of a revoked key is admitted again, after %d Pods", asked)
		}
	}
	t.Logf("%d Pods were refused until the first leader had ended", asked)
}
