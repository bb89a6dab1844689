// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/assay-project/assay/internal/cli/summary"
)

const (
	defaultExpiringWithin = 30 * 24 * time.Hour
	defaultStatusLimit    = 20
	// defaultOperatorNamespace is the namespace of config/default.
	defaultOperatorNamespace = "assay-system"

	// printInterval is the minimum time between two prints of a watched status.
	printInterval = time.Second
	// retryInterval is the delay before the cluster is read again after an error or the end of a
	// watch.
	retryInterval = time.Second
)

// separators separate consecutive statuses. JSON needs none.
var separators = map[string]string{"table": "\n", "wide": "\n", "yaml": "---\n"}

type statusOptions struct {
	kubeconfig     string
	context        string
	timeout        time.Duration
	output         string
	watch          bool
	expiringWithin time.Duration
	limit          int
	namespace      string
}

func newStatusCommand() *cobra.Command {
	o := statusOptions{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Summarize the verdicts in a cluster",
		Long: `Summarize the verdicts in a cluster: the number of images by verdict and reason, the
TrustPolicies, the keys that have expired, expire soon or cannot be used, the stores of
signatures with the hosts that rest or do not answer, what discovery leaves out, the tags
that have moved to an image that is not verified, and the API servers with the allowlist
that each of them has.

The command reads Images and TrustPolicies, and if it may RegistryConfigs and the
ConfigMaps assay-import and assay-apiservers in the operator's namespace. The cluster
role view suffices.
Manifests and signatures are not transferred, so it is fast in large clusters as well.

Exit status:

    0  the status was printed; with --watch, until interrupted
    2  wrong usage, or the cluster cannot be read`,
		Example: `  # print the status once
  assay status

  # include the images that are not verified, and the reasons
  assay status -o wide

  # print the status again whenever it changes
  assay status --watch

  # list the hosts that rest, and until when
  assay status -o json | jq -r '.import.hosts[] | "\(.host) \(.reason) \(.until)"'

  # fail when an image is refused
  assay status -o json | jq -e '.images.refused == 0'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return o.run(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&o.output, "output", "o", "table", "`FORMAT`: table, wide, json or yaml")
	flags.BoolVarP(&o.watch, "watch", "w", false, "print the status again whenever it changes, at most once per second")
	flags.DurationVar(&o.expiringWithin, "expiring-within", defaultExpiringWithin, "list keys that expire within this time")
	flags.IntVar(&o.limit, "limit", defaultStatusLimit, "maximum number of unverified images to list by name; -o table lists none")
	flags.StringVar(&o.namespace, "operator-namespace", defaultOperatorNamespace, "`NAMESPACE` of the operator")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `FILE` (default: $KUBECONFIG or ~/.kube/config)")
	flags.StringVar(&o.context, "context", "", "`NAME` of the kubeconfig context (default: the current context)")
	flags.DurationVar(&o.timeout, "request-timeout", 0, "timeout of a single request, ignored with --watch; 0 for none")
	completeWords(cmd, "output", "table", "wide", "json", "yaml")
	return cmd
}

func (o *statusOptions) run(ctx context.Context, stdout, stderr io.Writer) error {
	write, err := statusWriter(o.output)
	if err != nil {
		return err
	}
	if o.limit < 0 || o.expiringWithin < 0 || o.timeout < 0 {
		return usagef("--limit, --expiring-within and --request-timeout must not be negative")
	}
	config, err := o.restConfig()
	if err != nil {
		return err
	}
	reader, err := summary.NewReader(config)
	if err != nil {
		return err
	}
	reader.Interval, reader.Progress, reader.Namespace = printInterval, progressTo(stderr), o.namespace
	last := ""
	show := func(c *summary.Cluster) error {
		now := time.Now()
		s := c.Summarize(summary.Options{Now: now, ExpiringWithin: o.expiringWithin, Limit: o.limit})
		var b strings.Builder
		if err := write(&b, &s, now); err != nil || b.String() == last {
			return err
		}
		text := b.String()
		if last != "" {
			text = separators[o.output] + text
		}
		last = b.String()
		_, err := io.WriteString(stdout, text)
		return err
	}
	if !o.watch {
		return reader.Read(ctx, false, show)
	}
	return followStatus(ctx, reader, stderr, show)
}

// followStatus shows the status until it is interrupted, which is not an error. Once it has shown a
// status, it retries when the cluster does not answer.
func followStatus(ctx context.Context, reader *summary.Reader, stderr io.Writer, show func(*summary.Cluster) error) error {
	shown := false
	for {
		err := reader.Read(ctx, true, func(c *summary.Cluster) error {
			shown = true
			return show(c)
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, summary.ErrStale):
		case !shown || errors.Is(err, summary.ErrNotShown):
			return err
		default:
			// There is no way to report an error on standard error.
			_, _ = fmt.Fprintf(stderr, "assay: %v; trying again\n", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryInterval):
		}
	}
}

// progressTo shows the progress of long reads on a terminal and erases it at the end.
func progressTo(stderr io.Writer) func(images int, more bool) {
	file, ok := stderr.(*os.File)
	if !ok || !isTerminal(file) {
		return nil
	}
	const much, clearLine = 2000, "\r\x1b[K"
	return func(images int, more bool) {
		text := clearLine
		if more {
			text += fmt.Sprintf("assay: %d images read", images)
		}
		if images >= much {
			// There is no way to report an error on standard error.
			_, _ = file.WriteString(text)
		}
	}
}

// isTerminal reports whether a file is a character device, which is a sufficient approximation
// here.
func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (o *statusOptions) restConfig() (*rest.Config, error) {
	config, err := clusterConfig(o.kubeconfig, o.context)
	if err != nil {
		return nil, err
	}
	config.UserAgent = "assay-status/" + version()
	if !o.watch {
		config.Timeout = o.timeout // A watch is one request.
	}
	return config, nil
}

// clusterConfig returns the configuration for the cluster that a person works with.
func clusterConfig(kubeconfig, contextName string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: contextName}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to connect to: %w", err)
	}
	return config, nil
}
