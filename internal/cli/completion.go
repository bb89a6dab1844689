// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// completeWords registers words for the shell completion of a flag.
func completeWords(cmd *cobra.Command, flag string, words ...string) {
	// It fails for a flag that does not exist; then a test finds no completions.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// displayName returns the name under which the program was called. kubectl finds plugins by file
// name: it runs kubectl-assay as "kubectl assay".
func displayName(program string) string {
	name := strings.TrimSuffix(filepath.Base(program), ".exe")
	if plugin, ok := strings.CutPrefix(name, "kubectl-"); ok {
		return "kubectl " + strings.ReplaceAll(plugin, "-", " ")
	}
	return "assay"
}
