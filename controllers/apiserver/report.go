// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/apiserverstatus"
)

// unknownAddress stands for the API servers while no address is known.
const unknownAddress = "unknown"

// labels are on the ConfigMap with the status.
var labels = map[string]string{
	"app.kubernetes.io/name":       "assay",
	"app.kubernetes.io/managed-by": "assay",
	allowlist.Label:                apiserverstatus.LabelValue,
}

// reportUnknown reports that no API server could be checked because their addresses are not known:
// those of the last round, or a single entry.
func (c *Checker) reportUnknown(ctx context.Context) error {
	const why = "the addresses of the API servers are not known: EndpointSlice default/kubernetes cannot be used"
	_, before, err := c.stored(ctx)
	if err != nil {
		return err
	}
	if len(before) == 0 {
		before = []apiserverstatus.Server{{Address: unknownAddress}}
	}
	servers := make([]apiserverstatus.Server, len(before))
	for i := range before {
		servers[i] = found(apiserverstatus.Unknown, why)
		servers[i].Address = before[i].Address
	}
	return c.report(ctx, servers)
}

// report exports the metric, and stores the status and emits events if it differs from what is
// stored.
func (c *Checker) report(ctx context.Context, servers []apiserverstatus.Server) error {
	c.export(servers)
	stored, before, err := c.stored(ctx)
	if err != nil {
		return err
	}
	now := metav1.NewTime(c.Clock.Now())
	previous := map[string]apiserverstatus.Server{}
	for _, server := range before {
		previous[server.Address] = server
	}
	for i := range servers {
		servers[i].Since = now
		if was, ok := previous[servers[i].Address]; ok && was.State == servers[i].State {
			servers[i].Since = was.Since
		}
	}
	data, err := apiserverstatus.Encode(servers)
	if err != nil {
		return err
	}
	written, err := c.store(ctx, stored, data)
	if err != nil {
		return fmt.Errorf("storing the status of the API servers: %w", err)
	}
	if written != nil {
		c.recordTransitions(ctx, written, previous, servers)
	}
	return nil
}

// stored returns the ConfigMap with the status, nil when there is none, and what it states. What
// cannot be read is replaced.
func (c *Checker) stored(ctx context.Context) (*corev1.ConfigMap, []apiserverstatus.Server, error) {
	list, err := c.configMaps(ctx)
	if err != nil {
		return nil, nil, err
	}
	at := slices.IndexFunc(list, func(m corev1.ConfigMap) bool { return m.Name == apiserverstatus.Name })
	if at < 0 {
		return nil, nil, nil
	}
	servers, err := apiserverstatus.Decode(list[at].Data)
	if err != nil {
		logf.FromContext(ctx).Error(err, "Cannot read the status of the API servers; it is written anew")
	}
	return &list[at], servers, nil
}

// store writes the ConfigMap if it differs. It returns what it wrote, nil for nothing.
func (c *Checker) store(ctx context.Context, stored *corev1.ConfigMap, data map[string]string) (*corev1.ConfigMap, error) {
	next := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: apiserverstatus.Name, Labels: labels}, Data: data,
	}
	if stored == nil {
		return next, c.Create(ctx, next)
	}
	if maps.Equal(stored.Data, data) && maps.Equal(stored.Labels, labels) && len(stored.BinaryData) == 0 {
		return nil, nil
	}
	next.ResourceVersion = stored.ResourceVersion
	return next, c.Update(ctx, next)
}

// recordTransitions logs each change of a state and emits an event for it. There are no more than
// maxAddresses of them in a round.
func (c *Checker) recordTransitions(ctx context.Context, regarding *corev1.ConfigMap, previous map[string]apiserverstatus.Server, servers []apiserverstatus.Server) {
	for i := range servers {
		is := &servers[i]
		was := previous[is.Address].State
		if was == is.State {
			continue
		}
		logf.FromContext(ctx).Info("API server changed", "address", is.Address, "from", was, "to", is.State, "reason", is.Message)
		switch {
		case is.State != apiserverstatus.Current:
			c.Recorder.Eventf(regarding, nil, corev1.EventTypeWarning, "APIServer"+string(is.State), "Check", "API server %s: %s", is.Address, is.Message)
		case was != "":
			c.Recorder.Eventf(regarding, nil, corev1.EventTypeNormal, "APIServer"+string(is.State), "Check", "API server %s has the newest allowlist", is.Address)
		}
	}
}
