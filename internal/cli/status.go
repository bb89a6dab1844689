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

	// printInterval is the least time between two prints of a status that is watched.
	printInterval = time.Second
	// retryInterval is the time until a cluster is read again that could not be, or whose watch has ended.
	retryInterval = time.Second
)

// separators stand between two statuses that are printed one after the other. JSON needs none.
var separators = map[string]string{"table": "\n", "wide": "\n", "yaml": "---\n"}

type statusOptions struct {
	kubeconfig     string
	context        string
	timeout        time.Duration
	output         string
	watch          bool
	expiringWithin time.Duration
	limit          int
}

func newStatusCommand() *cobra.Command {
	o := statusOptions{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Sum up the verdicts in a cluster",
		Long: `Sum up what Assay has found in a cluster: how many images have which verdict and why, the
TrustPolicies, and the keys that have expired, expire soon or cannot be used.

It reads Images and TrustPolicies, and needs no more than the cluster role view. Manifests
and signatures are not transferred, so that it is quick in large clusters, too.

Exit status:
  0  the status was printed; with --watch, until it was interrupted
  2  wrong usage, or the cluster cannot be read`,
		Example: `  # all in one screen
  assay status

  # with the images that are not verified, and why
  assay status -o wide

  # as long as it takes
  assay status --watch

  # for a program: fail when anything is refused
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
	flags.BoolVarP(&o.watch, "watch", "w", false, "print it again whenever it changes, at most once a second")
	flags.DurationVar(&o.expiringWithin, "expiring-within", defaultExpiringWithin, "how soon a key expires that is listed")
	flags.IntVar(&o.limit, "limit", defaultStatusLimit, "how many images that are not verified are listed by name, but in a table, which has none")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "`FILE` that says where the cluster is; without it KUBECONFIG or ~/.kube/config")
	flags.StringVar(&o.context, "context", "", "`NAME` of the context in it; default: the current one")
	flags.DurationVar(&o.timeout, "request-timeout", 0, "how long one request may take, without --watch; 0 for ever")
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
	reader.Interval, reader.Progress = printInterval, progressTo(stderr)
	last := ""
	show := func(c *summary.Cluster) error {
		now := time.Now()
		s := c.Of(summary.Options{Now: now, ExpiringWithin: o.expiringWithin, Limit: o.limit})
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

// followStatus shows the status until it is interrupted, which is no error. Once it has been
// shown, a cluster that does not answer is asked again.
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
		case errors.Is(err, summary.ErrChanged):
		case !shown || errors.Is(err, summary.ErrNotShown):
			return err
		default:
			// Nothing can be done about an error stream that cannot be written to.
			_, _ = fmt.Fprintf(stderr, "assay: %v; trying again\n", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryInterval):
		}
	}
}

// progressTo says on a terminal how much has been read, when it is much, and takes that away
// in the end.
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
			// Nothing can be done about an error stream that cannot be written to.
			_, _ = file.WriteString(text)
		}
	}
}

// isTerminal tells whether a file is a character device, which is near enough here.
func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (o *statusOptions) restConfig() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: o.context}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to connect to: %w", err)
	}
	config.UserAgent = "assay-status/" + version()
	if !o.watch {
		config.Timeout = o.timeout // A watch is one request.
	}
	return config, nil
}
