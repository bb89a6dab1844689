// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"testing"

	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// managerUser is the user name of the manager.
const managerUser = "system:serviceaccount:" + manager.Namespace + ":" + manager.ServiceAccount

// requestsOfManager returns the requests of the manager so far, the oldest first.
func (c *cluster) requestsOfManager(t *testing.T) []request {
	t.Helper()
	var list []request
	for event, err := range controlplane.AuditEvents(c.auditLog) {
		if err != nil {
			t.Fatal(err)
		}
		if event.User.Username != managerUser || event.ResponseStatus == nil {
			continue
		}
		r := request{verb: event.Verb, resource: event.RequestURI, status: int(event.ResponseStatus.Code)}
		if ref := event.ObjectRef; ref != nil {
			r.group, r.resource, r.namespace, r.name = ref.APIGroup, ref.Resource, ref.Namespace, ref.Name
			if ref.Subresource != "" {
				r.resource += "/" + ref.Subresource
			}
		}
		list = append(list, r)
	}
	return list
}
