// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metrics reports on the objects in the cache at the time of a scrape.
package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/controllers/image"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/imagejson"
)

// scrapeTimeout bounds the reading of the cache for one scrape.
const scrapeTimeout = 10 * time.Second

var (
	imagesDesc = prometheus.NewDesc("assay_images",
		"Images by the status of their Verified condition (True, False, Unknown; Pending before the first check).",
		[]string{"verified"}, nil)
	importsDesc = prometheus.NewDesc("assay_image_imports",
		"Images whose signatures Assay fetches, by the reason of their Imported condition (Pending before the first attempt).",
		[]string{"reason"}, nil)
	unusableDesc = prometheus.NewDesc("assay_unusable_images",
		"Images that cannot be verified for how they are stored (Undecodable: a value cannot be read or written back; OverBudget: too many signatures to keep).",
		[]string{"fault"}, nil)
	keysDesc = prometheus.NewDesc("assay_keys",
		"Trusted keys and signers by the time that is left until they expire (expired, 7d, 30d, 90d, later, never); a key in two policies counts twice.",
		[]string{"expires"}, nil)
	policiesDesc = prometheus.NewDesc("assay_trustpolicies",
		"TrustPolicies by the status of their Ready condition (True, False; Pending before it is written).",
		[]string{"ready"}, nil)
	revocationLostDesc = prometheus.NewDesc("assay_trustpolicies_revocation_lost",
		"TrustPolicies with the condition RevocationLost: a revocation that was seen before is in no key source, so that the key counts again.",
		nil, nil)
	keyDataSkippedDesc = prometheus.NewDesc("assay_trustpolicies_key_data_skipped",
		"TrustPolicies with the condition KeyDataSkipped: a key source also holds something that was skipped, such as a key or a revocation that cannot be read.",
		nil, nil)
	oldestProbeDesc = prometheus.NewDesc("assay_oldest_probe_age_seconds",
		"Age of the oldest lastProbeTime of any signature. Well above the recheck interval, verdicts are no longer confirmed.",
		nil, nil)
)

// verifiedStates, readyStates, faultKinds and expiryStates are the values of the labels. All are always
// exported, so that an alert sees a zero and not an absence.
var (
	verifiedStates = []string{"True", "False", "Unknown", "Pending"}
	readyStates    = []string{"True", "False", "Pending"}
	faultKinds     = []imagejson.FaultKind{imagejson.Undecodable, imagejson.OverBudget}
	expiryStates   = []string{"expired", "7d", "30d", "90d", "later", "never"}
	importReasons  = append(assayv1alpha1.ImportReasons(), "Pending")
)

// Collector is a prometheus.Collector that reads all Images and TrustPolicies.
type Collector struct {
	// Client reads Images and TrustPolicies, from a cache: every scrape reads all of them.
	Client client.Reader
	// Clock returns the present time.
	Clock clock.PassiveClock
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- imagesDesc
	ch <- importsDesc
	ch <- unusableDesc
	ch <- keysDesc
	ch <- policiesDesc
	ch <- revocationLostDesc
	ch <- keyDataSkippedDesc
	ch <- oldestProbeDesc
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	if err := c.collectImages(ctx, ch); err != nil {
		logf.FromContext(ctx).Error(err, "Cannot count Images for metrics")
	}
	if err := c.collectPolicies(ctx, ch); err != nil {
		logf.FromContext(ctx).Error(err, "Cannot count TrustPolicies and keys for metrics")
	}
}

