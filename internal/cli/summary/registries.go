// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package summary

import (
	"context"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/importstatus"
)

// RegistryConfig summarizes a RegistryConfig: where signatures are fetched from.
type RegistryConfig struct {
	Name   string   `json:"name"`
	Scopes []string `json:"scopes"`
	// Lookaside is the URL of the lookaside store; empty without one.
	Lookaside string   `json:"lookaside,omitempty"`
	Mirrors   []string `json:"mirrors,omitempty"`
	// Ready is the status of the condition Ready; empty before it is written.
	Ready   string `json:"ready,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Images is the number of Images whose signatures are fetched by it; absent before they were
	// counted.
	Images *assayv1alpha1.ImportCounts `json:"images,omitempty"`
}

// listRegistries returns an empty resource version when RegistryConfigs may not be read.
func (r *Reader) listRegistries(ctx context.Context, c *Cluster) (resourceVersion string, err error) {
	options := metav1.ListOptions{Limit: pageSize}
	for {
		list, err := r.registries.Page(ctx, options)
		if apierrors.IsForbidden(err) {
			c.registriesNote = "reading RegistryConfigs is not permitted: ask for the role assay-registryconfig-viewer-role"
			return "", nil
		}
		if err != nil {
			return "", err
		}
		for _, config := range list.Items {
			c.registries[config.Name] = *config
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return list.ResourceVersion, nil
		}
	}
}

// watchRegistries returns a watch without events when RegistryConfigs may not be read.
func (r *Reader) watchRegistries(ctx context.Context, resourceVersion string) (watch.Interface, error) {
	if resourceVersion == "" {
		return watch.NewProxyWatcher(make(chan watch.Event)), nil
	}
	return r.registries.WatchWithContext(ctx, metav1.ListOptions{ResourceVersion: resourceVersion, AllowWatchBookmarks: true})
}

// summarizeImport adds what is known about stores, hosts and discovery.
func (c *Cluster) summarizeImport(s *Status) {
	s.RegistryConfigs, s.RegistryConfigsNote = []RegistryConfig{}, c.registriesNote
	for _, name := range slices.Sorted(maps.Keys(c.registries)) {
		config := c.registries[name]
		s.RegistryConfigs = append(s.RegistryConfigs, summarizeRegistry(&config))
	}
	s.ImportNote = c.importNote
	if c.imports != nil {
		s.Import = *c.imports
	}
	if s.Import.Hosts == nil {
		s.Import.Hosts = []importstatus.Host{}
	}
	c.summarizeMoved(s)
}

// summarizeMoved adds the tags that have moved to an image that is not verified, with its verdict,
// which is newer than what is stored about the tags.
func (c *Cluster) summarizeMoved(s *Status) {
	s.MovedTags = []MovedTag{}
	if s.Import.Discovery == nil {
		return
	}
	s.OmittedMovedTags = s.Import.Discovery.OmittedMoved
	for _, moved := range s.Import.Discovery.Moved {
		image := c.images[moved.Name]
		if isTrue(image.Verified) == 0 {
			s.MovedTags = append(s.MovedTags, MovedTag{MovedTag: moved, Verified: image.Verified, Reason: image.Reason})
		}
	}
}

func summarizeRegistry(config *assayv1alpha1.RegistryConfig) RegistryConfig {
	r := RegistryConfig{Name: config.Name, Lookaside: string(config.Spec.Lookaside), Images: config.Status.Images}
	for _, scope := range config.Spec.Scopes {
		r.Scopes = append(r.Scopes, string(scope))
	}
	for _, mirror := range config.Spec.Mirrors {
		r.Mirrors = append(r.Mirrors, string(mirror))
	}
	if c := meta.FindStatusCondition(config.Status.Conditions, assayv1alpha1.ReadyCondition); c != nil {
		r.Ready, r.Reason, r.Message = string(c.Status), c.Reason, c.Message
	}
	return r
}
