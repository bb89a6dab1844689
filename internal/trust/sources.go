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
	"github.com/assay-project/assay/internal/signature"
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

// Source is an entry of a policy's keys or signers with the files that it led to.
type Source struct {
	// Name of the entry in spec.keys or spec.signers.
	Name string
	// Files of keys, never none; an entry of spec.signers has none.
	Files []*File
	// Roots are the files of what the entry trusts beside keys.
	Roots []RootsSource
}

// RootsSource is a source of what an entry trusts beside keys, with the files that it led to, never
// none.
type RootsSource struct {
	// Field names the source within its entry, for example fulcio.trustedRoot.
	Field string
	Kind  signature.RootsKind
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

// Parsed returns what the file holds; the error says why it cannot be used. It may take as
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

// fileID identifies the bytes of a file and what they are read as: objects never change without a
// new resource version, and inline content never without a new generation of their policy.
type fileID struct {
	roots           signature.RootsKind // 0 for keys
	kind            string
	uid             types.UID
	resourceVersion string
	key             string
}

// contentID identifies bytes by their digest, and what they are read as.
type contentID struct {
	roots signature.RootsKind // 0 for keys
	hash  [sha256.Size]byte
}

// contentCache finds content by what identifies its bytes and by the bytes themselves, so
// that a change of an object that leaves its keys as they are parses nothing again.
type contentCache struct {
	byID   map[fileID]*content
	byHash map[contentID]*content
}

func newContentCache() contentCache {
	return contentCache{byID: map[fileID]*content{}, byHash: map[contentID]*content{}}
}

func (c *contentCache) add(id fileID, found *content) {
	c.byID[id], c.byHash[found.id] = found, found
}

// reader reads keys from their sources. Content that is known is reused.
type reader struct {
	client    client.Reader
	namespace string
	formats   []verify.Format
	previous  *contentCache
	seen      *contentCache
}

// readKey returns the files of an entry of spec.keys. An error means that the cache could not be
// read; everything else is reported in the files.
func (r *reader) readKey(ctx context.Context, policy *assayv1alpha1.TrustPolicy, key *assayv1alpha1.TrustedKey) (Source, error) {
	source := Source{Name: string(key.Name)}
	keys := assayv1alpha1.TrustSource{SecretRef: key.SecretRef, ConfigMapRef: key.ConfigMapRef, Inline: key.Inline}
	var err error
	if source.Files, err = r.read(ctx, policy, source.Name, &keys, 0); err != nil {
		return source, err
	}
	source.Roots, err = r.readRoots(ctx, policy, source.Name, logSources(key.TransparencyLog))
	return source, err
}

// readSigner is readKey for an entry of spec.signers.
func (r *reader) readSigner(ctx context.Context, policy *assayv1alpha1.TrustPolicy, signer *assayv1alpha1.TrustedSigner) (Source, error) {
	roots, err := r.readRoots(ctx, policy, string(signer.Name), signerSources(signer))
	return Source{Name: string(signer.Name), Roots: roots}, err
}

func (r *reader) readRoots(ctx context.Context, policy *assayv1alpha1.TrustPolicy, entry string, fields []rootsField) ([]RootsSource, error) {
	sources := make([]RootsSource, len(fields))
	for i, field := range fields {
		files, err := r.read(ctx, policy, entry+" "+field.name, field.source, field.kind)
		if err != nil {
			return nil, err
		}
		sources[i] = RootsSource{Field: field.name, Kind: field.kind, Files: files}
	}
	return sources, nil
}

// read returns the files of one source. inline names it within the policy.
func (r *reader) read(ctx context.Context, policy *assayv1alpha1.TrustPolicy, inline string,
	source *assayv1alpha1.TrustSource, kind signature.RootsKind) ([]*File, error) {
	switch {
	case source.SecretRef != nil:
		return r.readSecret(ctx, source.SecretRef, kind)
	case source.ConfigMapRef != nil:
		return r.readConfigMap(ctx, source.ConfigMapRef, kind)
	default:
		id := fileID{roots: kind, kind: "TrustPolicy", uid: policy.UID, resourceVersion: fmt.Sprint(policy.Generation), key: inline}
		return []*File{{Location: "inline", content: r.find(id, []byte(source.Inline))}}, nil
	}
}

func (r *reader) readSecret(ctx context.Context, ref *assayv1alpha1.KeySourceRef, kind signature.RootsKind) ([]*File, error) {
	var secret corev1.Secret
	if err := r.client.Get(ctx, types.NamespacedName{Namespace: r.namespace, Name: ref.Name}, &secret); err != nil {
		return r.missing(SecretKind, ref, err)
	}
	return r.readData(fileID{roots: kind, kind: SecretKind}, ref, &secret, secret.Data), nil
}

func (r *reader) readConfigMap(ctx context.Context, ref *assayv1alpha1.KeySourceRef, kind signature.RootsKind) ([]*File, error) {
	var configMap corev1.ConfigMap
	if err := r.client.Get(ctx, types.NamespacedName{Namespace: r.namespace, Name: ref.Name}, &configMap); err != nil {
		return r.missing(ConfigMapKind, ref, err)
	}
	data := make(map[string][]byte, len(configMap.Data)+len(configMap.BinaryData))
	for key, value := range configMap.Data {
		data[key] = []byte(value)
	}
	maps.Copy(data, configMap.BinaryData)
	return r.readData(fileID{roots: kind, kind: ConfigMapKind}, ref, &configMap, data), nil
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

// readData returns the named key of an object's data, or all of them in order of name. The id
// has the kinds.
func (r *reader) readData(id fileID, ref *assayv1alpha1.KeySourceRef, obj client.Object, data map[string][]byte) []*File {
	kind := id.kind
	id.uid, id.resourceVersion = obj.GetUID(), obj.GetResourceVersion()
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
		id.key = key
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
	bytes := contentID{roots: id.roots, hash: sha256.Sum256(data)}
	found := r.seen.byHash[bytes]
	if found == nil {
		found = r.previous.byHash[bytes]
	}
	if found == nil {
		found = &content{id: bytes, formats: r.formats, data: data}
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
