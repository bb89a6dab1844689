// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"net/http"
	"slices"
	"testing"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// managerUser is the manager as the API server sees it.
const managerUser = "system:serviceaccount:" + manager.Namespace + ":" + manager.ServiceAccount

// auditLog is what the API server wrote about requests.
type auditLog struct{ path string }

// write is a request of the manager that changed an object.
type write struct {
	verb, resource, subresource, name string
}

// writes returns what the manager has changed so far, the first change first.
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

func managerWrite(event *auditv1.Event) (write, bool) {
	reads := []string{"get", "list", "watch"}
	if event.User.Username != managerUser || event.ObjectRef == nil || slices.Contains(reads, event.Verb) ||
		event.ResponseStatus == nil || event.ResponseStatus.Code >= http.StatusBadRequest {
		return write{}, false
	}
	ref := event.ObjectRef
	return write{event.Verb, ref.Resource, ref.Subresource, ref.Name}, true
}

// count returns how often each change of an Image was made.
func count(writes []write) map[write]int {
	counts := map[write]int{}
	for _, w := range writes {
		if w.resource == "images" {
			counts[w]++
		}
	}
	return counts
}
