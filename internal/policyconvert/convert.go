// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// MaxSize bounds a file, in bytes. Real ones have a few KiB; one with every key inline has a few hundred.
const MaxSize = 1 << 20

// maxPolicies bounds what a file is turned into: a cluster with more TrustPolicies or RegistryConfigs is not made by one
// file.
const maxPolicies = 4096

// Options say how keys get into the TrustPolicies. The zero value reads no files.
type Options struct {
	// ReadFile reads a file that keyPath or keyPaths names. Nil makes every such key a reference to a Secret.
	ReadFile func(path string) ([]byte, error)
	// Namespace is the operator's, for instructions.
	Namespace string
	// Enforcement of every TrustPolicy; empty leaves it to the API's default.
	Enforcement assayv1alpha1.Enforcement
}

// Note is something that the one who converts has to know.
type Note struct {
	// Where it is, for people: the file, then the place in it.
	Where string
	// Text is one or more sentences without a full stop at the end.
	Text string
	// Lost says that the TrustPolicies do not say what the original says.
	Lost bool
}

// Converter collects the TrustPolicies of several files.
type Converter struct {
	options  Options
	file     string
	policies []assayv1alpha1.TrustPolicy
	notes    []Note
	names    map[string]bool
	secrets  map[string]string
	// conjunctive are the indexes of policies that apply to an image together, however specific their scopes are.
	conjunctive []int
	// open are scopes for which no TrustPolicy could be made. What becomes of their images depends on the scopes of
	// all files.
	open       []openScope
	registries registries
}

// openScope is a scope for which there is no TrustPolicy.
type openScope struct {
	where, scope, why string
	// accepts says that the original accepts every image of the scope.
	accepts bool
}

// New returns a Converter without files.
func New(options Options) *Converter {
	return &Converter{
		options: options, names: map[string]bool{}, secrets: map[string]string{},
		registries: registries{sections: map[string]section{}, tables: map[string]table{}},
	}
}

// Add converts a file. name is what notes call it. An error means that the file is not one of the kinds that are
// converted, or that its own readers would refuse it; nothing of it is then in the result.
func (c *Converter) Add(name string, data []byte) error {
	if len(data) > MaxSize {
		return fmt.Errorf("%s: the file is larger than %d bytes", name, MaxSize)
	}
	next := *c
	next.file, next.registries = name, c.registries.clone()
	if err := next.add(data); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(next.policies)+len(next.registries.order) > maxPolicies {
		return fmt.Errorf("%s: more than %d TrustPolicies or RegistryConfigs would be needed", name, maxPolicies)
	}
	*c = next
	return nil
}

func (c *Converter) add(data []byte) error {
	if text := bytes.TrimSpace(data); len(text) > 0 && text[0] == '{' {
		return c.addJSON(data)
	}
	documents := splitYAML(data)
	if len(documents) == 0 {
		return errors.New("the file is empty")
	}
	for _, document := range documents {
		object, err := yaml.YAMLToJSONStrict(document)
		if err != nil && bytes.HasPrefix(bytes.TrimSpace(document), []byte("/")) {
			return errors.New("the file begins with a comment, which JSON does not have; remove it")
		}
		if err != nil {
			return fmt.Errorf("the file is neither JSON nor YAML: %s", quote(err.Error()))
		}
		if err := c.addJSON(object); err != nil {
			return err
		}
	}
	return nil
}

// addJSON tells the kinds of documents apart: only objects of Kubernetes have a kind.
func (c *Converter) addJSON(data []byte) error {
	members, err := readObject(string(data))
	if err != nil {
		return err
	}
	if _, ok := members["kind"]; ok {
		return c.addObject(members)
	}
	if isRegistriesD(members) {
		return c.addRegistriesD(members)
	}
	return c.addContainersPolicy(members)
}

// splitYAML splits a stream at its document markers and leaves out documents without content.
func splitYAML(data []byte) [][]byte {
	var documents [][]byte
	var current bytes.Buffer
	content := false
	end := func() {
		if content {
			documents = append(documents, bytes.Clone(current.Bytes()))
		}
		current.Reset()
		content = false
	}
	for line := range bytes.Lines(data) {
		text := strings.TrimRight(string(line), " \t\r\n")
		if text == "---" || text == "..." {
			end()
			continue
		}
		content = content || text != "" && !strings.HasPrefix(strings.TrimSpace(text), "#")
		current.Write(line)
	}
	end()
	return documents
}

// note records something about the present file.
func (c *Converter) note(lost bool, where, format string, values ...any) {
	c.notes = append(c.notes, Note{Where: c.file + ": " + where, Text: fmt.Sprintf(format, values...), Lost: lost})
}

// addPolicy adds a TrustPolicy under a name of its own.
func (c *Converter) addPolicy(name string, spec assayv1alpha1.TrustPolicySpec) {
	spec.Enforcement = c.options.Enforcement
	policy := assayv1alpha1.TrustPolicy{Spec: spec}
	policy.APIVersion, policy.Kind = assayv1alpha1.GroupVersion.String(), "TrustPolicy"
	policy.Name = unique(c.names, objectName(name), maxObjectName)
	c.policies = append(c.policies, policy)
}

// Result returns the TrustPolicies of all files in the order in which their originals stand there, and everything
// that there is to say.
func (c *Converter) Result() ([]assayv1alpha1.TrustPolicy, []Note) {
	converted := map[string]bool{}
	policies, more := c.conjoin()
	for i := range policies {
		for _, scope := range policies[i].Spec.Scopes {
			converted[string(scope)] = true
		}
	}
	notes := slices.Concat(c.notes, more)
	for _, open := range c.open {
		notes = append(notes, open.note(converted))
	}
	return policies, notes
}

// note says what becomes of the images of a scope without a TrustPolicy.
func (o openScope) note(converted map[string]bool) Note {
	for _, parent := range parents(o.scope) {
		if converted[parent] {
			return Note{Where: o.where, Lost: true,
				Text: fmt.Sprintf("%s; the TrustPolicies for scope %s apply to its images instead", o.why, quote(parent))}
		}
	}
	const none = "no TrustPolicy covers its images, so that admission lets them pass"
	if o.accepts {
		return Note{Where: o.where, Text: none + ", as the original does"}
	}
	return Note{Where: o.where, Text: o.why + "; " + none, Lost: true}
}
