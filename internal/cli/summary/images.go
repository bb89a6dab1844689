// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package summary

import (
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Images are read as the table that `kubectl get images` prints. The API server builds it from the
// columns of the definition, and sends a few hundred bytes per Image instead of its manifest,
// configuration and signatures.

// columns are the positions of the columns that the summary uses.
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

// image reads a row. Missing values are empty, as before the first check.
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
