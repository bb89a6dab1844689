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

// serviceAccountIssuer is kubeadm's. It does not depend on the port, so tokens stay valid when the
// port changes.
const serviceAccountIssuer = "https://kubernetes.default.svc.cluster.local"

// apiServerGrace lets requests finish. A client with an open watch would delay the API server for a
// minute.
const apiServerGrace = 5 * time.Second

// auditPolicy records user, verb, object and response once for each request, and watches also at
// their beginning.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// FreeAddress returns an unused address on the loopback interface.
func FreeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// newAPIServer returns an API server for the etcd on a socket. log is the name of its log.
func newAPIServer(dir, address, etcd, log string, pki *pki, opts Options) (*Component, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	defaults := append(pki.apiServerArgs(),
		"--etcd-servers=unix://"+etcd,
		"--bind-address="+host,
		"--secure-port="+port,
		"--authorization-mode=RBAC",
		"--allow-privileged=true",
		"--service-account-issuer="+serviceAccountIssuer,
		"--service-cluster-ip-range=10.0.0.0/24",
		// No controller creates the service account that this plugin requires.
		"--disable-admission-plugins=ServiceAccount",
		// Nothing uses the endpoints of the kubernetes service, which cannot be a loopback address
		// anyway.
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
		logFile: filepath.Join(opts.LogDir, log),
		timeout: opts.StartTimeout,
		grace:   apiServerGrace,
		ready:   apiServerReady(address, pki),
	}, nil
}

// auditArgs makes the API server write each event before it answers ("blocking"), so that a test
// with the answer can read the event.
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

// apiServerClient returns a client that authenticates as the administrator.
func apiServerClient(pki *pki) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(pki.ca.certificate)
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{
			RootCAs:      roots,
			Certificates: []tls.Certificate{pki.admin.tls},
			MinVersion:   tls.VersionTLS12,
		},
	}}
}

// apiServerReady checks readiness, which includes RBAC's bootstrap roles, and the namespaces that
// the API server creates a moment later.
func apiServerReady(address string, pki *pki) func(context.Context) error {
	client := apiServerClient(pki)
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
