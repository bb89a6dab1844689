// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/assay-project/assay/internal/verify"
)

var (
	verificationsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "assay_verifications_total",
		Help: "Signatures checked, by outcome (verified, refused, unknown) and reason.",
	}, []string{"outcome", "reason"})

	verificationDuration = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "assay_verification_duration_seconds",
		Help: "Time to decide about one image, all of its signatures included.",
		// From one fast key to many slow ones: 50 µs to about 1.6 s.
		Buckets: prometheus.ExponentialBuckets(50e-6, 2, 16),
	})

	projectionImages = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "assay_projection_images",
		Help: "Verified images in the list that admission reads, when it was last found right.",
	})

	projectionShards = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "assay_projection_shards",
		Help: "ConfigMaps over which the list that admission reads is split.",
	})

	projectionValidUntil = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "assay_projection_valid_until_timestamp_seconds",
		Help: "When the list that admission reads ends unless it is renewed, in Unix time; 0 when it does not end or another replica writes it.",
	})

	projectionWritesTotal = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "assay_projection_writes_total",
		Help: "ConfigMaps of the list that admission reads that were written or removed.",
	})

	suppressedEventsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "assay_suppressed_events_total",
		Help: "Events about verdicts that were not emitted because there were too many, by type (Normal, Warning).",
	}, []string{"type"})

	recoveredPanicsTotal = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "assay_recovered_panics_total",
		Help: "Signatures that made the verifier fail. Each was refused, and is a bug to report.",
	})
)

func init() {
	metrics.Registry.MustRegister(verificationsTotal, verificationDuration, recoveredPanicsTotal,
		suppressedEventsTotal, projectionImages, projectionShards, projectionValidUntil, projectionWritesTotal)
	// An alert sees a zero and not an absence.
	for _, eventType := range []string{corev1.EventTypeNormal, corev1.EventTypeWarning} {
		suppressedEventsTotal.WithLabelValues(eventType)
	}
}

// observeVerdict counts a decision about an image. Reasons are constants, which bounds
// the labels.
func observeVerdict(verdict *verify.Verdict, took time.Duration) {
	verificationDuration.Observe(took.Seconds())
	recoveredPanicsTotal.Add(float64(verdict.RecoveredPanics))
	for i := range verdict.Signatures {
		finding := &verdict.Signatures[i].Finding
		verificationsTotal.WithLabelValues(outcomeLabel(finding.Outcome), finding.Reason).Inc()
	}
}

// setTime sets a gauge to a time in Unix time, and to 0 for none.
func setTime(gauge prometheus.Gauge, t time.Time) {
	if t.IsZero() {
		gauge.Set(0)
		return
	}
	gauge.Set(float64(t.Unix()))
}

func outcomeLabel(o verify.Outcome) string {
	switch o {
	case verify.Verified:
		return "verified"
	case verify.Refused:
		return "refused"
	default:
		return "unknown"
	}
}
