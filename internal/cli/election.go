// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
)

// leaseName is the name of the lease of the leader.
const leaseName = "assay-manager"

// leaseTimeout bounds a request for the lease. It is half of controller-runtime's deadline for a
// renewal, so that one slow response does not lose the lease.
const leaseTimeout = 5 * time.Second

// election is the leader election of replicas. Unlike controller-runtime's own, it can ask who
// leads: a process that did not run for a while goes on as leader for up to ten seconds before it
// notices that another one has taken over.
type election struct {
	lock   resourcelock.Interface
	leases coordinationv1client.LeaseInterface
	events record.EventBroadcaster
}

// newElection returns the election in a namespace. Stop ends it.
func newElection(config *rest.Config, namespace string) (*election, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	identity := host + "_" + string(uuid.NewUUID())
	config = rest.AddUserAgent(config, "leader-election")
	config.Timeout = leaseTimeout
	// No metadata that somebody stored on the lease is an error in protobuf, as it may be in JSON.
	config.ContentType = runtime.ContentTypeProtobuf
	core, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	coordination, err := coordinationv1client.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	events := record.NewBroadcaster()
	events.StartRecordingToSink(&corev1client.EventSinkImpl{Interface: core.Events(namespace)})
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, namespace, leaseName, core, coordination, resourcelock.ResourceLockConfig{
		Identity: identity, EventRecorder: events.NewRecorder(runtime.NewScheme(), corev1.EventSource{Component: identity}),
	})
	return &election{lock: lock, leases: coordination.Leases(namespace), events: events}, err
}

// leads reports whether this process holds the lease, by the API server and not by its own memory.
func (e *election) leads(ctx context.Context) (bool, error) {
	lease, err := e.leases.Get(ctx, leaseName, metav1.GetOptions{})
	if err != nil {
		return false, fmt.Errorf("reading Lease %s: %w", leaseName, err)
	}
	return ptr.Deref(lease.Spec.HolderIdentity, "") == e.lock.Identity(), nil
}

func (e *election) stop() { e.events.Shutdown() }
