// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	kjson "sigs.k8s.io/json"

	"github.com/assay-project/assay/internal/strictjson"
)

// limits bound a document: the deepest one, a sigstore requirement, has eight levels; a policy has as many scopes
// as a cluster has registries and teams.
var limits = strictjson.Limits{Size: 2 * MaxSize, Depth: 32, Members: 4096}

// member is a member of an object: its text, and its place among the others.
type member struct {
	text  string
	index int
}

type members map[string]member

// names returns the names of the members in the order of the document.
func (m members) names() []string {
	names := make([]string, len(m))
	for name, each := range m {
		names[each.index] = name
	}
	return names
}

// onlyKnown refuses members that nobody reads: one could be a condition that narrows what is trusted.
func (m members) onlyKnown(known ...string) error {
	for _, name := range m.names() {
		if !slices.Contains(known, name) {
			return fmt.Errorf("member %s is not known", quote(name))
		}
	}
	return nil
}

// text returns a member that is a string, empty when it is absent.
func (m members) text(name string) (string, error) {
	each, ok := m[name]
	if !ok {
		return "", nil
	}
	value := ""
	err := strictjson.Parse([]byte(each.text), limits, func(d *strictjson.Decoder) (err error) {
		value, err = d.String()
		return err
	})
	return value, inside(name, err)
}

// decode reads a member into a type of an API, which stays as it is when the member is absent. Letters are told apart
// by case, which encoding/json does not do, and members that the type lacks are refused, as by onlyKnown. Duplicate
// members were refused when the object was read.
func (m members) decode(name string, into any) error {
	each, ok := m[name]
	if !ok {
		return nil
	}
	unknown, err := kjson.UnmarshalStrict([]byte(each.text), into, kjson.DisallowUnknownFields)
	if err != nil {
		return fmt.Errorf("%s: %s", name, quote(err.Error()))
	}
	var field kjson.FieldError
	if errors.As(errors.Join(unknown...), &field) {
		return fmt.Errorf("%s: member %s is not known", name, quote(field.FieldPath()))
	}
	return nil
}

// object returns a member that is an object, without members when it is absent.
func (m members) object(name string) (members, error) {
	each, ok := m[name]
	if !ok {
		return members{}, nil
	}
	value, err := readObject(each.text)
	return value, inside(name, err)
}

// list returns the elements of a member that is an array.
func (m members) list(name string) ([]string, error) {
	each, ok := m[name]
	if !ok {
		return nil, nil
	}
	value, err := readList(each.text)
	return value, inside(name, err)
}

// texts returns the elements of a member that is an array of strings.
func (m members) texts(name string) ([]string, error) {
	elements, err := m.list(name)
	if err != nil {
		return nil, err
	}
	for i, element := range elements {
		value, err := members{name: {text: element}}.text(name)
		if err != nil {
			return nil, err
		}
		elements[i] = value
	}
	return elements, nil
}

// readObject reads an object. Duplicate members, and names that other readers would take for the same, are refused.
func readObject(text string) (members, error) {
	found := members{}
	err := strictjson.Parse([]byte(text), limits, func(d *strictjson.Decoder) error {
		return d.Object(func(name string) error {
			raw, err := d.Raw()
			found[name] = member{raw, len(found)}
			return err
		})
	})
	return found, err
}

func readList(text string) ([]string, error) {
	var elements []string
	err := strictjson.Parse([]byte(text), limits, func(d *strictjson.Decoder) error {
		return d.Array(func() error {
			raw, err := d.Raw()
			elements = append(elements, raw)
			return err
		})
	})
	return elements, err
}

// inside says in which member an error is.
func inside(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

// quote returns text of a file for use in a message: escaped and bounded.
func quote(text string) string { return strictjson.Quote(text) }

// trimPort splits a host into its name and the port with its colon.
func trimPort(host string) (name, port string) {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[:i], host[i:]
	}
	return host, ""
}
