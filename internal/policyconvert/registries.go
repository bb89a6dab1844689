// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// maxMirrors is how many mirrors a RegistryConfig can have.
const maxMirrors = 8

var (
	// storePattern is what the API accepts as a lookaside store.
	storePattern = regexp.MustCompile(`^https?://([a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*|[[][a-f0-9:]+[]])(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~@%+=-]+)*/?$`)
	// mirrorPattern is what the API accepts as a mirror.
	mirrorPattern = regexp.MustCompile(`^(localhost(:[1-9][0-9]{0,4})?|[a-z0-9][a-z0-9-]*:[1-9][0-9]{0,4}|[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)+(:[1-9][0-9]{0,4})?|[[][a-f0-9:]+[]](:[1-9][0-9]{0,4})?)(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*$`)
)

// registries is what files say about where images and signatures are: the sections of
// containers-registries.d(5) and the tables of containers-registries.conf(5), by scope.
type registries struct {
	sections map[string]section
	// fallback is default-docker; its zero value is none.
	fallback section
	tables   map[string]table
	// order has the scopes in the order in which they came.
	order []string
}

// clone returns a copy that can be changed, and forgotten if a file is refused.
func (r *registries) clone() registries {
	return registries{
		sections: maps.Clone(r.sections), fallback: r.fallback, tables: maps.Clone(r.tables), order: slices.Clone(r.order),
	}
}

func (r *registries) know(scope string) {
	if !slices.Contains(r.order, scope) {
		r.order = append(r.order, scope)
	}
}

// readRegistryScope reads a scope of a registry, with a note where a RegistryConfig cannot have it.
func (c *Converter) readRegistryScope(where, text string) (scope string, ok bool) {
	scope, _, err := readScope(text)
	switch {
	case err != nil:
		c.note(true, where, "it is left out: %v", err)
		return "", false
	case strings.Contains(scope, "@") || strings.LastIndexByte(scope, ':') > strings.LastIndexByte(scope, '/') && strings.Contains(scope, "/"):
		c.note(true, where, "it is left out: a RegistryConfig is for repositories, and has no tags and digests")
		return "", false
	}
	return scope, true
}

// Registries returns the RegistryConfigs that follow from all files, and what could not be carried
// over into them. A RegistryConfig takes over nothing from a wider scope, so that each gets what
// the wider ones say.
func (c *Converter) Registries() ([]assayv1alpha1.RegistryConfig, []Note) {
	b := &registryBuilder{registries: &c.registries, said: map[string]bool{}}
	names, says := map[string]bool{}, map[string]bool{}
	specs := make([]assayv1alpha1.RegistryConfigSpec, len(c.registries.order))
	for i, scope := range c.registries.order {
		specs[i], says[scope] = b.spec(scope)
	}
	var configs []assayv1alpha1.RegistryConfig
	for i, scope := range c.registries.order {
		// One that says nothing keeps a wider one from applying.
		if !says[scope] && !slices.ContainsFunc(parents(scope), func(wider string) bool { return says[wider] }) {
			continue
		}
		config := assayv1alpha1.RegistryConfig{Spec: specs[i]}
		config.APIVersion, config.Kind = assayv1alpha1.GroupVersion.String(), "RegistryConfig"
		config.Name = unique(names, objectName(scope), maxObjectName)
		configs = append(configs, config)
	}
	if store := c.registries.fallback.lookaside; store != "" && storePattern.MatchString(store) {
		b.note(true, c.registries.fallback.where, "the store is for every registry, and a RegistryConfig needs scopes: it is carried over to the scopes that the files name; make a RegistryConfig for the registries of your other images")
	}
	return configs, b.notes
}

// registryBuilder makes the specs of RegistryConfigs.
type registryBuilder struct {
	*registries
	notes []Note
	said  map[string]bool
}

// note adds a note once: several scopes may get the same from a wider one.
func (b *registryBuilder) note(lost bool, where, format string, values ...any) {
	n := Note{Where: where, Text: fmt.Sprintf(format, values...), Lost: lost}
	if key := n.Where + "\x00" + n.Text; !b.said[key] {
		b.said[key] = true
		b.notes = append(b.notes, n)
	}
}

