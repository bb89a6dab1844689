// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// TestRevocationDuringAFlood revokes a key while the operator is down, and starts the operator while
// somebody creates Images without end. The operator does not wait for those.
func TestRevocationDuringAFlood(t *testing.T) {
	key := pgp.EdDSA(keyCreated, "flooded")
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: "flooded"}}
	policy.Spec.Scopes = []assayv1alpha1.Scope{"registry.example.com/operated"}
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{{Name: "flooded", Inline: string(armored(key))}}
	d := digest.FromString("flooded")
	for _, obj := range []client.Object{policy, signedImage(key, d)} {
		if err := admin.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := client.IgnoreNotFound(admin.Delete(context.Background(), obj)); err != nil {
				t.Error(err)
			}
		})
	}
	m := startManager(t)
	awaitAdmitted(t, digest.FromString("never listed"), false)
	awaitAdmitted(t, d, true)
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(policy), policy); err != nil {
		t.Fatal(err)
	}
	policy.Spec.RevokedKeys = []assayv1alpha1.RevokedKey{{Fingerprint: assayv1alpha1.Fingerprint(fmt.Sprintf("%X", key.Fingerprint()))}}
	if err := admin.Update(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	flood(t, key)
	startManager(t)
	awaitAdmitted(t, d, false)
}

// flood creates Images as fast as the API server takes them, until the end of the test.
func flood(t *testing.T, key *pgp.Key) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for writer := range 8 {
		writers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				d := digest.FromString(fmt.Sprint("flood", writer, n))
				if err := editor.Create(ctx, signedImage(key, d)); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		writers.Wait()
		if err := admin.DeleteAllOf(context.Background(), &imagev1.Image{}); err != nil {
			t.Error(err)
		}
	})
}
