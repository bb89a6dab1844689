// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package summary

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/assay-project/assay/internal/apiserverstatus"
)

// The status of the API servers is a ConfigMap in the operator's namespace, and the roles that
// permit to read Images do not permit to read it. It is left out then, with a note.

// serverListOptions select the ConfigMap.
func serverListOptions() metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", apiserverstatus.Name).String()}
}

// listServers returns an empty resource version when the ConfigMap may not be read.
func (r *Reader) listServers(ctx context.Context, c *Cluster) (resourceVersion string, err error) {
	options := serverListOptions()
	var list corev1.ConfigMapList
	err = r.core.Get().Namespace(r.Namespace).Resource("configmaps").VersionedParams(&options, metav1.ParameterCodec).Do(ctx).Into(&list)
	if apierrors.IsForbidden(err) {
		c.serversNote = fmt.Sprintf("reading ConfigMap %s in namespace %s is not permitted", apiserverstatus.Name, r.Namespace)
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for i := range list.Items {
		c.setServers(&list.Items[i], false)
	}
	return list.ResourceVersion, nil
}

// watchServers returns a watch without events when the ConfigMap may not be read.
func (r *Reader) watchServers(ctx context.Context, resourceVersion string) (watch.Interface, error) {
	if resourceVersion == "" {
		return watch.NewProxyWatcher(make(chan watch.Event)), nil
	}
	options := serverListOptions()
	options.Watch, options.AllowWatchBookmarks, options.ResourceVersion = true, true, resourceVersion
	return r.core.Get().Namespace(r.Namespace).Resource("configmaps").VersionedParams(&options, metav1.ParameterCodec).Watch(ctx)
}

// setServers takes the API servers from the ConfigMap.
func (c *Cluster) setServers(stored *corev1.ConfigMap, deleted bool) {
	c.servers, c.serversNote = nil, ""
	if deleted {
		return
	}
	servers, err := apiserverstatus.Decode(stored.Data)
	if err != nil {
		c.serversNote = err.Error()
		return
	}
	c.servers = servers
}
