// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
)

// Properties that cyclonedx-gomod writes about a program.
const (
	nameProperty   = "cdx:gomod:binary:name"
	sha256Property = "cdx:gomod:binary:hash:SHA-256"
	goProperty     = "cdx:gomod:build:env:GOVERSION"
)

// merge returns one document for the programs of a release. The release depends on its programs,
// and each program on the modules in it. It has no time, so that it can be made again.
func merge(programs []*cdx.BOM, version string) (*cdx.BOM, error) {
	root := *programs[0].Metadata.Component
	root.Licenses = &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}}
	var files []cdx.Component
	var serial strings.Builder
	components := map[string]cdx.Component{}
	dependencies := map[string][]string{}
	for _, program := range programs {
		if name := program.Metadata.Component.Name; name != root.Name {
			return nil, fmt.Errorf("programs of two modules: %s and %s", root.Name, name)
		}
		file := fileOf(program, version)
		files = append(files, file)
		fmt.Fprintf(&serial, "%s %s %s\n", file.Name, version, property(program, sha256Property))
		dependencies[root.BOMRef] = append(dependencies[root.BOMRef], file.BOMRef)
		for _, module := range append(*program.Components, standardLibrary(program)) {
			if module.Hashes == nil && module.Name != stdlib {
				return nil, fmt.Errorf("%s: %s@%s has no checksum: it comes from a folder", file.Name, module.Name, module.Version)
			}
			components[module.BOMRef] = module
			dependencies[module.BOMRef] = nil
			dependencies[file.BOMRef] = append(dependencies[file.BOMRef], module.BOMRef)
		}
	}
	root.Components = &files

	bom := cdx.NewBOM()
	bom.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, []byte(serial.String())).URN()
	bom.Metadata = &cdx.Metadata{
		Lifecycles: &[]cdx.Lifecycle{{Phase: cdx.LifecyclePhasePostBuild}},
		Component:  &root,
	}
	modules, edges := []cdx.Component{}, []cdx.Dependency{}
	for _, ref := range slices.Sorted(maps.Keys(components)) {
		modules = append(modules, components[ref])
	}
	for _, ref := range slices.Sorted(maps.Keys(dependencies)) {
		refs := slices.Sorted(slices.Values(dependencies[ref]))
		edges = append(edges, cdx.Dependency{Ref: ref, Dependencies: &refs})
	}
	bom.Components, bom.Dependencies = &modules, &edges
	return bom, nil
}

// fileOf describes a program and how it was compiled.
func fileOf(program *cdx.BOM, version string) cdx.Component {
	name := property(program, nameProperty)
	return cdx.Component{
		BOMRef:     "file:" + name,
		Type:       cdx.ComponentTypeFile,
		Name:       name,
		Version:    version,
		Hashes:     &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: property(program, sha256Property)}},
		Properties: program.Metadata.Properties,
	}
}

// stdlib is how vulnerability databases name the standard library.
const stdlib = "stdlib"

// standardLibrary describes the standard library of a program. cyclonedx-gomod would name it std,
// for which no database has an entry: https://github.com/CycloneDX/cyclonedx-gomod/issues/587
func standardLibrary(program *cdx.BOM) cdx.Component {
	version := strings.TrimPrefix(property(program, goProperty), "go")
	url := "pkg:golang/" + stdlib + "@" + version
	return cdx.Component{
		BOMRef:     url,
		Type:       cdx.ComponentTypeLibrary,
		Name:       stdlib,
		Version:    version,
		Scope:      cdx.ScopeRequired,
		Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "BSD-3-Clause"}}},
		PackageURL: url,
	}
}

// property returns a property of a program, empty if it has none of that name.
func property(program *cdx.BOM, name string) string {
	for _, p := range *program.Metadata.Properties {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}
