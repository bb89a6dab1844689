// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package allowlist

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var (
	entriesGauge = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "assay_allowlist_entries",
		Help: "Verified images on the allowlist when it was last found complete.",
	})

	shardsGauge = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "assay_allowlist_shards",
		Help: "Shards (ConfigMaps) of the allowlist.",
	})

	validUntilGauge = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "assay_allowlist_valid_until_timestamp_seconds",
		Help: "When the allowlist expires unless it is renewed, in Unix time; 0 when it does not expire or another replica writes it.",
	})

	droppedGauge = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "assay_allowlist_dropped",
		Help: "What the allowlist has no room for, by kind: verified images, which are refused; scopes, which are not enforced; tags, which get no digest.",
	}, []string{"kind"})

	fenceErrors = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "assay_allowlist_fence_errors_total",
		Help: "Writes of the allowlist's fence that failed. While they do, what loses trust stays admitted by an API server whose copy is frozen.",
	})

	writesTotal = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "assay_allowlist_writes_total",
		Help: "Shards of the allowlist that were written or deleted.",
	})
)

func init() {
	metrics.Registry.MustRegister(entriesGauge, shardsGauge, validUntilGauge, writesTotal, droppedGauge, fenceErrors)
	// An alert sees a zero and not an absence.
	for _, kind := range []string{"image", "scope", "tag"} {
		droppedGauge.WithLabelValues(kind)
	}
}

// setTime sets a gauge to a time in Unix time, or to 0 for none.
func setTime(gauge prometheus.Gauge, t time.Time) {
	if t.IsZero() {
		gauge.Set(0)
		return
	}
	gauge.Set(float64(t.Unix()))
}
