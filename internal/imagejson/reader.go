// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagejson

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/assay-project/assay/internal/jsonscan"
)

// maxShared bounds the texts that a Decoder shares among Images, in number and, each, in bytes.
const (
	maxShared     = 2048
	maxSharedText = 512
)

// reader reads values of the kinds that an Image has. A value that it cannot read becomes the
// fault of what is being read. The reader skips it, and everything after it up to the next
// section, and so stands behind the value either way.
type reader struct {
	jsonscan.Scanner
	// fault is the first one of the section.
	fault *Fault
	// path leads to the object whose members are being read.
	path []segment
	// budget is what the texts of the section may still take, in bytes.
	budget int
	// overrun is the fault of a text that takes more.
	overrun Fault
	shared  map[string]string
	scratch []byte
}

// segment is a step of a path: a member or an element of an array.
type segment struct {
	name    string
	element bool
	index   int
}

// section begins a part of an Image that has its own bound and fault.
func (r *reader) section(budget int, overrun Fault) {
	r.fault, r.budget, r.overrun = nil, budget, overrun
}

// failAs records a fault.
func (r *reader) failAs(fault Fault) {
	if r.fault == nil && r.Err == nil {
		r.fault = &fault
	}
}

// fail records a fault of the member called field.
func (r *reader) fail(field, detail string) {
	if r.fault == nil && r.Err == nil {
		r.fault = r.undecodable(field, detail)
	}
}

func (r *reader) undecodable(field, detail string) *Fault {
	var b strings.Builder
	for _, s := range append(r.path[:len(r.path):len(r.path)], segment{name: field}) {
		switch {
		case s.element:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case s.name != "":
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.name)
		}
	}
	return &Fault{Kind: Undecodable, Field: b.String(), Detail: detail}
}

// charge takes n bytes of the section's budget. It returns false when there are not as many.
func (r *reader) charge(n int) bool {
	if r.budget -= n; r.budget < 0 {
		r.failAs(r.overrun)
	}
	return r.fault == nil
}

// broken reports whether there is nothing more to read in this section. It skips the next value
// if there is one.
func (r *reader) broken() bool {
	if r.fault != nil {
		r.Skip()
	}
	return r.fault != nil || r.Err != nil
}

// null reads null if that is the next value.
func (r *reader) null() bool {
	if r.Peek() != 'n' {
		return false
	}
	if string(r.Scalar()) != "null" {
		r.Syntax()
	}
	return true
}

// open reads the beginning of an object or array. It returns false for any other value, which
// it skips and which is a fault unless it is null.
func (r *reader) open(field string, first byte, kind string) bool {
	switch {
	case r.broken(), r.null():
		return false
	case r.Peek() != first:
		r.wrongKind(field, kind)
		return false
	default:
		r.Enter()
		return true
	}
}

func (r *reader) wrongKind(field, want string) {
	r.fail(field, "the value is not "+want)
	r.Skip()
}

// object reads an object and calls member for those of its members whose name is one of names,
// which are at most 64, with the index of the name. It returns false for null.
func (r *reader) object(field string, names []string, member func(i int)) (present bool) {
	if !r.open(field, '{', "an object") {
		return false
	}
	if field != "" {
		r.path = append(r.path, segment{name: field})
		defer func() { r.path = r.path[:len(r.path)-1] }()
	}
	var seen uint64
	for first := true; ; {
		name, ok := r.Member(&first)
		if !ok {
			return true
		}
		if i := r.lookUp(name, names, &seen); i >= 0 {
			member(i)
		} else {
			r.Skip()
		}
	}
}

// lookUp returns the index of a name as it stands in the text, or -1.
func (r *reader) lookUp(raw []byte, names []string, seen *uint64) int {
	if bytes.IndexByte(raw, '\\') >= 0 {
		text, ok := jsonscan.Unescape(nil, raw)
		if !ok {
			r.Syntax()
			return -1
		}
		raw = text
	}
	for i, name := range names {
		if string(raw) != name {
			continue
		}
		if *seen&(1<<i) != 0 {
			r.fail(name, "the member occurs twice")
			return -1
		}
		*seen |= 1 << i
		return i
	}
	for _, name := range names {
		if strings.EqualFold(string(raw), name) {
			r.fail(name, "a member has the same name in other case")
			return -1
		}
	}
	return -1
}

// array reads an array and calls element for each element, which element has to read. It
// returns false for null.
func (r *reader) array(field string, element func()) (present bool) {
	if !r.open(field, '[', "an array") {
		return false
	}
	r.path = append(r.path, segment{name: field}, segment{element: true})
	defer func() { r.path = r.path[:len(r.path)-2] }()
	for first := true; r.Next(']', &first); {
		element()
		r.path[len(r.path)-1].index++
	}
	return true
}

// list reads an array, each element of which read reads. It is nil for null only. With a fault it
// lacks elements.
func list[T any](r *reader, field string, read func(element *T)) []T {
	var elements []T
	present := r.array(field, func() {
		r.charge(elementCost)
		if r.broken() {
			return
		}
		var element T
		read(&element)
		if r.fault == nil {
			elements = append(elements, element)
		}
	})
	if present && elements == nil {
		return []T{}
	}
	return elements
}

// stringMap reads an object whose members are strings.
func (r *reader) stringMap(field string) map[string]string {
	if !r.open(field, '{', "an object") {
		return nil
	}
	texts := map[string]string{}
	for first := true; ; {
		raw, ok := r.Member(&first)
		if !ok {
			return texts
		}
		name, ok := r.name(field, raw)
		if ok {
			if _, twice := texts[name]; twice {
				r.fail(field, "a member occurs twice")
			}
		}
		if text := r.string(field); ok {
			texts[name] = text
		}
	}
}

// name returns the unescaped name of a member that is kept.
func (r *reader) name(field string, raw []byte) (string, bool) {
	if raw == nil {
		r.fail(field, "the name of a member is longer than "+strconv.Itoa(jsonscan.MaxName)+" bytes")
		return "", false
	}
	if !r.charge(len(raw) + elementCost) {
		return "", false
	}
	text, ok := jsonscan.Unescape(nil, raw)
	if !ok {
		r.Syntax()
	}
	return string(text), ok
}

// strings reads an array of strings.
func (r *reader) strings(field string) []string {
	return list(r, field, func(text *string) { *text = r.string("") })
}
