// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"errors"
	"fmt"

	"github.com/BurntSushi/toml"
)

// maxTOMLDepth bounds the nesting of brackets in a file. Real ones have three levels.
const maxTOMLDepth = 32

// table is a [[registry]] of registries.conf: where the images of a prefix are.
type table struct {
	where             string
	prefix, location  string
	insecure, blocked bool
	mirrors           []mirror
}

// mirror is a [[registry.mirror]].
type mirror struct {
	location           string
	insecure, tagsOnly bool
}

// registriesConf is containers-registries.conf(5), version 2.
type registriesConf struct {
	UnqualifiedSearch []string            `toml:"unqualified-search-registries"`
	ShortNameMode     string              `toml:"short-name-mode"`
	CredentialHelpers []string            `toml:"credential-helpers"`
	Aliases           map[string]string   `toml:"aliases"`
	Registries        []registriesConfRow `toml:"registry"`
	// Version1 is the form of version 1, which has not been read since 2023.
	Version1 map[string]any `toml:"registries"`
}

type registriesConfRow struct {
	Prefix       string `toml:"prefix"`
	Location     string `toml:"location"`
	Insecure     bool   `toml:"insecure"`
	Blocked      bool   `toml:"blocked"`
	ByDigestOnly bool   `toml:"mirror-by-digest-only"`
	Mirrors      []struct {
		Location string `toml:"location"`
		Insecure bool   `toml:"insecure"`
		Pull     string `toml:"pull-from-mirror"`
	} `toml:"mirror"`
}

// AddRegistriesConf converts a file of containers-registries.conf(5), or of registries.conf.d. A
// prefix that an earlier file has is replaced. An error means that nothing of it is in the result.
func (c *Converter) AddRegistriesConf(name string, data []byte) error {
	if len(data) > MaxSize {
		return fmt.Errorf("%s: the file is larger than %d bytes", name, MaxSize)
	}
	next := *c
	next.file, next.registries = name, c.registries.clone()
	if err := next.addRegistriesConf(data); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(next.registries.order) > maxPolicies {
		return fmt.Errorf("%s: more than %d RegistryConfigs would be needed", name, maxPolicies)
	}
	*c = next
	return nil
}

func (c *Converter) addRegistriesConf(data []byte) error {
	if isDeep(data) {
		return errors.New("the file is nested too deep")
	}
	var file registriesConf
	meta, err := toml.Decode(string(data), &file)
	if err != nil {
		return fmt.Errorf("the file is not TOML: %s", quote(err.Error()))
	}
	if len(file.Version1) > 0 {
		return errors.New("the file has the form of version 1, which podman and CRI-O do not read any more; write [[registry]] tables")
	}
	for _, key := range meta.Undecoded() {
		c.note(true, quote(key.String()), "it is left out: it is not known")
	}
	if len(file.UnqualifiedSearch) > 0 || file.ShortNameMode != "" || len(file.Aliases) > 0 {
		c.note(false, "short names", "they are left out: Assay takes a name without a registry for one on docker.io; write names of images in full")
	}
	if len(file.CredentialHelpers) > 0 {
		c.note(false, "credential-helpers", "they are left out: name a Secret in credentials of each RegistryConfig")
	}
	for i := range file.Registries {
		if err := c.addTable(i, &file.Registries[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *Converter) addTable(i int, row *registriesConfRow) error {
	t := table{prefix: row.Prefix, location: row.Location, insecure: row.Insecure, blocked: row.Blocked}
	if t.prefix == "" {
		t.prefix = t.location
	}
	where := fmt.Sprintf("registry %d: %s", i+1, quote(t.prefix))
	if t.prefix == "" {
		return fmt.Errorf("registry %d has neither prefix nor location", i+1)
	}
	t.where = c.file + ": " + where
	for _, m := range row.Mirrors {
		switch m.Pull {
		case "", "all", "digest-only", "tag-only":
		default:
			return fmt.Errorf("%s: pull-from-mirror is %s, and must be all, digest-only or tag-only", where, quote(m.Pull))
		}
		t.mirrors = append(t.mirrors, mirror{location: m.Location, insecure: m.Insecure, tagsOnly: m.Pull == "tag-only" && !row.ByDigestOnly})
	}
	if scope, ok := c.readRegistryScope(where, t.prefix); ok {
		if t.location == t.prefix {
			t.location = scope
		}
		t.prefix = scope
		c.registries.tables[scope] = t
		c.registries.know(scope)
	}
	return nil
}

// isDeep reports whether brackets are nested deeper than a file needs. The parser is recursive.
func isDeep(data []byte) bool {
	depth := 0
	for _, b := range data {
		switch b {
		case '[', '{':
			depth++
			if depth > maxTOMLDepth {
				return true
			}
		case ']', '}':
			depth = max(0, depth-1)
		}
	}
	return false
}
