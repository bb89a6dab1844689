// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/assay-project/assay/internal/testenv/controlplane/assets"
)

// controllers are those that run. The others need nodes, volumes or a cloud.
var controllers = []string{
	"replicationcontroller-controller", "deployment-controller", "replicaset-controller", "statefulset-controller",
	"daemonset-controller", "job-controller", "cronjob-controller",
	"serviceaccount-controller", "namespace-controller", "garbage-collector-controller",
}

// controllersGrace is short: there is nothing that a controller does not find again.
const controllersGrace = time.Second

// newControllerManager returns kube-controller-manager with the permissions that it has in a
// cluster. It listens on no port, and does not compete with another for the leadership.
func (c *ControlPlane) newControllerManager(opts Options) (*Component, error) {
	user, err := c.pki.clientCertificate("system:kube-controller-manager", nil)
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(c.dir.path, "controller-manager.kubeconfig")
	if err := c.writeKubeconfig(kubeconfig, &clientcmdapi.AuthInfo{ClientCertificateData: user.certPEM, ClientKeyData: user.keyPEM}); err != nil {
		return nil, err
	}
	return &Component{
		name: assets.ControllerManager,
		path: filepath.Join(opts.AssetsDir, assets.ControllerManager),
		args: []string{
			"--kubeconfig=" + kubeconfig,
			"--controllers=" + strings.Join(controllers, ","),
			"--use-service-account-credentials=true",
			"--leader-elect=false",
			"--secure-port=0",
			"--profiling=false",
		},
		logFile: filepath.Join(opts.LogDir, "kube-controller-manager.log"),
		timeout: opts.StartTimeout,
		grace:   controllersGrace,
		ready:   c.controllersReady,
	}, nil
}

// controllersReady reports whether controllers have begun to work: they make a service account for
// every namespace.
func (c *ControlPlane) controllersReady(ctx context.Context) error {
	return getOK(ctx, apiServerClient(c.pki), "https://"+c.address+"/api/v1/namespaces/default/serviceaccounts/default")
}