func (c *Collector) collectImages(ctx context.Context, ch chan<- prometheus.Metric) error {
	var list imagecache.ImageList
	if err := c.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	counts, imports := map[string]int{}, map[string]int{}
	faults := map[imagejson.FaultKind]int{}
	var oldest time.Time
	for i := range list.Items {
		counts[verifiedState(&list.Items[i].Image)]++
		imports[importReason(&list.Items[i].Image)]++
		if fault := list.Items[i].Fault; fault != nil {
			faults[fault.Kind]++
		}
		if probe := image.LastProbe(&list.Items[i].Image); !probe.IsZero() && (oldest.IsZero() || probe.Before(oldest)) {
			oldest = probe
		}
	}
	for _, state := range verifiedStates {
		ch <- prometheus.MustNewConstMetric(imagesDesc, prometheus.GaugeValue, float64(counts[state]), state)
	}
	for _, reason := range importReasons {
		ch <- prometheus.MustNewConstMetric(importsDesc, prometheus.GaugeValue, float64(imports[reason]), reason)
	}
	for _, kind := range faultKinds {
		ch <- prometheus.MustNewConstMetric(unusableDesc, prometheus.GaugeValue, float64(faults[kind]), kind.String())
	}
	age := 0.0
	if !oldest.IsZero() {
		age = max(0, c.Clock.Since(oldest).Seconds())
	}
	ch <- prometheus.MustNewConstMetric(oldestProbeDesc, prometheus.GaugeValue, age)
	return nil
}

func verifiedState(obj *imagev1.Image) string {
	condition := meta.FindStatusCondition(obj.Status.Conditions, assayv1alpha1.VerifiedCondition)
	if condition == nil {
		return "Pending"
	}
	switch condition.Status {
	case metav1.ConditionTrue, metav1.ConditionFalse:
		return string(condition.Status)
	default:
		return "Unknown"
	}
}

// importReason returns the reason of the Imported condition, empty for an Image whose signatures
// are not fetched.
func importReason(obj *imagev1.Image) string {
	if !assayv1alpha1.IsImported(obj) {
		return ""
	}
	if condition := meta.FindStatusCondition(obj.Status.Conditions, assayv1alpha1.ImportedCondition); condition != nil {
		return condition.Reason
	}
	return "Pending"
}

func (c *Collector) collectPolicies(ctx context.Context, ch chan<- prometheus.Metric) error {
	var list assayv1alpha1.TrustPolicyList
	if err := c.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	ready, keys := map[string]int{}, map[string]int{}
	lost, skipped := 0, 0
	now := c.Clock.Now()
	for i := range list.Items {
		ready[readyState(&list.Items[i])]++
		if meta.IsStatusConditionTrue(list.Items[i].Status.Conditions, assayv1alpha1.RevocationLostCondition) {
			lost++
		}
		if meta.IsStatusConditionTrue(list.Items[i].Status.Conditions, assayv1alpha1.KeyDataSkippedCondition) {
			skipped++
		}
		for _, key := range list.Items[i].Status.Keys {
			if key.Fingerprint != "" {
				keys[expiryState(key.Expires, now)]++
			}
		}
		for _, signer := range list.Items[i].Status.Signers {
			// As for keys, an entry whose source cannot be read is none.
			if signer.Usable || signer.Expires != nil {
				keys[expiryState(signer.Expires, now)]++
			}
		}
	}
	for _, state := range readyStates {
		ch <- prometheus.MustNewConstMetric(policiesDesc, prometheus.GaugeValue, float64(ready[state]), state)
	}
	ch <- prometheus.MustNewConstMetric(revocationLostDesc, prometheus.GaugeValue, float64(lost))
	ch <- prometheus.MustNewConstMetric(keyDataSkippedDesc, prometheus.GaugeValue, float64(skipped))
	for _, state := range expiryStates {
		ch <- prometheus.MustNewConstMetric(keysDesc, prometheus.GaugeValue, float64(keys[state]), state)
	}
	return nil
}

func readyState(policy *assayv1alpha1.TrustPolicy) string {
	condition := meta.FindStatusCondition(policy.Status.Conditions, assayv1alpha1.ReadyCondition)
	switch {
	case condition == nil:
		return "Pending"
	case condition.Status == metav1.ConditionTrue:
		return "True"
	default:
		return "False"
	}
}

func expiryState(expires *metav1.Time, now time.Time) string {
	const day = 24 * time.Hour
	if expires == nil {
		return "never"
	}
	switch left := expires.Sub(now); {
	case left <= 0:
		return "expired"
	case left <= 7*day:
		return "7d"
	case left <= 30*day:
		return "30d"
	case left <= 90*day:
		return "90d"
	default:
		return "later"
	}
}
