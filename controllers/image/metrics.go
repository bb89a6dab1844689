// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

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
		Help: "Time to evaluate one image, including all of its signatures.",
		// From one fast key to many slow ones: 50 µs to about 1.6 s.
		Buckets: prometheus.ExponentialBuckets(50e-6, 2, 16),
	})

	eventsDroppedTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "assay_events_dropped_total",
		Help: "Events about verdicts that were dropped because there were too many, by type (Normal, Warning).",
	}, []string{"type"})

	recoveredPanicsTotal = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "assay_recovered_panics_total",
		Help: "Signatures that made the verifier panic. Each was refused, and is a bug to report.",
	})
)

func init() {
	metrics.Registry.MustRegister(verificationsTotal, verificationDuration, recoveredPanicsTotal, eventsDroppedTotal)
	// An alert sees a zero and not an absence.
	for _, eventType := range []string{corev1.EventTypeNormal, corev1.EventTypeWarning} {
		eventsDroppedTotal.WithLabelValues(eventType)
	}
}

// observeVerdict counts a verdict on an image. Reasons are constants, which bounds the labels.
func observeVerdict(verdict *verify.Verdict, took time.Duration) {
	verificationDuration.Observe(took.Seconds())
	recoveredPanicsTotal.Add(float64(verdict.RecoveredPanics))
	for i := range verdict.Signatures {
		finding := &verdict.Signatures[i].Finding
		verificationsTotal.WithLabelValues(outcomeLabel(finding.Outcome), finding.Reason).Inc()
	}
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
