// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagecache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/imagejson"
)

const (
	// DefaultRoom is how much New keeps of the signatures and indexes of all Images, in bytes: those
	// of 30,000 Images with one signature of OpenPGP.
	DefaultRoom = 96 << 20
	// MinRoom is how much suffices for a small cluster, in bytes.
	MinRoom = 16 << 20
)

const (
	// maxLarge bounds what is kept of the signatures of one Image, in bytes. Seven sigstore bundles
	// fit.
	maxLarge = 64 << 10
	// maxSmall is what an Image with few signatures takes. Large Images have no more than half of
	// the room, and small ones the other half: they do not crowd each other out.
	maxSmall = 16 << 10
)

// Omitted is what the cache knows of signatures that it does not keep, because there is no room for
// them. An index that has no room lists nothing. Reader reads the whole Image.
type Omitted struct {
	// Inputs and State are those of InputsOf and StateOf.
	Inputs, State [sha256.Size]byte
	// Small reports whether the signatures would take little, so that reading them takes little as
	// well.
	Small bool
}

// room counts what the cache keeps of each Image. It bounds the memory that somebody can take who
// may create Images. A nil room keeps everything.
type room struct {
	mu    sync.Mutex
	byUID map[types.UID]int
	// used by small and large Images, and what either may.
	small, large, limit int
}

// newRoom returns a room of a size in bytes.
func newRoom(size int) *room { return &room{byUID: map[types.UID]int{}, limit: size / 2} }

// clear forgets all Images, of which a new list begins.
func (r *room) clear() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byUID, r.small, r.large = map[types.UID]int{}, 0, 0
}

// pool returns what Images of a size have used.
func (r *room) pool(size int) *int {
	if size <= maxSmall {
		return &r.small
	}
	return &r.large
}

// leave removes an Image.
func (r *room) leave(uid types.UID) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(uid)
}

func (r *room) remove(uid types.UID) {
	size := r.byUID[uid]
	*r.pool(size) -= size
	delete(r.byUID, uid)
}

// enter replaces what is kept of an Image, and reports whether there is room for it.
func (r *room) enter(uid types.UID, size int) bool {
	if r == nil {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(uid)
	pool := r.pool(size)
	if size > maxLarge || *pool+size > r.limit {
		return false
	}
	if size > 0 {
		*pool += size
		r.byUID[uid] = size
	}
	return true
}

// keep returns an Image as the cache keeps it.
func (r *room) keep(e imagejson.Entry) Image {
	image := newImage(e)
	size := sizeOf(&image)
	if r.enter(image.UID, size) {
		return image
	}
	image.Omitted = &Omitted{Inputs: InputsOf(image.Signatures), State: StateOf(image.Signatures), Small: size <= maxSmall}
	image.Signatures, image.Manifest.Children = nil, nil
	return image
}

// Sizes of what texts are in, in bytes.
const (
	signatureSize = 512
	conditionSize = 192
	memberSize    = 96
	childSize     = 128
)

// sizeOf is about what the signatures and the index of an Image take in memory, in bytes.
func sizeOf(image *Image) int {
	size := childSize * len(image.Manifest.Children)
	for i := range image.Signatures {
		s := &image.Signatures[i]
		size += signatureSize + len(s.Content) + len(s.Type) + len(s.ImageIdentity) + len(s.Name) + len(s.GenerateName) + len(s.UID)
		for _, m := range []map[string]string{s.SignedClaims, s.Labels, s.Annotations} {
			for name, value := range m {
				size += memberSize + len(name) + len(value)
			}
		}
		for _, finalizer := range s.Finalizers {
			size += memberSize + len(finalizer)
		}
		for j := range s.Conditions {
			size += conditionSize + len(s.Conditions[j].Type) + len(s.Conditions[j].Reason) + len(s.Conditions[j].Message)
		}
		if s.IssuedBy != nil {
			size += memberSize + len(s.IssuedBy.CommonName) + len(s.IssuedBy.Organization)
		}
		if s.IssuedTo != nil {
			size += memberSize + len(s.IssuedTo.CommonName) + len(s.IssuedTo.Organization) + len(s.IssuedTo.PublicKeyID)
		}
	}
	return size
}

// InputsOf identifies what a verdict takes from signatures.
func InputsOf(signatures []imagev1.ImageSignature) [sha256.Size]byte {
	h := sha256.New()
	for i := range signatures {
		s := &signatures[i]
		keyID := ""
		if s.IssuedTo != nil {
			keyID = s.IssuedTo.PublicKeyID
		}
		for _, text := range []string{s.Type, keyID, string(s.Content)} {
			writeText(h, text)
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// StateOf identifies all of some signatures.
func StateOf(signatures []imagev1.ImageSignature) [sha256.Size]byte {
	h := sha256.New()
	// They are of the API, and have nothing that cannot be encoded.
	_ = json.NewEncoder(h).Encode(signatures)
	return [sha256.Size]byte(h.Sum(nil))
}

func writeText(h hash.Hash, text string) {
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
	h.Write([]byte(text))
}
