// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AuditEvent has the fields that tests read of an event of audit.k8s.io/v1. The type itself is in
// k8s.io/apiserver, which nothing else of the product's module needs.
type AuditEvent struct {
	Verb       string `json:"verb"`
	RequestURI string `json:"requestURI"`
	User       struct {
		Username string `json:"username"`
	} `json:"user"`
	// ObjectRef is nil if the request is not for a resource.
	ObjectRef *AuditObject `json:"objectRef"`
	// ResponseStatus is nil if there was no response yet.
	ResponseStatus *metav1.Status `json:"responseStatus"`
}

// AuditObject is the object or collection of a request.
type AuditObject struct {
	APIGroup    string `json:"apiGroup"`
	Resource    string `json:"resource"`
	Subresource string `json:"subresource"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
}

// AuditEvents yields what the API server has written to Options.AuditLog so far, the first request
// first. It has each request before the client has the answer. A last line that is still being
// written is left out. After an error there is nothing more.
func AuditEvents(path string) iter.Seq2[*AuditEvent, error] {
	return func(yield func(*AuditEvent, error) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = file.Close() }() // it was only read
		lines := bufio.NewReader(file)
		for {
			line, err := lines.ReadBytes('\n')
			if errors.Is(err, io.EOF) {
				return
			}
			event := &AuditEvent{}
			if err == nil {
				err = json.Unmarshal(line, event)
			}
			if err != nil {
				yield(nil, fmt.Errorf("audit log: %w in %.1000s", err, line))
				return
			}
			if !yield(event, nil) {
				return
			}
		}
	}
}
