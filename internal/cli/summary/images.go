// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package summary

import (
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Images are read as the table that `kubectl get images` prints. The API server makes it of
// the definition's columns, and sends some hundred bytes for each Image instead of all its
// manifest, configuration and signatures.

// columns are where the columns of the table stand that are used.
type columns struct{ name, reference, verified, reason, message int }

func findColumns(definitions []metav1.TableColumnDefinition) (columns, error) {
	at := map[string]int{}
	for i, definition := range definitions {
		at[definition.Name] = i
	}
	var c columns
	for name, to := range map[string]*int{
		"Name": &c.name, "Reference": &c.reference, "Verified": &c.verified, "Reason": &c.reason, "Message": &c.message,
	} {
		i, ok := at[name]
		if !ok {
			return c, fmt.Errorf("the Images of this cluster have no column %q: its custom resource definition is not Assay's", name)
		}
		*to = i
	}
	return c, nil
}

// image reads a row. What is not there is empty, as it is before the first check.
func (c columns) image(row *metav1.TableRow) (Image, error) {
	text := func(i int) string {
		if i < len(row.Cells) {
			s, _ := row.Cells[i].(string)
			return s
		}
		return ""
	}
	image := Image{
		Name: text(c.name), Reference: text(c.reference), Verified: text(c.verified), Reason: text(c.reason), Message: text(c.message),
	}
	if image.Name == "" {
		return image, errors.New("the API server sent a row without a name")
	}
	return image, nil
}
