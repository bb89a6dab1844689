// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package objectjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/assay-project/assay/internal/jsonscan"
)

// Object is a pointer to an object of the kind that is read.
type Object interface {
	runtime.Object
	metav1.Object
}

const (
	// maxMember bounds a member of an object or of its metadata, in bytes. An API server takes
	// requests of 3 MiB, and etcd stores 1.5 MiB unless it is configured otherwise.
	maxMember = 8 << 20
	// maxListMeta bounds the metadata of a list.
	maxListMeta = 64 << 10
	// maxFault bounds the text of a fault, in bytes.
	maxFault = 256
)

// faultAnnotation carries the fault of an object in memory. One that is stored is ignored.
const faultAnnotation = "assay.dev/undecodable"

// FaultOf returns why the spec of an object cannot be used as it was read, nil if it can.
func FaultOf(obj metav1.Object) error {
	if text := obj.GetAnnotations()[faultAnnotation]; text != "" {
		return errors.New(text)
	}
	return nil
}

// setFault records a fault, or that there is none.
func setFault(obj metav1.Object, fault error) {
	annotations := obj.GetAnnotations()
	delete(annotations, faultAnnotation)
	if fault != nil {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[faultAnnotation] = "the API server has a value that this version of Assay cannot read: " + truncate(fault.Error())
	}
	obj.SetAnnotations(annotations)
}

func truncate(text string) string {
	if len(text) <= maxFault {
		return text
	}
	end := maxFault
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// readObject reads an object, which is next, into obj.
func readObject(s *jsonscan.Scanner, obj Object) {
	var fault error
	readMembers(s, func(name []byte) {
		switch string(name) {
		case `"metadata"`:
			readMetadata(s, obj)
		case `"spec"`:
			fault = errors.Join(fault, readMember(s, obj, name))
		default:
			_ = readMember(s, obj, name) // The status is output, and others are written by the API server.
		}
	})
	setFault(obj, fault)
}

// readMetadata reads the metadata of an object, without managedFields.
func readMetadata(s *jsonscan.Scanner, obj Object) {
	readMembers(s, func(name []byte) {
		if string(name) == `"managedFields"` {
			s.Skip()
			return
		}
		_ = readMember(s, obj, []byte(`"metadata"`), name)
	})
}

// readMembers reads an object, which is next, and calls member with the quoted name of each
// member, whose value member has to read. Any other value is skipped.
func readMembers(s *jsonscan.Scanner, member func(name []byte)) {
	if s.Peek() != '{' {
		s.Skip()
		return
	}
	s.Enter()
	for first := true; ; {
		raw, ok := s.Member(&first)
		if !ok {
			return
		}
		if raw == nil {
			s.Skip() // A name that is longer than any that is known.
			continue
		}
		member(append(append([]byte{'"'}, raw...), '"'))
	}
}

// errTooLarge is why a member is not read.
var errTooLarge = fmt.Errorf("the value has more than %d MiB", maxMember>>20)

// readMember reads the value of a member at a path of quoted names, which is next. Of a value with
// an error, everything is kept that can be read.
func readMember(s *jsonscan.Scanner, obj Object, path ...[]byte) error {
	value := s.Value(maxMember)
	if value == nil {
		return errTooLarge
	}
	var text bytes.Buffer
	for _, name := range path {
		text.WriteByte('{')
		text.Write(name)
		text.WriteByte(':')
	}
	text.Write(value)
	text.Write(bytes.Repeat([]byte{'}'}, len(path)))
	return describe(utiljson.Unmarshal(text.Bytes(), obj))
}

// describe makes an error short, and free of the names of Go types.
func describe(err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return fmt.Errorf("%s is of another type", wrongType.Field)
	}
	return err
}
