// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagecache

import (
	"context"
	"fmt"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"

	imagev1 "github.com/assay-project/assay/api/image/v1"
)

// Reader reads whole Images from the API server, as the cache does.
type Reader struct{ client rest.Interface }

// NewReader returns a reader. The HTTP client is that of a manager; nil makes one.
func NewReader(config *rest.Config, httpClient *http.Client) (*Reader, error) {
	client, err := newClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("a client for Images: %w", err)
	}
	return &Reader{client: client}, nil
}

// Read returns an Image as it is stored at present, nil if there is none.
func (r *Reader) Read(ctx context.Context, name string) (*Image, error) {
	// Not a get: the permission to list suffices, and the answer is read in the same way.
	one := &listerWatcher{client: r.client, field: fields.OneTermEqualSelector("metadata.name", name)}
	object, err := one.ListWithContext(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading Image %s: %w", name, err)
	}
	list, ok := object.(*ImageList)
	if !ok || len(list.Items) == 0 {
		return nil, nil
	}
	image := &list.Items[0]
	image.SetGroupVersionKind(imagev1.GroupVersion.WithKind("Image")) // As a cache does.
	return image, nil
}
