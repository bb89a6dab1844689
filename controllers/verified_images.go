// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"sync"

	"github.com/distribution/reference"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/verify"
)

// VerifiedImages remembers what this process has decided about each Image, for the list
// that admission reads. The list is made from this and not from the Images' status: a
// stored verdict is output, never input, so that forging one admits nothing.
type VerifiedImages struct {
	mu     sync.Mutex
	byName map[string]verifiedImage
	// changed has an event when something has changed since the last one was taken.
	changed chan event.GenericEvent
}

// verifiedImage is what was decided about one Image.
type verifiedImage struct {
	uid types.UID
	// entry is <repository>@<digest>, empty when the Image vouches for nothing.
	entry string
	// scope is the one by whose policies the Image is verified.
	scope string
	// resourceVersion and trust are the states of the Image, and of policies and keys, that
	// were last decided about.
	resourceVersion string
	trust           uint64
}

// NewVerifiedImages returns an empty record.
func NewVerifiedImages() *VerifiedImages {
	return &VerifiedImages{byName: map[string]verifiedImage{}, changed: make(chan event.GenericEvent, 1)}
}

// record takes a verdict down. It comes right after the decision and before any write: an
// API server that refuses the write must not keep an image in the list. A nil record takes
// nothing down.
func (v *VerifiedImages) record(image *imagev1.Image, trust *trustSnapshot, verdict *verify.Verdict) {
	if v == nil {
		return
	}
	is := verifiedImage{uid: image.UID, resourceVersion: image.ResourceVersion, trust: trust.change}
	if verdict.Outcome == verify.Verified {
		is.entry, is.scope = entryOf(image, trust, verdict)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	was, ok := v.byName[image.Name]
	v.byName[image.Name] = is
	if !ok || was.uid != is.uid || was.entry != is.entry || was.scope != is.scope {
		v.signal()
	}
}

// forget removes an Image that is no more.
func (v *VerifiedImages) forget(name string) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.byName[name]; ok {
		delete(v.byName, name)
		v.signal()
	}
}

// signal does not wait: an event that nobody has taken yet tells of this change as well.
func (v *VerifiedImages) signal() {
	select {
	case v.changed <- event.GenericEvent{Object: &imagev1.Image{}}:
	default:
	}
}

// judged tells whether an Image has been decided about.
func (v *VerifiedImages) judged(image *imagev1.Image) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	is, ok := v.byName[image.Name]
	return ok && is.uid == image.UID
}

// current tells whether exactly this state of an Image was decided about, by these policies
// and keys.
func (v *VerifiedImages) current(image *imagev1.Image, trust *trustSnapshot) bool {
	if v == nil {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	is, ok := v.byName[image.Name]
	return ok && is.uid == image.UID && is.resourceVersion == image.ResourceVersion && is.trust == trust.change
}

// entries returns what the Images vouch for, in any order and possibly more than once. An
// Image that was judged by another scope than the one that holds for its digest vouches for
// nothing: exact says which entries have a scope of their own.
func (v *VerifiedImages) entries(exact func(entry string) bool) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	entries := make([]string, 0, len(v.byName))
	for _, is := range v.byName {
		if is.entry != "" && (is.scope == is.entry || !exact(is.entry)) {
			entries = append(entries, is.entry)
		}
	}
	return entries
}

// entryOf returns what a verified Image vouches for: <repository>@<digest>, by which Pods
// name it. It is empty when other policies hold for that name than those that the Image was
// verified by, as they do for the other tags of a repository when one tag has a scope.
func entryOf(image *imagev1.Image, trust *trustSnapshot, verdict *verify.Verdict) (entry, scope string) {
	named := verify.ReadReference(image.DockerImageReference).Named
	if named == nil || len(verdict.Policies) == 0 {
		return "", ""
	}
	digested, err := reference.WithDigest(reference.TrimNamed(named), verdict.Digest)
	if err != nil {
		return "", ""
	}
	scope = verdict.Policies[0].Scope
	if _, holds, ok := trust.byScope.Lookup(digested); !ok || holds != scope {
		return "", ""
	}
	// Whoever pulls takes host names in upper and lower case for the same.
	host, path, _ := strings.Cut(digested.Name(), "/")
	return strings.ToLower(host) + "/" + path + "@" + verdict.Digest.String(), scope
}
