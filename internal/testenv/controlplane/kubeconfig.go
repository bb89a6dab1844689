// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokenLifetime is how long a service account's kubeconfig works.
const tokenLifetime = 24 * time.Hour

// contextName names the only cluster, user and context in a kubeconfig.
const contextName = "assay"

// KubeconfigFor writes a kubeconfig file, mode 0600, that authenticates as a service
// account with a token of 24 hours, and returns its path. The service account must
// exist. The file is there until Stop; a second call for the same account replaces
// it.
func (c *ControlPlane) KubeconfigFor(ctx context.Context, namespace, serviceAccount string) (string, error) {
	client, err := corev1client.NewForConfig(c.Config())
	if err != nil {
		return "", err
	}
	seconds := int64(tokenLifetime / time.Second)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	token, err := client.ServiceAccounts(namespace).CreateToken(ctx, serviceAccount, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("request a token for service account %s/%s: %w", namespace, serviceAccount, err)
	}
	path := filepath.Join(c.dir.path, fmt.Sprintf("%s_%s.kubeconfig", namespace, serviceAccount))
	return path, c.writeKubeconfig(path, &clientcmdapi.AuthInfo{Token: token.Status.Token})
}

func (c *ControlPlane) writeAdminKubeconfig() error {
	return c.writeKubeconfig(c.Kubeconfig(), &clientcmdapi.AuthInfo{
		ClientCertificateData: c.pki.admin.certPEM,
		ClientKeyData:         c.pki.admin.keyPEM,
	})
}

func (c *ControlPlane) writeKubeconfig(path string, user *clientcmdapi.AuthInfo) error {
	config := clientcmdapi.NewConfig()
	config.Clusters[contextName] = &clientcmdapi.Cluster{
		Server:                   "https://" + c.address,
		CertificateAuthorityData: c.pki.ca.certPEM,
	}
	config.AuthInfos[contextName] = user
	config.Contexts[contextName] = &clientcmdapi.Context{Cluster: contextName, AuthInfo: contextName}
	config.CurrentContext = contextName
	content, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// clientConfig authenticates with a certificate. A negative QPS switches the
// client's own rate limit off; the API server's priority and fairness remains.
func (c *ControlPlane) clientConfig(user *keyPair) *rest.Config {
	return &rest.Config{
		Host: "https://" + c.address,
		TLSClientConfig: rest.TLSClientConfig{
			CAData:   c.pki.ca.certPEM,
			CertData: user.certPEM,
			KeyData:  user.keyPEM,
		},
		QPS: -1,
	}
}
