// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/distribution/reference"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/verify"
)

// imageFacts is what discovery goes by about an Image.
type imageFacts struct {
	name            string
	uid             types.UID
	resourceVersion string
	created         time.Time

	// entry is <repository>@<digest> in canonical form, empty for an Image that is not of one
	// image, or not usable.
	entry string
	// discovered is set for the operator's own, which has the label.
	discovered bool
	// keep is set when somebody asked for the signatures, whether or not the image is used.
	keep bool
	// evaluated is set when there is a verdict on this generation; verified is that verdict.
	evaluated, verified bool
	// unusedSince and tags are those of the status.
	unusedSince time.Time
	tags        []string
	// children are the entries of the manifests of an index that a node may run.
	children []string
}

// factsOf reads an Image.
func factsOf(image *imagecache.Image) *imageFacts {
	f := &imageFacts{
		name: image.Name, uid: image.UID, resourceVersion: image.ResourceVersion, created: image.CreationTimestamp.Time,
		discovered: image.Labels[assayv1alpha1.DiscoveredLabel] == "true",
		keep:       image.Annotations[assayv1alpha1.ImportAnnotation] == "true",
		evaluated:  image.Status.ObservedGeneration == image.Generation && image.Status.Verified != "",
	}
	f.verified = f.evaluated && image.Status.Verified == metav1.ConditionTrue
	if image.Status.UnusedSince != nil {
		f.unusedSince = image.Status.UnusedSince.Time
	}
	for _, tag := range image.Status.Tags {
		f.tags = append(f.tags, tag.Name)
	}
	slices.Sort(f.tags)
	f.readEntry(image)
	return f
}

// readEntry finds out which image an Image is of.
func (f *imageFacts) readEntry(image *imagecache.Image) {
	if image.Fault != nil {
		return
	}
	ref := verify.ParseReference(image.DockerImageReference)
	digest := verify.Image{Name: image.Name, Reference: ref, Manifest: image.Manifest}.Digest()
	if digest == "" || ref.Named == nil {
		return
	}
	repository, err := imageref.Canonical(reference.TrimNamed(ref.Named))
	if err != nil {
		return
	}
	f.entry = repository.Name() + "@" + digest.String()
	if image.Manifest.Digest != digest {
		return
	}
	for _, child := range image.Manifest.Children {
		switch {
		case child.IsAttestation:
		case !isSHA256(child.Digest):
			f.children = nil // They can never all be verified.
			return
		default:
			f.children = append(f.children, repository.Name()+"@"+child.Digest.String())
		}
	}
}

// sameAs reports whether nothing differs that a decision depends on.
func (f *imageFacts) sameAs(other *imageFacts) bool {
	return other != nil && f.uid == other.uid && f.entry == other.entry && f.discovered == other.discovered && f.keep == other.keep &&
		f.evaluated == other.evaluated && f.verified == other.verified && f.unusedSince.Equal(other.unusedSince) &&
		slices.Equal(f.tags, other.tags) && slices.Equal(f.children, other.children)
}

// images are the facts about all Images. It is safe for concurrent use.
type images struct {
	mu      sync.Mutex
	byName  map[string]*imageFacts
	byEntry map[string][]string // names
	byTag   map[string][]string // entries, by <repository>:<tag>
}

func newImages() *images {
	return &images{byName: map[string]*imageFacts{}, byEntry: map[string][]string{}, byTag: map[string][]string{}}
}

// put records an Image. It reports whether there is something new to evaluate.
func (x *images) put(image *imagecache.Image) bool {
	after := factsOf(image)
	x.mu.Lock()
	defer x.mu.Unlock()
	before := x.byName[after.name]
	x.unlink(before)
	x.byName[after.name] = after
	if after.entry != "" {
		x.byEntry[after.entry] = append(x.byEntry[after.entry], after.name)
		for _, tag := range after.tagKeys() {
			x.byTag[tag] = append(x.byTag[tag], after.entry)
		}
	}
	return !after.sameAs(before)
}

// forget removes an Image that no longer exists.
func (x *images) forget(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.unlink(x.byName[name])
	delete(x.byName, name)
}

func (x *images) unlink(f *imageFacts) {
	if f == nil || f.entry == "" {
		return
	}
	remove(x.byEntry, f.entry, f.name)
	for _, tag := range f.tagKeys() {
		remove(x.byTag, tag, f.entry)
	}
}

func (f *imageFacts) tagKeys() []string {
	repository, _, _ := strings.Cut(f.entry, "@")
	keys := make([]string, len(f.tags))
	for i, tag := range f.tags {
		keys[i] = repository + ":" + tag
	}
	return keys
}

// remove removes one value of a key.
func remove(m map[string][]string, key, value string) {
	values := m[key]
	i := slices.Index(values, value)
	switch {
	case i < 0:
	case len(values) == 1:
		delete(m, key)
	default:
		m[key] = slices.Delete(slices.Clone(values), i, i+1)
	}
}

// find returns an Image of an entry, a verified one if there is one, or nil.
func (x *images) find(entry string) *imageFacts {
	var found *imageFacts
	for _, name := range x.byEntry[entry] {
		f := x.byName[name]
		if found == nil || f.verified && !found.verified || f.verified == found.verified && f.name < found.name {
			found = f
		}
	}
	return found
}

// isVerified reports whether an entry is verified, or is an index all of whose children are: it
// counts as verified then.
func (x *images) isVerified(entry string) bool {
	f := x.find(entry)
	if f == nil || f.verified || len(f.children) == 0 {
		return f != nil && f.verified
	}
	return !slices.ContainsFunc(f.children, func(child string) bool {
		c := x.find(child)
		return c == nil || !c.verified
	})
}
