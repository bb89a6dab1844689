// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apiserverstatus is the form in which the operator stores what it last found out about
// the API servers of the cluster, and in which commands read it: the data of one ConfigMap in the
// operator's namespace.
package apiserverstatus

import (
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assay-project/assay/internal/safetext"
)

const (
	// Name is the name of the ConfigMap.
	Name = "assay-apiservers"
	// LabelValue is the value of the label assay.dev/allowlist on it. The policy image-integrity
	// protects what has this label, and no policy takes this value for a shard.
	LabelValue = "apiservers"

	key = "apiservers"
)

// Bounds of what is read: every client with enough permissions may have written it.
const (
	// MaxServers is the largest number of servers.
	MaxServers = 40
	// maxSize is the largest encoded size, in bytes.
	maxSize = 64 << 10
	// maxText bounds each text, in bytes.
	maxText = 512
)

// State is the allowlist that an API server goes by.
type State string

// The states.
const (
	// Current is the newest allowlist.
	Current State = "Current"
	// Stale is an outdated copy of the allowlist.
	Stale State = "Stale"
	// NoAllowlist means that the API server has no shard at all.
	NoAllowlist State = "NoAllowlist"
	// Unfenced is the newest allowlist, but an outdated copy would go unnoticed: the authorizer
	// permits whatever it is asked.
	Unfenced State = "Unfenced"
	// NoPolicy means that the API server does not evaluate the policies of config/admission.
	NoPolicy State = "NoPolicy"
	// Unknown could not be checked.
	Unknown State = "Unknown"
)

// States are all states.
var States = []State{Current, Stale, NoAllowlist, Unfenced, NoPolicy, Unknown}

// Server is what is known about one API server.
type Server struct {
	// Address is host:port; "unknown" stands for API servers whose address is not known.
	Address string `json:"address"`
	State   State  `json:"state"`
	// Since is when the server was first found in this state.
	Since metav1.Time `json:"since"`
	// Message explains the state. It does not change while the state lasts, and contains no remote
	// text.
	Message string `json:"message,omitempty"`
}

// Encode returns the data of the ConfigMap.
func Encode(servers []Server) (map[string]string, error) {
	data, err := json.MarshalIndent(servers, "", "  ")
	if err != nil {
		return nil, err
	}
	return map[string]string{key: string(data)}, nil
}

// Decode reads the data of the ConfigMap. It returns no more than MaxServers servers, with
// truncated texts.
func Decode(data map[string]string) ([]Server, error) {
	text, ok := data[key]
	switch {
	case !ok:
		return nil, fmt.Errorf("ConfigMap %s has no entry %q", Name, key)
	case len(text) > maxSize:
		return nil, fmt.Errorf("ConfigMap %s has %d bytes, more than %d", Name, len(text), maxSize)
	}
	var servers []Server
	if err := json.Unmarshal([]byte(text), &servers); err != nil {
		return nil, fmt.Errorf("ConfigMap %s: %w", Name, err)
	}
	servers = servers[:min(len(servers), MaxServers)]
	for i := range servers {
		s := &servers[i]
		s.Address = safetext.TruncateWithEllipsis(s.Address, maxText)
		s.State = State(safetext.TruncateWithEllipsis(string(s.State), maxText))
		s.Message = safetext.TruncateWithEllipsis(s.Message, maxText)
	}
	return servers, nil
}
