// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// When the key of these tests was made, and when it signed: 2024.
const (
	keyCreated = 1704067200
	keySigned  = keyCreated + 86400
)

const repository = "registry.example.com/operated/app"

// TestOperator goes from a signature to a Pod: the real manager writes the allowlist, with the
// permissions that config/rbac gives it and past the policies that guard it.
func TestOperator(t *testing.T) {
	key := pgp.EdDSA(keyCreated, "operated")
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "operated"},
		Data:       map[string][]byte{"key.asc": armored(key)},
	}
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: "operated"}}
	policy.Spec.Scopes = []assayv1alpha1.Scope{"registry.example.com/operated"}
	policy.Spec.Keys = []assayv1alpha1.TrustedKey{{Name: "operated", SecretRef: &assayv1alpha1.KeySourceRef{Name: "operated"}}}
	good, other, unsigned := digest.FromString("good"), digest.FromString("other"), digest.FromString("unsigned")
	for _, obj := range []client.Object{secret, policy, signedImage(key, good)} {
		if err := admin.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := admin.Delete(cleanupContext(t), obj); err != nil {
				t.Error(err)
			}
		})
	}
	m := startManager(t)
	awaitAdmitted(t, unsigned, false) // Before the operator has written the allowlist, no scope covers it.
	awaitAdmitted(t, good, true)

	if err := admin.Create(t.Context(), signedImage(key, other)); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	awaitAdmitted(t, other, true)
	t.Logf("a new signature let its image in after %s", time.Since(begin))

	// Nobody evaluates and nobody writes; the API server goes by the allowlist.
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := runPod(t, good); err != nil {
		t.Errorf("a verified image while the operator is dead: %v", err)
	}
	if err := runPod(t, unsigned); !apierrors.IsForbidden(err) {
		t.Errorf("an image that nobody signed while the operator is dead: got %v, want it forbidden", err)
	}

	startManager(t)
	secret.Data["key.asc"] = revoked(key)
	if err := admin.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	begin = time.Now()
	awaitAdmitted(t, good, false)
	t.Logf("a revocation turned its image away after %s, the start of the operator included", time.Since(begin))
}

func armored(key *pgp.Key) []byte {
	return pgp.Armor("PGP PUBLIC KEY BLOCK", key.Simple("Operated <operated@example.com>"))
}

func revoked(key *pgp.Key) []byte {
	return pgp.Armor("PGP PUBLIC KEY BLOCK", key.Certificate(
		key.Direct(key.Standard(pgp.TypeKeyRevocation, keySigned+86400)),
		key.User("Operated <operated@example.com>", key.Standard(pgp.TypePositiveCert, keyCreated, pgp.Flags(pgp.FlagCertify|pgp.FlagSign)))))
}

func signedImage(key *pgp.Key, d digest.Digest) *imagev1.Image {
	return signedAs(key, repository, d)
}

// signedAs returns an Image of a repository with a signature for it.
func signedAs(key *pgp.Key, repository string, d digest.Digest) *imagev1.Image {
	payload := fmt.Sprintf(`{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":%q},`+
		`"identity":{"docker-reference":"%s:v1"}},"optional":{}}`, d, repository)
	return &imagev1.Image{
		ObjectMeta:           metav1.ObjectMeta{Name: "sha256-" + d.Encoded()},
		DockerImageReference: repository + "@" + d.String(),
		Signatures: []imagev1.ImageSignature{{
			Type: imagev1.SignatureTypeAtomicImageV1, Content: key.Message(key.Standard(pgp.TypeBinary, keySigned), []byte(payload)),
		}},
	}
}

// startManager runs the manager, until the test ends at the latest.
func startManager(t *testing.T, args ...string) *manager.Manager {
	t.Helper()
	kubeconfig, err := cp.KubeconfigFor(t.Context(), manager.Namespace, manager.ServiceAccount)
	if err != nil {
		t.Fatal(err)
	}
	m, err := manager.Start(manager.Options{Program: program, Kubeconfig: kubeconfig, LogFile: filepath.Join(t.TempDir(), "manager.log"), Args: args})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the end of the manager's log:\n%s", m.LogTail())
		}
	})
	return m
}

func runPod(t *testing.T, d digest.Digest) error {
	t.Helper()
	return create(t.Context(), podOf("default", container(repository+":v1@"+d.String())))
}

// awaitAdmitted waits until a Pod with an image is admitted, or refused as not verified.
func awaitAdmitted(t *testing.T, d digest.Digest, want bool) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%s to be admitted: %v", d, want), func() bool {
		err := runPod(t, d)
		if want {
			return err == nil
		}
		return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "is not verified")
	})
}
