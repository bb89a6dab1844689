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

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// AuditEvents yields what the API server has written to Options.AuditLog so far, the first
// request first. It has each request before the client has the answer. A last line that is
// still being written is left out. After an error there is nothing more.
func AuditEvents(path string) iter.Seq2[*auditv1.Event, error] {
	return func(yield func(*auditv1.Event, error) bool) {
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
			event := &auditv1.Event{}
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
