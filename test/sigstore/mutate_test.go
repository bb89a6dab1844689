// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mutator changes bundles at random, the same way for the same seed.
type mutator struct {
	*rand.Rand
	seeds []seed
}

// mutate returns a changed copy of a bundle: of its text, or more often of its structure.
func (m *mutator) mutate(t *testing.T, bundle []byte) []byte {
	t.Helper()
	if m.IntN(5) == 0 {
		return m.text(slices.Clone(bundle))
	}
	var doc any
	if err := json.Unmarshal(bundle, &doc); err != nil {
		t.Fatal(err)
	}
	for range 1 + m.IntN(2) {
		doc = m.node(t, doc, 0)
	}
	changed, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// text changes bytes.
func (m *mutator) text(b []byte) []byte {
	i := m.IntN(len(b))
	switch m.IntN(3) {
	case 0:
		b[i] = byte(m.IntN(256))
	case 1:
		return slices.Insert(b, i, byte(m.IntN(128)))
	default:
		return slices.Delete(b, i, min(len(b), i+1+m.IntN(8)))
	}
	return b
}

// node changes one place at or below a value.
func (m *mutator) node(t *testing.T, v any, depth int) any {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		names := slices.Sorted(maps.Keys(v))
		if len(names) == 0 {
			return v
		}
		name := names[m.IntN(len(names))]
		switch m.IntN(20) {
		case 0:
			delete(v, name)
		case 1:
			v[name] = nil
		case 2, 3:
			v[name] = m.fromAnother(t, name, v[name])
		default:
			v[name] = m.node(t, v[name], depth+1)
		}
		return v
	case []any:
		if len(v) == 0 {
			return v
		}
		i := m.IntN(len(v))
		switch m.IntN(12) {
		case 0:
			return slices.Delete(v, i, i+1)
		case 1:
			return append(v, v[i])
		case 2:
			j := m.IntN(len(v))
			v[i], v[j] = v[j], v[i]
			return v
		default:
			v[i] = m.node(t, v[i], depth+1)
			return v
		}
	case string:
		return m.leaf(v)
	default:
		return v
	}
}

// leaf changes a string: a number, bytes in base64, or text.
func (m *mutator) leaf(s string) string {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return strconv.FormatInt(n+int64(m.IntN(7)-3), 10)
	}
	raw, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(raw) == 0 {
		if s == "" {
			return "x"
		}
		return string(m.text([]byte(s)))
	}
	switch m.IntN(8) {
	case 0:
		raw = raw[:m.IntN(len(raw))]
	case 1:
		raw = append(raw, byte(m.IntN(256)))
	case 2:
		return strings.TrimRight(s, "=")
	case 3:
		return base64.URLEncoding.EncodeToString(raw)
	case 4:
		return s + "\n"
	default:
		raw[m.IntN(len(raw))] ^= 1 << m.IntN(8)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// fromAnother returns the member of another bundle with a name, or the value where there is none.
func (m *mutator) fromAnother(t *testing.T, name string, value any) any {
	t.Helper()
	var doc any
	if err := json.Unmarshal(m.seeds[m.IntN(len(m.seeds))].bundle, &doc); err != nil {
		t.Fatal(err)
	}
	if found := find(doc, name); found != nil {
		return found
	}
	return value
}

// find returns the first member with a name.
func find(v any, name string) any {
	switch v := v.(type) {
	case map[string]any:
		if found, ok := v[name]; ok {
			return found
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if found := find(v[key], name); found != nil {
				return found
			}
		}
	case []any:
		for _, element := range v {
			if found := find(element, name); found != nil {
				return found
			}
		}
	}
	return nil
}
