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

// describe returns the bill of materials of one release: its programs, one per platform,
// and every module in any of them. It states no time, so that it can be made again.
func describe(programs []program, version string) (*cdx.BOM, error) {
	main := programs[0].info.Main.Path
	root := cdx.Component{
		BOMRef:     packageURL(main, version),
		Type:       cdx.ComponentTypeApplication,
		Name:       "assay",
		Version:    version,
		PackageURL: packageURL(main, version),
		Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
		Components: &[]cdx.Component{},
	}
	components := map[string]cdx.Component{}
	depends := map[string][]string{}
	for _, p := range programs {
		if p.info.Main.Path != main {
			return nil, fmt.Errorf("%s is of module %s, and not of %s", p.name, p.info.Main.Path, main)
		}
		modules, err := modulesOf(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		file := fileOf(p, version)
		*root.Components = append(*root.Components, file)
		depends[root.BOMRef] = append(depends[root.BOMRef], file.BOMRef)
		for _, module := range modules {
			components[module.BOMRef] = module
			depends[file.BOMRef] = append(depends[file.BOMRef], module.BOMRef)
		}
	}
	bom := cdx.NewBOM()
	bom.SerialNumber = serialNumber(programs, version)
	bom.Metadata = &cdx.Metadata{
		Lifecycles: &[]cdx.Lifecycle{{Phase: cdx.LifecyclePhasePostBuild}},
		Component:  &root,
	}
	bom.Components = inOrder(components)
	bom.Dependencies = dependencies(depends, components)
	return bom, nil
}

// modulesOf returns what is compiled into a program.
func modulesOf(p program) ([]cdx.Component, error) {
	modules := []cdx.Component{standardLibrary(p.info.GoVersion)}
	for _, module := range p.info.Deps {
		component, err := newComponent(module)
		if err != nil {
			return nil, err
		}
		modules = append(modules, component)
	}
	return modules, nil
}

// fileOf describes the file that a program is, and how it was compiled.
func fileOf(p program, version string) cdx.Component {
	properties := []cdx.Property{{Name: "assay:go:version", Value: p.info.GoVersion}}
	for _, setting := range p.info.Settings {
		properties = append(properties, cdx.Property{Name: "assay:go:build:" + setting.Key, Value: setting.Value})
	}
	return cdx.Component{
		BOMRef:     "file:" + p.name,
		Type:       cdx.ComponentTypeFile,
		Name:       p.name,
		Version:    version,
		Hashes:     hashes(p.sha256),
		Properties: &properties,
	}
}

// serialNumber is always the same for the same programs, and another one for others.
func serialNumber(programs []program, version string) string {
	var names strings.Builder
	names.WriteString(version)
	for _, p := range programs {
		names.WriteString("\n" + p.name + " " + p.sha256)
	}
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(names.String())).URN()
}

func inOrder(components map[string]cdx.Component) *[]cdx.Component {
	var list []cdx.Component
	for _, ref := range slices.Sorted(maps.Keys(components)) {
		list = append(list, components[ref])
	}
	return &list
}

// dependencies lists, for each part, what it is made of. Which module asked for which is
// not in a program, and is not stated.
func dependencies(depends map[string][]string, components map[string]cdx.Component) *[]cdx.Dependency {
	var list []cdx.Dependency
	for _, ref := range slices.Sorted(maps.Keys(depends)) {
		refs := slices.Sorted(slices.Values(depends[ref]))
		list = append(list, cdx.Dependency{Ref: ref, Dependencies: &refs})
	}
	for _, ref := range slices.Sorted(maps.Keys(components)) {
		list = append(list, cdx.Dependency{Ref: ref})
	}
	return &list
}
