// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/assay-project/assay/bench/cluster"
	"github.com/assay-project/assay/internal/testenv/controlplane"
)

// etcdQuota lets etcd keep every version of every image until the API server's compaction, which
// runs every five minutes. By default etcd refuses writes at 2 GiB.
const etcdQuota = "--quota-backend-bytes=8589934592"

// bench is the measured cluster.
type bench struct{ *cluster.Cluster }

func newBench(ctx context.Context) (*bench, error) {
	c, err := cluster.New(ctx, "config/default", controlplane.Options{EtcdArgs: []string{etcdQuota}})
	return &bench{c}, err
}
