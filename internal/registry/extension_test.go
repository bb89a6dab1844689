// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// TestLongLists checks that the first signatures are used of lists that are longer than what is read,
// whatever their size, and that it is known that there are others.
func TestLongLists(t *testing.T) {
	item := func(content []byte) string {
		return fmt.Sprintf(`{"schemaVersion":2,"name":"a","type":"atomic","content":%q}`, base64.StdEncoding.EncodeToString(content))
	}
	list := func(n, size int) string {
		items := make([]string, n)
		for i := range items {
			items[i] = item(fmt.Appendf(nil, "%0*d", size, i))
		}
		return `{"signatures":[` + strings.Join(items, ",") + `]}`
	}
	for name, tt := range map[string]struct {
		list string
		want int
		more bool
	}{
		"as many as are used":     {list(MaxSignatures, 600), MaxSignatures, false},
		"10,000":                  {list(10_000, 600), MaxSignatures, true},
		"40 of the largest size":  {list(40, MaxSignature), 23, true},
		"none of the kind, 2,000": {`{"signatures":[` + strings.Repeat(`{},`, 2_000) + item([]byte("a")) + `]}`, 0, true},
		"cut off":                 {list(3, 600)[:2000], 0, false},
		"null":                    {`{"signatures":null}`, 0, false},
		"other members":           {`{"a":[1,{"b":2}],"signatures":[` + item([]byte("a")) + `],"c":null}`, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Repository{client: &Client{host: "registry.example.com"}}
			found, err := r.parseExtension(strings.NewReader(tt.list))
			if len(found.Signatures) != tt.want || found.More != tt.more || (err != nil) != (name == "cut off") {
				t.Errorf("%d signatures, more: %t, %v; want %d, %t", len(found.Signatures), found.More, err, tt.want, tt.more)
			}
		})
	}
}
