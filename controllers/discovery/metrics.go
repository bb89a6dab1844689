// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/assay-project/assay/internal/references"
)

var (
	referencesGauge = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "assay_discovery_references",
		Help: "Distinct images in the scopes of TrustPolicies that workloads refer to, by state (verified; unverified: there is an Image; unresolved: the digest of the tag is not known; excess: too many).",
	}, []string{"state"})

	oldestPendingGauge = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "assay_discovery_oldest_pending_timestamp_seconds",
		Help: "When the oldest Image of an image in use was made that has no verdict yet, in Unix time; 0 without one.",
	})

	droppedGauge = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "assay_discovery_dropped_references",
		Help: "References of workloads that are not remembered, because one object or one namespace has too many.",
	})

	syncedGauge = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "assay_discovery_synced",
		Help: "Whether a resource with references has been listed (1) or not (0), by resource. Nothing is deleted before all are.",
	}, []string{"resource"})

	imagesTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "assay_discovery_images_total",
		Help: "Images that discovery has created and deleted, by operation.",
	}, []string{"operation"})

	lookupsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "assay_discovery_tag_lookups_total",
		Help: "Lookups of the digests of tags, by result (found, failed).",
	}, []string{"result"})

	failuresTotal = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "assay_discovery_write_failures_total",
		Help: "Writes of discovered Images that the API server refused. They are tried again.",
	})
)

func init() {
	metrics.Registry.MustRegister(referencesGauge, oldestPendingGauge, droppedGauge, syncedGauge, imagesTotal, lookupsTotal, failuresTotal)
	// An alert sees a zero and not an absence.
	(&counts{}).export()
	for _, operation := range []string{"create", "delete"} {
		imagesTotal.WithLabelValues(operation)
	}
	for _, resource := range references.Resources() {
		syncedGauge.WithLabelValues(resource)
	}
	for _, result := range []string{"found", "failed"} {
		lookupsTotal.WithLabelValues(result)
	}
}

// export sets the gauges.
func (c *counts) export() {
	referencesGauge.WithLabelValues("verified").Set(float64(c.verified))
	referencesGauge.WithLabelValues("unverified").Set(float64(c.unverified))
	referencesGauge.WithLabelValues("unresolved").Set(float64(c.unresolved))
	referencesGauge.WithLabelValues("excess").Set(float64(c.excess))
	setTime(oldestPendingGauge, c.oldestPending)
}

// setTime sets a gauge to a time in Unix time, or to 0 for none.
func setTime(gauge prometheus.Gauge, t time.Time) {
	if t.IsZero() {
		gauge.Set(0)
		return
	}
	gauge.Set(float64(t.Unix()))
}
