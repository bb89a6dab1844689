// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/assay-project/assay/internal/operator"
)

// managerUser is the manager as the API server sees it.
const managerUser = "system:serviceaccount:" + operator.Namespace + ":" + operator.ServiceAccount

// requestsOfManager returns what the manager has asked for, for resources, the first request
// first. The API server writes each down before it answers.
func requestsOfManager(t *testing.T) []request {
	t.Helper()
	file, err := os.Open(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // it was only read
	var list []request
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event auditv1.Event
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatalf("audit log: %v in %s", err, lines.Bytes())
		}
		if event.User.Username != managerUser || event.ObjectRef == nil || event.ResponseStatus == nil {
			continue
		}
		ref := event.ObjectRef
		r := request{event.Verb, ref.APIGroup, ref.Resource, ref.Namespace, ref.Name, int(event.ResponseStatus.Code)}
		if ref.Subresource != "" {
			r.resource += "/" + ref.Subresource
		}
		list = append(list, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}
