// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import "fmt"

// section is a section of a file of registries.d: where the signatures of a scope are.
type section struct {
	// where it stands, for notes; empty for a section that is not there.
	where       string
	lookaside   string
	attachments *bool
}

// isRegistriesD reports whether a document is a file of containers-registries.d(5).
func isRegistriesD(document members) bool {
	_, docker := document["docker"]
	_, fallback := document["default-docker"]
	return docker || fallback
}

// addRegistriesD reads a file of containers-registries.d(5). A scope in two files is an error
// there, for every image, and here.
func (c *Converter) addRegistriesD(document members) error {
	if err := document.onlyKnown("docker", "default-docker"); err != nil {
		return err
	}
	if each, ok := document["default-docker"]; ok {
		if c.registries.fallback.where != "" {
			return fmt.Errorf("default-docker is also in %s", c.registries.fallback.where)
		}
		s, err := c.readSection("default-docker", each.text)
		if err != nil {
			return inside("default-docker", err)
		}
		c.registries.fallback = s
	}
	scopes, err := document.object("docker")
	if err != nil {
		return err
	}
	for _, text := range scopes.names() {
		where := "docker: " + quote(text)
		s, err := c.readSection(where, scopes[text].text)
		if err != nil {
			return inside(where, err)
		}
		scope, ok := c.readRegistryScope(where, text)
		if !ok {
			continue
		}
		if before, ok := c.registries.sections[scope]; ok {
			return fmt.Errorf("%s is also in %s", where, before.where)
		}
		c.registries.sections[scope] = s
		c.registries.know(scope)
	}
	return nil
}

// readSection reads a section. lookaside was called sigstore, and counts where both are.
func (c *Converter) readSection(where, text string) (section, error) {
	s := section{where: c.file + ": " + where}
	if text == "null" {
		return s, nil // Everything in it is a comment.
	}
	fields, err := readObject(text)
	if err != nil {
		return s, err
	}
	legacy, err := fields.text("sigstore")
	if err != nil {
		return s, err
	}
	if s.lookaside, err = fields.text("lookaside"); err != nil {
		return s, err
	}
	if s.lookaside == "" {
		s.lookaside = legacy
	}
	if err := fields.decode("use-sigstore-attachments", &s.attachments); err != nil {
		return s, err
	}
	for _, name := range fields.names() {
		switch name {
		case "lookaside", "sigstore", "use-sigstore-attachments":
		case "lookaside-staging", "sigstore-staging":
			c.note(false, where, "%s is left out: signatures are written there, and Assay writes none", name)
		default:
			c.note(true, where, "%s is left out: it is not known", quote(name))
		}
	}
	return s, nil
}
