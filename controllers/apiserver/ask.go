// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/assay-project/assay/internal/allowlist"
)

const (
	// serverName is the name for which the certificate of every API server is valid: clients in
	// the cluster use it.
	serverName = "kubernetes.default.svc"

	// requestTimeout bounds one request, including the connection.
	requestTimeout = 5 * time.Second

	// noParams is in the message of an API server whose binding finds no parameter.
	noParams = "no params found"
)

// answer is how an API server reacts to the canary.
type answer int

const (
	admitted answer = iota // Nothing denied the request.
	nothing                // There is no shard.
	sighted                // It states a shard.
)

// asker sends canaries to API servers. Its certificate check is that of the cluster: a server that
// does not prove to be an API server of the cluster gets neither a request nor credentials.
type asker struct {
	config    *rest.Config
	http      *http.Client
	namespace string
	err       error // Why nothing can be asked.
}

func newAsker(config *rest.Config, namespace string, dial func(context.Context, string, string) (net.Conn, error)) *asker {
	if config.Insecure {
		return &asker{err: errors.New("the client configuration does not verify API servers")}
	}
	config = rest.CopyConfig(config)
	config.ServerName = serverName
	config.Timeout = requestTimeout
	config.Dial = dial
	// The address of one API server, which a proxy for the outside need not reach.
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return &asker{err: err}
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &asker{config: config, http: client, namespace: namespace}
}

// ask sends a dry-run request with a canary to an API server. An error means that the server could
// not be asked.
func (a *asker) ask(ctx context.Context, address string, data map[string]string) (answer, allowlist.Sighting, error) {
	var none allowlist.Sighting
	if a.err != nil {
		return admitted, none, a.err
	}
	config := rest.CopyConfig(a.config)
	config.Host = "https://" + address
	client, err := corev1client.NewForConfigAndClient(config, a.http)
	if err != nil {
		return admitted, none, err
	}
	canary := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: allowlist.CanaryName}, Data: data}
	_, err = client.ConfigMaps(a.namespace).Create(ctx, canary, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err == nil {
		return admitted, none, nil
	}
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) {
		return admitted, none, err
	}
	message := status.Status().Message
	if sighting, ok := allowlist.ParseSighting(message); ok {
		return sighted, sighting, nil
	}
	if strings.Contains(message, "'"+allowlist.CanaryPolicy+"'") && strings.Contains(message, noParams) {
		return nothing, none, nil
	}
	return admitted, none, err
}

func (a *asker) closeIdleConnections() {
	if a.http != nil {
		utilnet.CloseIdleConnectionsFor(a.http.Transport)
	}
}

// describe returns why a server could not be asked, in words that stay the same while the reason
// does: the error itself may name the time or a port, and every change of the words is a write.
func describe(err error) string {
	var certificate *tls.CertificateVerificationError
	var status apierrors.APIStatus
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &certificate):
		return "its certificate cannot be verified with the certificate authority of the cluster for " + serverName
	case errors.As(err, &status):
		return fmt.Sprintf("it answered with status %d to a dry-run request that creates ConfigMap %s", status.Status().Code, allowlist.CanaryName)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "it did not answer in time"
	case errors.As(err, new(*url.Error)):
		return "it cannot be reached"
	default:
		return "it could not be asked"
	}
}
