// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagejson

import (
	"fmt"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/types"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/jsonscan"
	"github.com/assay-project/assay/internal/manifest"
	"github.com/assay-project/assay/internal/verify"
)

// Entry is what is kept of one Image.
type Entry struct {
	// Image has what the package comment lists; everything else is empty.
	Image imagev1.Image
	// Size is that of the whole Image in JSON, in bytes.
	Size int
	// Manifest is what the bytes of the manifest say, which Image is without.
	Manifest verify.Manifest
	// Fault is why the Image cannot be verified, nil if nothing stands against it. With a
	// fault, Image has no signatures and Manifest is empty.
	Fault *Fault
}

// decoder reads Images. It is not safe for concurrent use.
type decoder struct {
	reader
	// annotations are those that are kept.
	annotations []string
	// first is the first fault of the Image.
	first *Fault
	// manifest is the manifest of the Image, or one of its length where that is too large.
	manifest []byte
}

// collect keeps the fault of what was read, so that the next part can be read nevertheless.
func (d *decoder) collect() {
	if d.first == nil {
		d.first = d.fault
	}
	d.fault = nil
}

// longText is the fault of a text outside of signatures and status.
var longText = Fault{Kind: Undecodable, Detail: fmt.Sprintf("a text of the metadata or the reference is longer than %d bytes", maxText)}

var imageMembers = []string{
	"metadata", "dockerImageReference", "dockerImageMetadataVersion", "dockerImageManifest",
	"dockerImageManifestMediaType", "signatures", "status",
	// These are known and not read.
	"kind", "apiVersion", "dockerImageMetadata", "dockerImageManifests", "dockerImageConfig",
	"dockerImageLayers", "dockerImageSignatures",
}

// image reads one Image.
func (d *decoder) image() Entry {
	var e Entry
	image := &e.Image
	d.first, d.manifest = nil, d.manifest[:0]
	d.Peek() // White space in front is none of the Image.
	begin := d.Offset()
	// Paths begin with the Image, also when it is an item of a list.
	outer := d.path
	d.path = outer[len(outer):]
	defer func() { d.path = outer }()
	d.section(maxText, longText)
	present := d.object("", imageMembers, func(i int) {
		name := imageMembers[i]
		d.collect()
		d.section(maxText, longText)
		switch name {
		case "metadata":
			d.metadata(image)
		case "dockerImageReference":
			image.DockerImageReference = d.string(name)
		case "dockerImageMetadataVersion":
			image.DockerImageMetadataVersion = d.sharedString(name)
		case "dockerImageManifest":
			d.readManifest(name)
		case "dockerImageManifestMediaType":
			image.DockerImageManifestMediaType = d.sharedString(name)
		case "signatures":
			image.Signatures = d.signatures(name)
		case "status":
			image.Status = d.status(name)
		default:
			d.Skip()
		}
	})
	if !present {
		d.fail("", "there is no object")
	}
	d.collect()
	e.Size = d.Offset() - begin
	if e.Fault = d.first; e.Fault != nil {
		image.Signatures = nil
	} else {
		e.Manifest = verify.ParseManifest(d.manifest, image.DockerImageManifestMediaType)
	}
	if cap(d.manifest) > jsonscan.MaxIdleBuffer {
		d.manifest = nil
	}
	if cap(d.scratch) > jsonscan.MaxIdleBuffer {
		d.scratch = nil
	}
	return e
}

// readManifest keeps the text of the manifest until the end of the Image, when its media type
// is known.
func (d *decoder) readManifest(field string) {
	// The reader of manifests has the message for one that is too large, and looks no further
	// than its length.
	tooLarge := false
	raw, ok := d.token(field, maxEscape*manifest.MaxSize, func() Fault { tooLarge = true; return Fault{} })
	if tooLarge {
		d.fault = nil
		d.manifest = make([]byte, manifest.MaxSize+1)
	}
	if !ok {
		return
	}
	if d.manifest, ok = jsonscan.Unescape(d.manifest, raw); !ok {
		d.Syntax()
	}
}

var metadataMembers = []string{
	"name", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
	"finalizers", "annotations", "labels",
	// These are known and not read.
	"generateName", "namespace", "selfLink", "deletionGracePeriodSeconds",
	"ownerReferences", "managedFields",
}

// metadata reads the metadata of an Image. Each member has its own fault, so that an Image with
// one has a name.
func (d *decoder) metadata(image *imagev1.Image) {
	meta := &image.ObjectMeta
	d.object("metadata", metadataMembers, func(i int) {
		name := metadataMembers[i]
		d.collect()
		d.section(maxText, longText)
		switch name {
		case "name":
			meta.Name = d.string(name)
		case "uid":
			meta.UID = types.UID(d.string(name))
		case "resourceVersion":
			meta.ResourceVersion = d.string(name)
		case "generation":
			meta.Generation = d.integer(name)
		case "creationTimestamp":
			meta.CreationTimestamp, _ = d.time(name)
		case "deletionTimestamp":
			if t, ok := d.time(name); ok {
				meta.DeletionTimestamp = &t
			}
		case "finalizers":
			d.budget = maxFinalizers
			meta.Finalizers = d.strings(name)
		case "annotations":
			meta.Annotations = d.keptStrings(name, d.annotations)
		case "labels":
			meta.Labels = d.keptStrings(name, keptLabels)
		default:
			d.Skip()
		}
	})
}

// keptLabels are the labels that Assay reads.
var keptLabels = []string{assayv1alpha1.DiscoveredLabel}

// keptStrings reads those annotations or labels that are wanted, and returns nil if there are none.
func (d *decoder) keptStrings(field string, wanted []string) map[string]string {
	if !d.open(field, '{', "an object") {
		return nil
	}
	var kept map[string]string
	d.budget = maxAnnotations
	for first := true; ; {
		raw, ok := d.Member(&first)
		if !ok {
			return kept
		}
		name := d.wanted(raw, wanted)
		if name == "" {
			d.Skip()
			continue
		}
		if _, twice := kept[name]; twice {
			d.fail(field, "a name occurs twice")
		}
		value, ok := d.budgeted(field)
		if kept == nil {
			kept = make(map[string]string, len(wanted))
		}
		if ok {
			kept[name] = truncate(value, maxAnnotation)
		} else {
			kept[name] = ""
		}
	}
}

// wanted returns the one of the names that raw stands for, or "" if it is none of them.
func (d *decoder) wanted(raw []byte, names []string) string {
	var ok bool
	if d.scratch, ok = jsonscan.Unescape(d.scratch[:0], raw); !ok {
		d.Syntax()
	}
	for _, name := range names {
		if string(d.scratch) == name {
			return name
		}
	}
	return ""
}

// truncate returns the beginning of text, of at most limit bytes and whole characters.
func truncate(text []byte, limit int) string {
	if len(text) <= limit {
		return string(text)
	}
	for !utf8.RuneStart(text[limit]) {
		limit--
	}
	return string(text[:limit])
}
