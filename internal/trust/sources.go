// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/verify"
)

// maxFilesPerSource bounds how many entries of one Secret or ConfigMap are read when a
// policy names no key in it.
const maxFilesPerSource = 64

// Kinds of objects that hold keys.
const (
	SecretKind    = "Secret"
	ConfigMapKind = "ConfigMap"
)

// Source is an entry of a policy's keys with the files that it led to, never none.
type Source struct {
	// Name of the entry in spec.keys.
	Name  string
	Files []*File
}

// File is one file of a source. It is parsed once, when a policy that has it is first
// needed, and is shared by all policies and snapshots that have the same bytes.
type File struct {
	// Location names where the file is, for people: Secret/release-keys[signer.asc].
	Location string
	// Reason and Err say why there is no content; Err is nil when there is.
	Reason string
	Err    error

	content *content
}

// Parsed returns the keys of the file; the error says why there are none. It may take as
// long as the bounds of the format allow.
func (f *File) Parsed() (verify.KeyFile, error) {
	if f.Err != nil {
		return nil, f.Err
	}
	return f.content.parse()
}

// same reports whether two files have the same content, or lack it for the same reason.
func (f *File) same(other *File) bool {
	return f.Location == other.Location && f.Reason == other.Reason && f.content == other.content &&
		(f.Err == nil) == (other.Err == nil) && (f.Err == nil || f.Err.Error() == other.Err.Error())
}

// fileID identifies the bytes of a file: objects never change without a new resource
// version, and inline keys never without a new generation of their policy.
type fileID struct {
	kind            string
	uid             types.UID
	resourceVersion string
	key             string
}

// contentCache finds content by what identifies its bytes and by the bytes themselves, so
// that a change of an object that leaves its keys as they are parses nothing again.
type contentCache struct {
	byID   map[fileID]*content
	byHash map[[sha256.Size]byte]*content
}

func newContentCache() contentCache {
	return contentCache{byID: map[fileID]*content{}, byHash: map[[sha256.Size]byte]*content{}}
}

func (c *contentCache) add(id fileID, found *content) {
	c.byID[id], c.byHash[found.hash] = found, found
}

// reader reads keys from their sources. Content that is known is reused.
type reader struct {
	client    client.Reader
	namespace string
	formats   []verify.Format
	previous  *contentCache
	seen      *contentCache
}

// read returns the files of one entry of a policy. An error means that the cache could
// not be read; everything else is reported in the files.
func (r *reader) read(ctx context.Context, policy *assayv1alpha1.TrustPolicy, key *assayv1alpha1.TrustedKey) (Source, error) {
	source := Source{Name: string(key.Name)}
	var err error
	switch {
	case key.SecretRef != nil:
		source.Files, err = r.readSecret(ctx, key.SecretRef)
	case key.ConfigMapRef != nil:
		source.Files, err = r.readConfigMap(ctx, key.ConfigMapRef)
	default:
		id := fileID{kind: "TrustPolicy", uid: policy.UID, resourceVersion: fmt.Sprint(policy.Generation), key: string(key.Name)}
		source.Files = []*File{{Location: "inline", content: r.find(id, []byte(key.Inline))}}
	}
	return source, err
}

func (r *reader) readSecret(ctx context.Context, ref *assayv1alpha1.KeySourceRef) ([]*File, error) {
	var secret corev1.Secret
	if err := r.client.Get(ctx, types.NamespacedName{Namespace: r.namespace, Name: ref.Name}, &secret); err != nil {
		return r.missing(SecretKind, ref, err)
	}
	return r.readData(SecretKind, ref, &secret, secret.Data), nil
}

func (r *reader) readConfigMap(ctx context.Context, ref *assayv1alpha1.KeySourceRef) ([]*File, error) {
	var configMap corev1.ConfigMap
	if err := r.client.Get(ctx, types.NamespacedName{Namespace: r.namespace, Name: ref.Name}, &configMap); err != nil {
		return r.missing(ConfigMapKind, ref, err)
	}
	data := make(map[string][]byte, len(configMap.Data)+len(configMap.BinaryData))
	for key, value := range configMap.Data {
		data[key] = []byte(value)
	}
	maps.Copy(data, configMap.BinaryData)
	return r.readData(ConfigMapKind, ref, &configMap, data), nil
}

func (r *reader) missing(kind string, ref *assayv1alpha1.KeySourceRef, err error) ([]*File, error) {
	if !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("reading %s %s: %w", kind, ref.Name, err)
	}
	return notFound(kind, ref, fmt.Errorf("there is no %s %s in namespace %s; create it", kind, ref.Name, r.namespace)), nil
}

func notFound(kind string, ref *assayv1alpha1.KeySourceRef, err error) []*File {
	return []*File{{Location: sourceName(kind, ref.Name, ref.Key), Reason: assayv1alpha1.ReasonSourceNotFound, Err: err}}
}

// readData returns the named key of an object's data, or all of them in order of name.
func (r *reader) readData(kind string, ref *assayv1alpha1.KeySourceRef, obj client.Object, data map[string][]byte) []*File {
	keys := []string{ref.Key}
	if ref.Key == "" {
		keys = slices.Sorted(maps.Keys(data))
	} else if _, ok := data[ref.Key]; !ok {
		return notFound(kind, ref, fmt.Errorf("%s %s has no key %s; add it", kind, ref.Name, ref.Key))
	}
	if len(keys) == 0 {
		return notFound(kind, ref, fmt.Errorf("%s %s is empty; add a key", kind, ref.Name))
	}
	if len(keys) > maxFilesPerSource {
		return notFound(kind, ref, fmt.Errorf("%s %s has more than %d keys; name the one to read", kind, ref.Name, maxFilesPerSource))
	}
	files := make([]*File, 0, len(keys))
	for _, key := range keys {
		id := fileID{kind: kind, uid: obj.GetUID(), resourceVersion: obj.GetResourceVersion(), key: key}
		files = append(files, &File{Location: sourceName(kind, ref.Name, key), content: r.find(id, data[key])})
	}
	return files
}

// find returns the content for some bytes, the same one for the same bytes.
func (r *reader) find(id fileID, data []byte) *content {
	for _, cache := range []*contentCache{r.seen, r.previous} {
		if found := cache.byID[id]; found != nil {
			r.seen.add(id, found)
			return found
		}
	}
	hash := sha256.Sum256(data)
	found := r.seen.byHash[hash]
	if found == nil {
		found = r.previous.byHash[hash]
	}
	if found == nil {
		found = &content{hash: hash, formats: r.formats, data: data}
	}
	r.seen.add(id, found)
	return found
}

func sourceName(kind, name, key string) string {
	if key == "" {
		return kind + "/" + name
	}
	return kind + "/" + name + "[" + key + "]"
}
