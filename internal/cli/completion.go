// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// completeWords lets a shell offer words for a flag.
func completeWords(cmd *cobra.Command, flag string, words ...string) {
	// It fails for a flag that does not exist, which a test finds: the words are not offered.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// displayName returns what the program is called by whoever runs it. kubectl finds plugins by
// the names of their files: kubectl-assay is called as "kubectl assay".
func displayName(program string) string {
	name := strings.TrimSuffix(filepath.Base(program), ".exe")
	if plugin, ok := strings.CutPrefix(name, "kubectl-"); ok {
		return "kubectl " + strings.ReplaceAll(plugin, "-", " ")
	}
	return "assay"
}
