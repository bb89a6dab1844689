// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/openpgp"
)

// maxFilesPerSource bounds how many entries of one Secret or ConfigMap are read when a
// policy names no key in it.
const maxFilesPerSource = 64

// keyFile is one file of keys, parsed. Exactly one of parsed and problem is set.
type keyFile struct {
	// source names where the file is, for people: Secret/release-keys[signer.asc].
	source string
	parsed *openpgp.KeyFile
	// reason and problem say why nothing could be read.
	reason, problem string
}

// keySource is an entry of a policy's keys with the files that it led to, never none.
type keySource struct {
	name  string
	files []*keyFile
}

// keyFileID identifies the bytes of a file: objects never change without a new resource
// version, and inline keys never without a new generation of their policy.
type keyFileID struct {
	kind            string
	uid             types.UID
	resourceVersion string
	key             string
}

// keyReader reads keys from their sources. Files that were parsed before are reused, so
// that keys are parsed once for each change of their source.
type keyReader struct {
	client    client.Reader
	namespace string
	previous  map[keyFileID]*keyFile
	seen      map[keyFileID]*keyFile
}

// read returns the files of one entry of a policy. An error means that the cache could
// not be read; everything else is reported in the files.
func (r *keyReader) read(ctx context.Context, policy *assayv1alpha1.TrustPolicy, key *assayv1alpha1.TrustedKey) (keySource, error) {
	source := keySource{name: key.Name}
	var err error
	switch {
	case key.SecretRef != nil:
		source.files, err = r.readSecret(ctx, key.SecretRef)
	case key.ConfigMapRef != nil:
		source.files, err = r.readConfigMap(ctx, key.ConfigMapRef)
	default:
		id := keyFileID{kind: "TrustPolicy", uid: policy.UID, resourceVersion: fmt.Sprint(policy.Generation), key: key.Name}
		source.files = []*keyFile{r.parse(id, "inline", []byte(key.Inline))}
	}
	return source, err
}

func (r *keyReader) readSecret(ctx context.Context, ref *assayv1alpha1.KeySourceRef) ([]*keyFile, error) {
	var secret corev1.Secret
	if err := r.client.Get(ctx, types.NamespacedName{Namespace: r.namespace, Name: ref.Name}, &secret); err != nil {
		return r.missing(secretKind, ref, err)
	}
	return r.readData(secretKind, ref, &secret, secret.Data), nil
}

func (r *keyReader) readConfigMap(ctx context.Context, ref *assayv1alpha1.KeySourceRef) ([]*keyFile, error) {
	var configMap corev1.ConfigMap
	if err := r.client.Get(ctx, types.NamespacedName{Namespace: r.namespace, Name: ref.Name}, &configMap); err != nil {
		return r.missing(configMapKind, ref, err)
	}
	data := make(map[string][]byte, len(configMap.Data)+len(configMap.BinaryData))
	for key, value := range configMap.Data {
		data[key] = []byte(value)
	}
	for key, value := range configMap.BinaryData {
		data[key] = value
	}
	return r.readData(configMapKind, ref, &configMap, data), nil
}

func (r *keyReader) missing(kind string, ref *assayv1alpha1.KeySourceRef, err error) ([]*keyFile, error) {
	if !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("reading %s %s: %w", kind, ref.Name, err)
	}
	return []*keyFile{{
		source:  sourceName(kind, ref.Name, ref.Key),
		reason:  assayv1alpha1.ReasonSourceNotFound,
		problem: fmt.Sprintf("there is no %s %s in namespace %s; create it", kind, ref.Name, r.namespace),
	}}, nil
}

// readData parses the named key of an object's data, or all of them in order of name.
func (r *keyReader) readData(kind string, ref *assayv1alpha1.KeySourceRef, obj client.Object, data map[string][]byte) []*keyFile {
	notFound := func(problem string) []*keyFile {
		return []*keyFile{{source: sourceName(kind, ref.Name, ref.Key), reason: assayv1alpha1.ReasonSourceNotFound, problem: problem}}
	}
	keys := []string{ref.Key}
	if ref.Key == "" {
		keys = sortedKeys(data)
	} else if _, ok := data[ref.Key]; !ok {
		return notFound(fmt.Sprintf("%s %s has no key %s; add it", kind, ref.Name, ref.Key))
	}
	if len(keys) == 0 {
		return notFound(fmt.Sprintf("%s %s is empty; add a key", kind, ref.Name))
	}
	if len(keys) > maxFilesPerSource {
		return notFound(fmt.Sprintf("%s %s has more than %d keys; name the one to read", kind, ref.Name, maxFilesPerSource))
	}
	files := make([]*keyFile, 0, len(keys))
	for _, key := range keys {
		id := keyFileID{kind: kind, uid: obj.GetUID(), resourceVersion: obj.GetResourceVersion(), key: key}
		files = append(files, r.parse(id, sourceName(kind, ref.Name, key), data[key]))
	}
	return files
}

func (r *keyReader) parse(id keyFileID, source string, data []byte) *keyFile {
	file := r.seen[id]
	if file == nil {
		file = r.previous[id]
	}
	if file == nil {
		file = &keyFile{source: source}
		parsed, err := openpgp.ParseKeyFile(data)
		if err != nil {
			file.reason, file.problem = assayv1alpha1.ReasonMalformedKey, err.Error()
		} else {
			file.parsed = parsed
		}
	}
	r.seen[id] = file
	return file
}

func sourceName(kind, name, key string) string {
	if key == "" {
		return kind + "/" + name
	}
	return kind + "/" + name + "[" + key + "]"
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
