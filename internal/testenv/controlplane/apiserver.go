// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/assay-project/assay/internal/testenv/controlplane/assets"
)

// serviceAccountIssuer is what kubeadm uses. It does not depend on the port, so that
// tokens stay valid whatever happens to it.
const serviceAccountIssuer = "https://kubernetes.default.svc.cluster.local"

// apiServerGrace lets requests finish. A client that keeps a watch open would hold the
// API server up for a minute.
const apiServerGrace = 5 * time.Second

// auditPolicy records who did what to which object, and how it was answered, once for
// each request; a watch also when it begins.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// FreeAddress returns an address on the loopback interface that nobody listens on.
func FreeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// newAPIServer returns an API server for the etcd in dir.
func newAPIServer(dir, address string, pki *pki, opts Options) (*Component, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	defaults := append(pki.apiServerArgs(),
		"--etcd-servers="+etcdURL(dir),
		"--bind-address="+host,
		"--secure-port="+port,
		"--authorization-mode=RBAC",
		"--allow-privileged=true",
		"--service-account-issuer="+serviceAccountIssuer,
		"--service-cluster-ip-range=10.0.0.0/24",
		// No controller creates the service account that this plugin asks for.
		"--disable-admission-plugins=ServiceAccount",
		// Nobody looks for the endpoints of the kubernetes service, which cannot be a
		// loopback address anyway.
		"--endpoint-reconciler-type=none",
		"--profiling=false",
	)
	if opts.AuditLog != "" {
		audit, err := auditArgs(dir, opts.AuditLog)
		if err != nil {
			return nil, err
		}
		defaults = append(defaults, audit...)
	}
	args, err := mergeArgs(defaults, opts.APIServerArgs)
	if err != nil {
		return nil, err
	}
	return &Component{
		name:    assets.APIServer,
		path:    filepath.Join(opts.AssetsDir, assets.APIServer),
		args:    args,
		logFile: filepath.Join(opts.LogDir, "kube-apiserver.log"),
		timeout: opts.StartTimeout,
		grace:   apiServerGrace,
		ready:   apiServerReady(address, pki),
	}, nil
}

// auditArgs makes the API server write each event before it answers ("blocking"),
// so that a test which has the answer can read the event.
func auditArgs(dir, log string) ([]string, error) {
	log, err := filepath.Abs(log)
	if err != nil {
		return nil, err
	}
	policy := filepath.Join(dir, "audit-policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, err
	}
	return []string{
		"--audit-policy-file=" + policy,
		"--audit-log-path=" + log,
		"--audit-log-mode=blocking",
	}, nil
}

// apiServerReady asks for readiness, which includes the roles that RBAC starts with,
// and for the namespaces that the API server creates a moment later.
func apiServerReady(address string, pki *pki) func(context.Context) error {
	roots := x509.NewCertPool()
	roots.AddCert(pki.ca.certificate)
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{
			RootCAs:      roots,
			Certificates: []tls.Certificate{pki.admin.tls},
			MinVersion:   tls.VersionTLS12,
		},
	}}
	return func(ctx context.Context) error {
		if err := getOK(ctx, client, "https://"+address+"/readyz"); err != nil {
			return err
		}
		return errors.Join(
			getOK(ctx, client, "https://"+address+"/api/v1/namespaces/default"),
			getOK(ctx, client, "https://"+address+"/api/v1/namespaces/kube-system"),
		)
	}
}
