// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package references

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
)

// Watcher keeps a Table up to date with a cluster.
type Watcher struct {
	*Table

	// sources are those of Kinds, in its order, and at last that of namespaces.
	sources []*source
}

// NewWatcher returns a Watcher for the cluster of a configuration. Its Table is empty until Run.
func NewWatcher(config *rest.Config, httpClient *http.Client) (*Watcher, error) {
	client, err := newClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("a client for workloads: %w", err)
	}
	w := &Watcher{Table: newTable()}
	for i, kind := range append(Kinds(), namespaces) {
		w.sources = append(w.sources, &source{table: w.Table, index: i, lw: listerWatcher{client: client, kind: kind}})
	}
	return w, nil
}

// Run lists and watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	var group sync.WaitGroup
	for _, s := range w.sources {
		logger := logf.FromContext(ctx)
		reflector := toolscache.NewReflectorWithOptions(&s.lw, &Object{}, s, toolscache.ReflectorOptions{
			Logger: &logger, Name: "references/" + s.lw.kind.Resource, TypeDescription: s.lw.kind.Resource,
		})
		group.Go(func() { reflector.RunWithContext(ctx) })
	}
	group.Wait()
}

// Synced reports, for each resource, whether it has been listed.
func (w *Watcher) Synced() map[string]bool {
	synced := make(map[string]bool, len(w.sources))
	for _, s := range w.sources {
		synced[s.lw.kind.Resource] = s.synced.Load()
	}
	return synced
}

// HasSynced reports whether every resource has been listed.
func (w *Watcher) HasSynced() bool {
	for _, s := range w.sources {
		if !s.synced.Load() {
			return false
		}
	}
	return true
}

// NamespacesSynced reports whether the namespaces that opt out are known.
func (w *Watcher) NamespacesSynced() bool { return w.sources[len(w.sources)-1].synced.Load() }

// IsCurrent reports whether every resource has been listed and is being watched: an object that
// is not in the Table does not exist, or was made moments ago.
func (w *Watcher) IsCurrent() bool {
	for _, s := range w.sources {
		if !s.synced.Load() || s.lw.open.Load() == nil {
			return false
		}
	}
	return true
}

// source is where the objects of one kind come from, and the store of their Reflector.
type source struct {
	table  *Table
	index  int
	lw     listerWatcher
	synced atomic.Bool
}

var _ toolscache.ReflectorStore = &source{}

func (s *source) isNamespaces() bool { return s.index == len(s.table.objects) }

// Add implements toolscache.ReflectorStore.
func (s *source) Add(obj any) error { return s.Update(obj) }

// Update implements toolscache.ReflectorStore.
func (s *source) Update(obj any) error {
	o, ok := obj.(*Object)
	if !ok {
		return fmt.Errorf("an object of type %T", obj)
	}
	if s.isNamespaces() {
		s.table.setDisabled(o.name, o.disabled)
	} else {
		s.table.put(s.index, o, s.synced.Load())
	}
	return nil
}

// Delete implements toolscache.ReflectorStore.
func (s *source) Delete(obj any) error {
	o, ok := obj.(*Object)
	if !ok {
		return fmt.Errorf("an object of type %T", obj)
	}
	if s.isNamespaces() {
		s.table.setDisabled(o.name, false)
	} else {
		s.table.forget(s.index, o)
	}
	return nil
}

// Replace implements toolscache.ReflectorStore.
func (s *source) Replace(list []any, _ string) error {
	objects := make([]*Object, 0, len(list))
	disabled := map[string]bool{}
	for _, obj := range list {
		o, ok := obj.(*Object)
		if !ok {
			return fmt.Errorf("an object of type %T", obj)
		}
		objects = append(objects, o)
		if o.disabled {
			disabled[o.name] = true
		}
	}
	if s.isNamespaces() {
		s.table.replaceDisabled(disabled)
	} else {
		s.table.replace(s.index, objects, s.synced.Load())
	}
	s.synced.Store(true)
	s.table.notify()
	return nil
}

// Resync implements toolscache.ReflectorStore.
func (s *source) Resync() error { return nil }
