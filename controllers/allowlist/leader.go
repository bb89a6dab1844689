// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package allowlist

import (
	"context"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A process that did not run for a while believes for some seconds more that it leads, and its
// verdicts are those of before. It could put back what its successor has taken away: resource
// versions do not keep it from that when it has learned of the shards and not yet of the policies.
// So it asks before the first write of a run. When a successor comes after that, the resource
// versions of this run are older than what the successor writes, and the writes conflict.

// errNotLeading says that nothing was written because another process leads.
var errNotLeading = errors.New("another process leads")

// confirm returns an error unless this process leads.
func (r *Reconciler) confirm(ctx context.Context) error {
	if r.Leads == nil || r.confirmed {
		return nil
	}
	leads, err := r.Leads(ctx)
	if err == nil && !leads {
		err = errNotLeading
	}
	r.confirmed = err == nil
	return err
}

// Create creates an object if this process leads.
func (r *Reconciler) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	if err := r.confirm(ctx); err != nil {
		return err
	}
	return r.Client.Create(ctx, obj, opts...)
}

// Update updates an object if this process leads.
func (r *Reconciler) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	if err := r.confirm(ctx); err != nil {
		return err
	}
	return r.Client.Update(ctx, obj, opts...)
}

// Delete deletes an object if this process leads.
func (r *Reconciler) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	if err := r.confirm(ctx); err != nil {
		return err
	}
	return r.Client.Delete(ctx, obj, opts...)
}
