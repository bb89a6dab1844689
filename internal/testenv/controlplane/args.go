// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"fmt"
	"slices"
	"strings"
)

// mergeArgs returns the flags in defaults whose name does not occur in extra, and
// then extra. Repeating a flag would not do: a list of admission plugins, for one,
// would be added to and not replaced.
func mergeArgs(defaults, extra []string) ([]string, error) {
	replaced := map[string]bool{}
	for _, arg := range extra {
		if !strings.HasPrefix(arg, "--") || strings.HasPrefix(arg, "--=") || arg == "--" {
			return nil, fmt.Errorf("flag %q is not of the form --name=value", arg)
		}
		replaced[flagName(arg)] = true
	}
	merged := slices.DeleteFunc(slices.Clone(defaults), func(arg string) bool { return replaced[flagName(arg)] })
	return append(merged, extra...), nil
}

func flagName(arg string) string {
	name, _, _ := strings.Cut(arg, "=")
	return name
}
