// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"net/http"
	"slices"
	"testing"

	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// managerUser is the user name of the manager.
const managerUser = "system:serviceaccount:" + manager.Namespace + ":" + manager.ServiceAccount

// auditLog is the audit log of the API server.
type auditLog struct{ path string }

// write is a writing request of the manager.
type write struct {
	verb, resource, subresource, name string
}

// writes returns the writes of the manager so far, the oldest first.
func (l *auditLog) writes(t *testing.T) []write {
	t.Helper()
	var found []write
	for event, err := range controlplane.AuditEvents(l.path) {
		if err != nil {
			t.Fatal(err)
		}
		if w, ok := managerWrite(event); ok {
			found = append(found, w)
		}
	}
	return found
}

func managerWrite(event *controlplane.AuditEvent) (write, bool) {
	reads := []string{"get", "list", "watch"}
	if event.User.Username != managerUser || event.ObjectRef == nil || slices.Contains(reads, event.Verb) ||
		event.ResponseStatus == nil || event.ResponseStatus.Code >= http.StatusBadRequest {
		return write{}, false
	}
	ref := event.ObjectRef
	return write{event.Verb, ref.Resource, ref.Subresource, ref.Name}, true
}

// count returns the number of occurrences of each change of an Image.
func count(writes []write) map[write]int {
	counts := map[write]int{}
	for _, w := range writes {
		if w.resource == "images" {
			counts[w]++
		}
	}
	return counts
}
