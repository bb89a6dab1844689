// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command rollout measures how long a Deployment takes to get its Pod in a namespace where admission is
// enforced, if nobody but the operator makes Images and fetches signatures: from the request that
// applies the Deployment until the Pod exists.
//
// Everything is real: etcd, kube-apiserver and kube-controller-manager, the operator with the
// permissions of its service account, and distribution as the registry, for everybody and with a
// credential. Every image is new, and signed with OpenPGP in a lookaside store, or as cosign does in the
// registry. There is no node, so that the Pod stays Pending.
package main

import (
	"context"
	"errors"
	"flag"

	"github.com/assay-project/assay/bench/command"
	"github.com/assay-project/assay/bench/report"
)

// plan holds the parameters of a run.
type plan struct {
	deployments int // Of each kind, one after the other.
}

func main() { command.Main(&plan{}) }

// Name implements command.Benchmark.
func (p *plan) Name() string { return "rollout" }

// Register implements command.Benchmark.
func (p *plan) Register(flags *flag.FlagSet) {
	flags.IntVar(&p.deployments, "deployments", 100, "number of Deployments of each kind, one after the other")
}

// Validate implements command.Benchmark.
func (p *plan) Validate() error {
	if p.deployments < 1 {
		return errors.New("the number of Deployments must be positive")
	}
	return nil
}

// Measure implements command.Benchmark.
func (p *plan) Measure(ctx context.Context, progress command.Progress) (report.Report, error) {
	rows, err := measure(ctx, *p, progress)
	if err != nil {
		return report.Report{}, err
	}
	return newReport(rows), nil
}