// spec returns the spec for a scope, and false when the files say nothing about it that a
// RegistryConfig says.
func (b *registryBuilder) spec(scope string) (spec assayv1alpha1.RegistryConfigSpec, ok bool) {
	spec.Scopes = []assayv1alpha1.RegistryScope{assayv1alpha1.RegistryScope(scope)}
	chain := append([]string{scope}, parents(scope)...)
	for _, each := range chain {
		if t, found := b.tables[each]; found {
			ok = b.addTable(&spec, &t, scope)
			break
		}
	}
	// Field by field: a section without a store leaves that to a less specific one.
	lookaside, attachments := section{}, section{}
	for _, each := range append(chain, "") {
		s := b.fallback
		if each != "" {
			s = b.sections[each]
		}
		if lookaside.lookaside == "" && s.lookaside != "" {
			lookaside = s
		}
		if attachments.attachments == nil && s.attachments != nil {
			attachments = s
		}
	}
	if lookaside.lookaside != "" {
		ok = b.addLookaside(&spec, &lookaside) || ok
	}
	if attachments.attachments != nil && !*attachments.attachments {
		spec.Attachments, ok = assayv1alpha1.StoreNever, true
	}
	return spec, ok || attachments.attachments != nil
}

// addLookaside sets the lookaside store if the API has such stores.
func (b *registryBuilder) addLookaside(spec *assayv1alpha1.RegistryConfigSpec, s *section) bool {
	switch {
	case strings.HasPrefix(s.lookaside, "file:"):
		b.note(true, s.where, "%s is a directory of one machine; serve it by https, and set lookaside to that", quote(s.lookaside))
		return false
	case !storePattern.MatchString(s.lookaside):
		b.note(true, s.where, "%s is left out: a store is https://host[:port][/path], without user, query and fragment, the host in lower case", quote(s.lookaside))
		return false
	case strings.HasPrefix(s.lookaside, "http:") && !spec.Insecure:
		b.note(true, s.where, "%s is left out: http takes insecure: true, by which the registry is asked by http as well; serve the store by https", quote(s.lookaside))
		return false
	}
	spec.Lookaside = assayv1alpha1.StoreURL(s.lookaside)
	return true
}

// addTable sets what a table of registries.conf says: mirrors, another location, and insecure.
func (b *registryBuilder) addTable(spec *assayv1alpha1.RegistryConfigSpec, t *table, scope string) bool {
	if t.blocked {
		b.note(true, t.where, "blocked is left out: Assay contacts a registry when a TrustPolicy or RegistryConfig has a scope for it; leave it out of both")
		return false
	}
	sources := t.mirrors
	moved := t.location != "" && t.location != t.prefix
	if moved {
		sources = append(slices.Clone(sources), mirror{location: t.location, insecure: t.insecure})
	}
	if strings.HasPrefix(t.prefix, "*") {
		if len(sources) > 0 {
			b.note(true, t.where, "mirrors and location are left out: they take the place of a scope, and a wildcard has none; list the registries")
		}
		sources, moved = nil, false
	}
	insecure, secure := t.insecure && !moved, !t.insecure && !moved
	for _, m := range sources {
		name := m.location + strings.TrimPrefix(scope, t.prefix)
		switch {
		case !mirrorPattern.MatchString(name) || len(name) > maxScope:
			b.note(true, t.where, "mirror %s is left out: a mirror is host[:port][/path] in lower case, and the host has a dot or a port", quote(m.location))
			continue
		case m.tagsOnly:
			b.note(false, t.where, "mirror %s is left out: it is for tags only, and signatures are looked for by digest", quote(m.location))
			continue
		case len(spec.Mirrors) == maxMirrors:
			b.note(true, t.where, "mirror %s is left out: a RegistryConfig has at most %d", quote(m.location), maxMirrors)
			continue
		}
		insecure, secure = insecure || m.insecure, secure || !m.insecure
		spec.Mirrors = append(spec.Mirrors, assayv1alpha1.MirrorPrefix(name))
	}
	if moved && len(spec.Mirrors) > 0 {
		spec.MirrorSourcePolicy = assayv1alpha1.NeverContactSource
	}
	switch {
	case insecure && secure:
		b.note(true, t.where, "insecure is left out: it is for some of the registry and its mirrors only, and a RegistryConfig has it for all")
	case insecure:
		spec.Insecure = true
		b.note(false, t.where, "insecure makes Assay ask by http; if the server speaks TLS, name its authority in certificateAuthorities instead")
	}
	return len(spec.Mirrors) > 0 || spec.Insecure
}
