// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/assay-project/assay/internal/testenv/controlplane/assets"
)

// File names in the data directory.
const (
	etcdSocket     = "etcd.sock"
	etcdPeerSocket = "peer.sock"
)

// etcdGrace is short: with a client connected etcd takes seven seconds to end, and a
// kill loses nothing that it has acknowledged.
const etcdGrace = time.Second

func etcdURL(dir string) string {
	return "unix://" + filepath.Join(dir, etcdSocket)
}

// newEtcd returns an etcd of one member with its data in dir.
func newEtcd(dir string, opts Options) (*Component, error) {
	// Etcd is reached by its socket. Other members would be told these addresses, and there are
	// none; etcd 3.6, of older versions of Kubernetes, takes no socket for them.
	const clients, peers = "http://etcd.invalid:2379", "http://etcd.invalid:2380"
	args, err := mergeArgs([]string{
		"--name=default",
		"--data-dir=" + filepath.Join(dir, "etcd"),
		"--listen-client-urls=" + etcdURL(dir),
		"--advertise-client-urls=" + clients,
		"--listen-peer-urls=unix://" + filepath.Join(dir, etcdPeerSocket),
		"--initial-advertise-peer-urls=" + peers,
		"--initial-cluster=default=" + peers,
		// The data survives a killed process, only not a machine that loses power.
		"--unsafe-no-fsync",
		"--log-level=warn",
	}, opts.EtcdArgs)
	if err != nil {
		return nil, err
	}
	return &Component{
		name:    assets.Etcd,
		path:    filepath.Join(opts.AssetsDir, assets.Etcd),
		args:    args,
		logFile: filepath.Join(opts.LogDir, "etcd.log"),
		timeout: opts.StartTimeout,
		grace:   etcdGrace,
		ready:   etcdReady(filepath.Join(dir, etcdSocket)),
	}, nil
}

// etcdReady asks etcd's health endpoint over its socket.
func etcdReady(socket string) func(context.Context) error {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", socket)
		},
	}}
	return func(ctx context.Context) error {
		return getOK(ctx, client, "http://etcd/health")
	}
}

// getOK is an error unless a GET of url is answered with status 200.
func getOK(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", req.URL.Path, resp.Status)
	}
	return nil
}
