// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/assay-project/assay/internal/apiserverstatus"
)

var stateGauge = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "assay_apiserver_state",
	Help: "1 for the state of an API server when it was last checked, by address: Current, Stale, NoAllowlist, Unfenced, NoPolicy or Unknown; 0 for the other states.",
}, []string{"address", "state"})

func init() {
	metrics.Registry.MustRegister(stateGauge)
}

// export sets the metric: every state of every server has a value, so that an alert sees a zero
// and not an absence. Servers that are gone lose their values last, for the same reason.
func (c *Checker) export(servers []apiserverstatus.Server) {
	gone := c.exported
	c.exported = map[string]bool{}
	for i := range servers {
		c.exported[servers[i].Address] = true
		delete(gone, servers[i].Address)
		for _, state := range apiserverstatus.States {
			value := 0.0
			if servers[i].State == state {
				value = 1
			}
			stateGauge.WithLabelValues(servers[i].Address, string(state)).Set(value)
		}
	}
	for address := range gone {
		stateGauge.DeletePartialMatch(prometheus.Labels{"address": address})
	}
}
