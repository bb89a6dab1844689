// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
)

// probedAt returns an image whose only signature was last checked at a time.
func probedAt(at time.Time) *imagev1.Image {
	image := &imagev1.Image{Signatures: make([]imagev1.ImageSignature, 1)}
	for _, conditionType := range []imagev1.SignatureConditionType{imagev1.SignatureComplete, imagev1.SignatureFailed} {
		image.Signatures[0].Conditions = append(image.Signatures[0].Conditions,
			imagev1.SignatureCondition{Type: conditionType, LastProbeTime: metav1.NewTime(at)})
	}
	return image
}

func TestCollector(t *testing.T) {
	now := time.Unix(1704067200, 0)
	image := func(name string, status metav1.ConditionStatus, probe time.Time) *imagecache.Image {
		i := probedAt(probe)
		i.Name = name
		if status != "" {
			i.Status.Conditions = []metav1.Condition{{Type: assayv1alpha1.VerifiedCondition, Status: status}}
		}
		return &imagecache.Image{Image: *i}
	}
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: "keys"}}
	for _, left := range []time.Duration{-time.Hour, time.Hour, 24 * 20 * time.Hour, 24 * 60 * time.Hour, 24 * 400 * time.Hour} {
		expires := metav1.NewTime(now.Add(left))
		policy.Status.Keys = append(policy.Status.Keys, assayv1alpha1.KeyStatus{Fingerprint: "F", Expires: &expires})
	}
	policy.Status.Keys = append(policy.Status.Keys,
		assayv1alpha1.KeyStatus{Fingerprint: "F"}, assayv1alpha1.KeyStatus{Fingerprint: "F"},
		assayv1alpha1.KeyStatus{Reason: assayv1alpha1.ReasonSourceNotFound})
	inAWeek := metav1.NewTime(now.Add(6 * 24 * time.Hour))
	policy.Status.Signers = []assayv1alpha1.SignerStatus{
		{Name: "pki", Usable: true, Expires: &inAWeek}, {Name: "fulcio", Usable: true}, {Name: "missing", Reason: assayv1alpha1.ReasonSourceNotFound},
	}
	broken := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: "broken"}}
	broken.Status.Conditions = []metav1.Condition{
		{Type: assayv1alpha1.ReadyCondition, Status: metav1.ConditionFalse},
		{Type: assayv1alpha1.RevocationLostCondition, Status: metav1.ConditionTrue},
		{Type: assayv1alpha1.KeyDataSkippedCondition, Status: metav1.ConditionTrue},
	}
	policy.Status.Conditions = append(policy.Status.Conditions, metav1.Condition{Type: assayv1alpha1.KeyDataSkippedCondition, Status: metav1.ConditionTrue})
	imported := func(name, reason string) *imagecache.Image {
		i := image(name, metav1.ConditionTrue, now)
		i.Labels = map[string]string{assayv1alpha1.DiscoveredLabel: "true"}
		if reason != "" {
			i.Status.Conditions = append(i.Status.Conditions, metav1.Condition{Type: assayv1alpha1.ImportedCondition, Reason: reason})
		}
		return i
	}
	undecodable := image("f", metav1.ConditionFalse, now)
	undecodable.Signatures[0].Created = &metav1.Time{Time: now.AddDate(10_000, 0, 0)}
	// A fake client is good enough here: the collector claims nothing about Kubernetes.
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{imagecache.AddToScheme, assayv1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		image("a", metav1.ConditionTrue, now.Add(-time.Hour)), image("b", metav1.ConditionTrue, now),
		image("c", metav1.ConditionFalse, now), image("d", metav1.ConditionUnknown, now), image("e", "", now), undecodable, policy, broken,
		imported("g", ""), imported("h", assayv1alpha1.ReasonImported), imported("i", assayv1alpha1.ReasonUnauthorized),
	).Build()
	collector := &Collector{Client: reader, Clock: clocktesting.NewFakePassiveClock(now)}
	want := `
# HELP assay_images Images by the status of their Verified condition (True, False, Unknown; Pending before the first check).
# TYPE assay_images gauge
assay_images{verified="False"} 2
assay_images{verified="Pending"} 1
assay_images{verified="True"} 5
assay_images{verified="Unknown"} 1
# HELP assay_image_imports Images whose signatures Assay fetches, by the reason of their Imported condition (Pending before the first attempt).
# TYPE assay_image_imports gauge
assay_image_imports{reason="HostNotAllowed"} 0
assay_image_imports{reason="Imported"} 1
assay_image_imports{reason="ManifestNotFound"} 0
assay_image_imports{reason="NoSignatureStore"} 0
assay_image_imports{reason="NoSignaturesFound"} 0
assay_image_imports{reason="Pending"} 1
assay_image_imports{reason="RateLimited"} 0
assay_image_imports{reason="StoreUnavailable"} 0
assay_image_imports{reason="TooLarge"} 0
assay_image_imports{reason="TooManySignatures"} 0
assay_image_imports{reason="Unauthorized"} 1
# HELP assay_keys Trusted keys and signers by the time that is left until they expire (expired, 7d, 30d, 90d, later, never); a key in two policies counts twice.
# TYPE assay_keys gauge
assay_keys{expires="30d"} 1
assay_keys{expires="7d"} 2
assay_keys{expires="90d"} 1
assay_keys{expires="expired"} 1
assay_keys{expires="later"} 1
assay_keys{expires="never"} 3
# HELP assay_oldest_probe_age_seconds Age of the oldest lastProbeTime of any signature. Well above the recheck interval, verdicts are no longer confirmed.
# TYPE assay_oldest_probe_age_seconds gauge
assay_oldest_probe_age_seconds 3600
# HELP assay_unusable_images Images that cannot be verified for how they are stored (Undecodable: a value cannot be read or written back; OverBudget: too many signatures to keep).
# TYPE assay_unusable_images gauge
assay_unusable_images{fault="OverBudget"} 0
assay_unusable_images{fault="Undecodable"} 1
# HELP assay_trustpolicies TrustPolicies by the status of their Ready condition (True, False; Pending before it is written).
# TYPE assay_trustpolicies gauge
assay_trustpolicies{ready="False"} 1
assay_trustpolicies{ready="Pending"} 1
assay_trustpolicies{ready="True"} 0
# HELP assay_trustpolicies_key_data_skipped TrustPolicies with the condition KeyDataSkipped: a key source also holds something that was skipped, such as a key or a revocation that cannot be read.
# TYPE assay_trustpolicies_key_data_skipped gauge
assay_trustpolicies_key_data_skipped 2
# HELP assay_trustpolicies_revocation_lost TrustPolicies with the condition RevocationLost: a revocation that was seen before is in no key source, so that the key counts again.
# TYPE assay_trustpolicies_revocation_lost gauge
assay_trustpolicies_revocation_lost 1
`
	if err := testutil.CollectAndCompare(collector, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.CollectAndLint(collector); err != nil || len(problems) > 0 {
		t.Errorf("metric names: %v, %v", problems, err)
	}
}
