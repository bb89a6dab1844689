// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package references

import (
	"errors"
	"strings"
	"unique"

	"google.golang.org/protobuf/encoding/protowire"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// errWire is text that is not protobuf. An API server that sends any is broken: it encodes anew
// what it stores.
var errWire = errors.New("the API server's answer is not the protobuf encoding of Kubernetes")

// value is the value of a field: bytes for a message or string, not nil then, or a number.
type value struct {
	bytes  []byte
	varint uint64
}

// eachField calls field for every field of a message that is a message, string or integer, in
// order. It returns false for malformed messages, after the fields before the fault.
func eachField(message []byte, field func(num protowire.Number, v value)) bool {
	for len(message) > 0 {
		num, wireType, n := protowire.ConsumeTag(message)
		if n < 0 {
			return false
		}
		message = message[n:]
		var v value
		switch wireType {
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			v.varint, n = protowire.ConsumeVarint(message)
		case protowire.Fixed32Type, protowire.Fixed64Type:
			n = protowire.ConsumeFieldValue(num, wireType, message)
		default:
			return false // Kubernetes has no groups, which nest.
		}
		if n < 0 {
			return false
		}
		message = message[n:]
		if wireType == protowire.BytesType || wireType == protowire.VarintType {
			field(num, v)
		}
	}
	return true
}

// walk calls found for every message at a path of field numbers.
func walk(message []byte, path []protowire.Number, found func(message []byte)) {
	if len(path) == 0 {
		found(message)
		return
	}
	eachField(message, func(num protowire.Number, v value) {
		if num == path[0] && v.bytes != nil {
			walk(v.bytes, path[1:], found)
		}
	})
}

// text returns the last string at a path, empty for none.
func text(message []byte, path ...protowire.Number) string {
	var found []byte
	walk(message, path, func(v []byte) { found = v })
	return string(found)
}

// decode reads an object of a kind. The result shares no memory with its encoding.
func decode(kind *Kind, object []byte) *Object {
	o := &Object{}
	walk(object, []protowire.Number{fieldMetadata}, func(meta []byte) { o.readMetadata(meta) })
	if kind.podSpec == nil {
		return o
	}
	var c collector
	walk(object, kind.podSpec, c.podSpec)
	if len(c.references) == 0 {
		return o
	}
	set := set{references: strings.Join(c.references, separator), dropped: c.dropped}
	set.idle = kind.isIdle != nil && kind.isIdle(object)
	o.set = unique.Make(set)
	return o
}

// readMetadata reads an ObjectMeta.
func (o *Object) readMetadata(meta []byte) {
	eachField(meta, func(num protowire.Number, v value) {
		switch num {
		case 1:
			o.name = string(v.bytes)
		case 3:
			o.namespace = unique.Make(string(v.bytes))
		case 6:
			o.resourceVersion = string(v.bytes)
		case 11:
			if name, text := mapEntry(v.bytes); string(name) == assayv1alpha1.DiscoveryLabel {
				o.disabled = string(text) == assayv1alpha1.DiscoveryLabelDisabled
			}
		case 12:
			if name, text := mapEntry(v.bytes); string(name) == metav1.InitialEventsAnnotationKey {
				o.initialEventsEnd = string(text) == "true"
			}
		}
	})
}

// mapEntry returns the name and the text of a member of a map, which is a message.
func mapEntry(entry []byte) (name, text []byte) {
	eachField(entry, func(num protowire.Number, v value) {
		switch num {
		case 1:
			name = v.bytes
		case 2:
			text = v.bytes
		}
	})
	return name, text
}

// collector gathers the distinct references of an object, in the order of the object.
type collector struct {
	references []string
	dropped    int
}

// podSpec reads a PodSpec.
func (c *collector) podSpec(spec []byte) {
	eachField(spec, func(num protowire.Number, v value) {
		switch num {
		case 1: // volumes: volumeSource.image.reference
			walk(v.bytes, []protowire.Number{2, 30, 1}, c.add)
		case 2, 20: // containers, initContainers: image
			walk(v.bytes, []protowire.Number{2}, c.add)
		case 34: // ephemeralContainers: ephemeralContainerCommon.image
			walk(v.bytes, []protowire.Number{1, 2}, c.add)
		}
	})
}

// add adds a reference. What cannot be one is not counted: a node refuses it.
func (c *collector) add(reference []byte) {
	if len(reference) == 0 || len(reference) > maxReference || strings.Contains(string(reference), separator) {
		return
	}
	for _, known := range c.references {
		if known == string(reference) {
			return
		}
	}
	if len(c.references) == MaxObjectReferences {
		c.dropped++
		return
	}
	c.references = append(c.references, string(reference))
}
