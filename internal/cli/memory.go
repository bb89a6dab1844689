// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"strconv"
	"strings"

	"github.com/assay-project/assay/internal/imagecache"
)

// memoryLimitFile contains the memory limit of the container, in bytes (cgroup v2).
const memoryLimitFile = "/sys/fs/cgroup/memory.max"

// memoryLimit returns the memory limit in a file, in bytes, and 0 if there is none.
func memoryLimit(file string) int64 {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil { // It is "max".
		return 0
	}
	return max(limit, 0)
}

// imageRoom returns how much of the signatures and indexes of Images is kept in memory, in bytes: a
// fifth of the memory. The heap grows by half between two garbage collections, and the rest is for
// everything else that is kept of each Image.
func imageRoom(limit int64) int {
	const share, unlimited = 5, 1 << 30
	if limit == 0 {
		return unlimited
	}
	return int(max(limit/share, imagecache.MinRoom))
}
