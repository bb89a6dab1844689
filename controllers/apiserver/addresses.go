// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
)

// EndpointSlice is the one in which the API servers keep their own addresses.
var EndpointSlice = client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: "kubernetes"}

// maxAddresses bounds the API servers that are checked. Clusters have up to seven; the addresses
// are also values of a metric's label.
const maxAddresses = 32

// readAddresses returns the addresses (host:port) of the API servers, sorted.
func readAddresses(ctx context.Context, reader client.Reader) ([]string, error) {
	var slice discoveryv1.EndpointSlice
	if err := reader.Get(ctx, EndpointSlice, &slice); err != nil {
		return nil, fmt.Errorf("reading EndpointSlice %s: %w", EndpointSlice, err)
	}
	addresses := addressesOf(&slice)
	if len(addresses) == 0 {
		return nil, fmt.Errorf("EndpointSlice %s has no address", EndpointSlice)
	}
	if len(addresses) > maxAddresses {
		// A user who may write the EndpointSlice must not be able to hide an API server among others.
		return nil, fmt.Errorf("EndpointSlice %s has %d addresses, more than %d", EndpointSlice, len(addresses), maxAddresses)
	}
	logf.FromContext(ctx).V(1).Info("Found API servers", "addresses", addresses)
	return addresses, nil
}

// addressesOf returns the addresses of the port named https, or of the only one, whether they are
// ready or not. Only IP addresses count.
func addressesOf(slice *discoveryv1.EndpointSlice) []string {
	port, err := portOf(slice.Ports)
	if err != nil {
		return nil
	}
	var addresses []string
	for i := range slice.Endpoints {
		for _, address := range slice.Endpoints[i].Addresses {
			if _, err := netip.ParseAddr(address); err == nil {
				addresses = append(addresses, net.JoinHostPort(address, port))
			}
		}
	}
	slices.Sort(addresses)
	return slices.Compact(addresses)
}

func portOf(ports []discoveryv1.EndpointPort) (string, error) {
	for i := range ports {
		if number := ptr.Deref(ports[i].Port, 0); number != 0 && (len(ports) == 1 || ptr.Deref(ports[i].Name, "") == "https") {
			return strconv.Itoa(int(number)), nil
		}
	}
	return "", errors.New("no port is named https")
}
