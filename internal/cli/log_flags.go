// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"flag"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// addLogFlags adds the --zap-… flags of controller-runtime to a command.
func addLogFlags(cmd *cobra.Command, options *zap.Options) {
	set := flag.NewFlagSet("log", flag.ContinueOnError)
	options.BindFlags(set)
	cmd.Flags().AddGoFlagSet(set)
}
