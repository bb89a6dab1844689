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
	"github.com/assay-project/assay/internal/importstatus"
)

// The status of the API servers and that of imports are ConfigMaps in the operator's namespace, and
// the roles that permit to read Images do not permit to read them. They are left out then, with a
// note. Each is read by its name, so that a role can permit one of them.

// configMapOptions select a ConfigMap.
func configMapOptions(name string) metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()}
}

// listConfigMap returns an empty resource version when the ConfigMap may not be read.
func (r *Reader) listConfigMap(ctx context.Context, c *Cluster, name string) (resourceVersion string, err error) {
	options := configMapOptions(name)
	var list corev1.ConfigMapList
	err = r.core.Get().Namespace(r.Namespace).Resource("configmaps").VersionedParams(&options, metav1.ParameterCodec).Do(ctx).Into(&list)
	if apierrors.IsForbidden(err) {
		c.setNote(name, fmt.Sprintf("reading ConfigMap %s in namespace %s is not permitted", name, r.Namespace))
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for i := range list.Items {
		c.setConfigMap(&list.Items[i], false)
	}
	return list.ResourceVersion, nil
}

// watchConfigMap returns a watch without events when the ConfigMap may not be read.
func (r *Reader) watchConfigMap(ctx context.Context, name, resourceVersion string) (watch.Interface, error) {
	if resourceVersion == "" {
		return watch.NewProxyWatcher(make(chan watch.Event)), nil
	}
	options := configMapOptions(name)
	options.Watch, options.AllowWatchBookmarks, options.ResourceVersion = true, true, resourceVersion
	return r.core.Get().Namespace(r.Namespace).Resource("configmaps").VersionedParams(&options, metav1.ParameterCodec).Watch(ctx)
}

// setConfigMap takes what a ConfigMap states.
func (c *Cluster) setConfigMap(stored *corev1.ConfigMap, deleted bool) {
	var err error
	switch stored.Name {
	case apiserverstatus.Name:
		c.servers = nil
		if !deleted {
			c.servers, err = apiserverstatus.Decode(stored.Data)
		}
	case importstatus.Name:
		c.imports = nil
		if !deleted {
			c.imports, err = importstatus.Decode(stored.Data)
		}
	}
	note := ""
	if err != nil {
		note = err.Error()
	}
	c.setNote(stored.Name, note)
}

// setNote records why a ConfigMap is not shown, empty if it is.
func (c *Cluster) setNote(name, note string) {
	switch name {
	case apiserverstatus.Name:
		c.serversNote = note
	case importstatus.Name:
		c.importNote = note
	}
}
