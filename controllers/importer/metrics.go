// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/registry"
)

var (
	importsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "assay_imports_total",
		Help: "Images whose signature stores were asked, by result: the reason of the condition Imported.",
	}, []string{"result"})

	importDuration = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "assay_import_duration_seconds",
		Help: "Time to ask all signature stores of one image, without the time in the queue.",
		// From an answer in a millisecond to the bound of two minutes.
		Buckets: prometheus.ExponentialBuckets(1e-3, 2.5, 14),
	})

	registryRequestsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "assay_registry_requests_total",
		Help: "Requests to registries, token services and lookaside stores, by the class of the status (2xx, 3xx, 4xx, 429, 5xx), or none without an answer.",
	}, []string{"status"})

	pendingDesc = prometheus.NewDesc("assay_imports_pending", "Images whose signature stores are being asked, or wait for their turn.", nil, nil)
	restingDesc = prometheus.NewDesc("assay_registry_hosts_resting", "Hosts that are not asked at present, because they asked for a rest or do not answer.", nil, nil)
)

func init() {
	metrics.Registry.MustRegister(importsTotal, importDuration, registryRequestsTotal, state)
	// An alert sees a zero and not an absence.
	for _, reason := range assayv1alpha1.ImportReasons() {
		importsTotal.WithLabelValues(reason)
	}
	for _, status := range []string{"2xx", "3xx", "4xx", "429", "5xx", "none"} {
		registryRequestsTotal.WithLabelValues(status)
	}
}

func observeImport(r *result, took time.Duration) {
	importsTotal.WithLabelValues(r.reason).Inc()
	importDuration.Observe(took.Seconds())
}

// ObserveRequest counts a request; status is 0 without an answer.
func ObserveRequest(status int) {
	label := "none"
	switch {
	case status == 429:
		label = "429"
	case status >= 100 && status < 600:
		label = strconv.Itoa(status/100) + "xx"
	}
	registryRequestsTotal.WithLabelValues(label).Inc()
}

// state is the collector of what is counted when it is scraped.
var state = &collector{}

type collector struct {
	mu      sync.Mutex
	lanes   *lanes
	network *registry.Network
}

// registerMetrics makes the metrics about the queue be those of a reconciler.
func registerMetrics(l *lanes, n *registry.Network) {
	state.mu.Lock()
	defer state.mu.Unlock()
	state.lanes, state.network = l, n
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- pendingDesc
	ch <- restingDesc
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	l, n := c.lanes, c.network
	c.mu.Unlock()
	if l == nil || n == nil {
		return
	}
	ch <- prometheus.MustNewConstMetric(pendingDesc, prometheus.GaugeValue, float64(l.len()))
	ch <- prometheus.MustNewConstMetric(restingDesc, prometheus.GaugeValue, float64(n.Resting()))
}
