// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package tlog

import "crypto/sha256"

// MaxProof is the largest number of hashes in a proof: the depth of a tree of 2^63 entries.
const MaxProof = 63

// Domain separation of RFC 9162 section 2.1.1.
const (
	leafPrefix = 0x00
	nodePrefix = 0x01
)

// LeafHash returns the hash of an entry in the tree.
func LeafHash(body []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte{leafPrefix})
	h.Write(body)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return sum
}

func nodeHash(left, right [sha256.Size]byte) [sha256.Size]byte {
	var b [1 + 2*sha256.Size]byte
	b[0] = nodePrefix
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// Included reports whether the path of hashes leads from a leaf with an index to the root of a tree
// of a size (RFC 9162 section 2.1.3.2).
func Included(leaf [sha256.Size]byte, index, size int64, root [sha256.Size]byte, path [][sha256.Size]byte) bool {
	if index < 0 || index >= size || len(path) > MaxProof {
		return false
	}
	node, last, hash := index, size-1, leaf
	for _, sibling := range path {
		if last == 0 {
			return false // the path is longer than the tree is deep
		}
		if node&1 == 1 || node == last {
			hash = nodeHash(sibling, hash)
			for node&1 == 0 && node != 0 {
				node >>= 1
				last >>= 1
			}
		} else {
			hash = nodeHash(hash, sibling)
		}
		node >>= 1
		last >>= 1
	}
	return last == 0 && hash == root
}
