// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/strictjson"
)

// mediaTypeDockerConfig is the media type of Docker's image configuration. An image manifest with
// such a configuration and without a media type is Docker's. OCI manifests need no media type, and
// could not have one before version 1.0.2 of the specification.
const mediaTypeDockerConfig = "application/vnd.docker.container.image.v1+json"

// essential is a set of the members that distinguish the kinds of manifests.
type essential uint

const (
	hasConfig essential = 1 << iota
	hasLayers
	hasManifests
	hasFSLayers
	hasHistory
	hasSignatures
)

// essentialNames lists the members in the order of their bits.
var essentialNames = [...]string{"config", "layers", "manifests", "fsLayers", "history", "signatures"}

// String lists the members of the set.
func (e essential) String() string {
	var names []string
	for i, name := range essentialNames {
		if e&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// Members that the formats define, level by level. Names that differ from these only in case are
// refused.
var (
	manifestMembers = []string{
		"schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject", "annotations",
		"name", "tag", "architecture", "fsLayers", "history", "signatures",
	}
	descriptorMembers = []string{"mediaType", "digest", "size", "urls", "annotations", "data", "artifactType", "platform"}
	platformMembers   = []string{"architecture", "os", "os.version", "os.features", "variant", "features"}
	fsLayerMembers    = []string{"blobSum"}
	historyMembers    = []string{"v1Compatibility"}
)

// shape holds the facts about a manifest that one pass over it collects.
type shape struct {
	d               *strictjson.Decoder
	schemaVersion   string // as spelled
	mediaType       string
	configMediaType string
	has             essential
	signatures      signatures
	children        []Child // no more than MaxChildren+1

	kind  string // a media type
	named []byte // the bytes that the digest of the image covers
}

// document reads the manifest's only value.
func (s *shape) document(d *strictjson.Decoder) error {
	s.d = d
	end := 0 // of the preceding member
	err := s.object(manifestMembers, func(name string) error {
		err := s.member(name, end)
		end = d.Offset()
		return err
	})
	s.signatures.last = s.signatures.end == end
	return err
}

// member reads the value of one of the manifest's members; the preceding member ended at the given
// offset.
func (s *shape) member(name string, previousEnd int) (err error) {
	switch name {
	case "schemaVersion":
		s.schemaVersion, err = s.d.Number()
	case "mediaType":
		s.mediaType, err = s.d.String()
	case "config":
		s.has |= hasConfig
		var config descriptor
		config, err = s.descriptor()
		s.configMediaType = config.mediaType
	case "layers":
		s.has |= hasLayers
		err = s.list(s.skipDescriptor)
	case "manifests":
		s.has |= hasManifests
		err = s.list(s.child)
	case "fsLayers":
		s.has |= hasFSLayers
		err = s.list(func() error { return s.object(fsLayerMembers, s.skip) })
	case "history":
		s.has |= hasHistory
		err = s.list(func() error { return s.object(historyMembers, s.skip) })
	case "signatures":
		s.has |= hasSignatures
		s.signatures.start = previousEnd
		s.signatures.raw, err = s.d.Raw()
		s.signatures.end = s.d.Offset()
	case "subject":
		if s.d.Kind() != strictjson.Object {
			return s.d.Skip()
		}
		err = s.skipDescriptor()
	default:
		err = s.d.Skip()
	}
	return err
}

// object reads an object and refuses members that fold onto defined ones.
func (s *shape) object(defined []string, member func(name string) error) error {
	return s.d.Object(func(name string) error {
		if other := strictjson.FoldsOnto(name, defined); other != "" {
			return fmt.Errorf("%w: some readers take its member %s for %q", ErrAmbiguous, strictjson.Quote(name), other)
		}
		return member(name)
	})
}

// list reads an array. Go programs write an empty one as null.
func (s *shape) list(element func() error) error {
	if s.d.Kind() == strictjson.Null {
		return s.d.Skip()
	}
	return s.d.Array(element)
}

// descriptor is a content descriptor, OCI's or Docker's.
type descriptor struct {
	mediaType string
	digest    string
	os        string
	arch      string
}

// descriptor reads a content descriptor. Only the media type must be a string; what else is not
// counts as empty.
func (s *shape) descriptor() (d descriptor, err error) {
	err = s.object(descriptorMembers, func(name string) error {
		switch {
		case name == "mediaType":
			d.mediaType, err = s.d.String()
			return err
		case name == "digest" && s.d.Kind() == strictjson.String:
			d.digest, err = s.d.String()
			return err
		case name == "platform" && s.d.Kind() == strictjson.Object:
			return s.platform(&d)
		default:
			return s.d.Skip()
		}
	})
	return d, err
}

// platform reads the platform of a descriptor.
func (s *shape) platform(d *descriptor) error {
	return s.object(platformMembers, func(name string) (err error) {
		switch {
		case name == "os" && s.d.Kind() == strictjson.String:
			d.os, err = s.d.String()
		case name == "architecture" && s.d.Kind() == strictjson.String:
			d.arch, err = s.d.String()
		default:
			err = s.d.Skip()
		}
		return err
	})
}

// child reads a descriptor in an index.
func (s *shape) child() error {
	const unknown = "unknown"
	d, err := s.descriptor()
	if err != nil || len(s.children) > MaxChildren {
		return err
	}
	child := Child{Digest: digest.Digest(d.digest), IsAttestation: d.os == unknown && d.arch == unknown}
	if child.Digest.Validate() != nil {
		child.Digest = ""
	}
	s.children = append(s.children, child)
	return nil
}

func (s *shape) skipDescriptor() error {
	_, err := s.descriptor()
	return err
}

func (s *shape) skip(string) error { return s.d.Skip() }

// classify determines the kind of the manifest.
func (s *shape) classify() (string, error) {
	switch s.schemaVersion {
	case "1":
		return s.schema1()
	case "2":
		return s.schema2()
	case "":
		return "", fmt.Errorf("%w: schemaVersion is missing", ErrMalformed)
	default:
		return "", fmt.Errorf("%w: schemaVersion is neither 1 nor 2", ErrMalformed)
	}
}

func (s *shape) schema1() (string, error) {
	if err := essentials("schemaVersion 1", s.has&^hasSignatures, hasFSLayers|hasHistory); err != nil {
		return "", err
	}
	kind := MediaTypeDockerSchema1
	if s.has&hasSignatures != 0 {
		kind = MediaTypeDockerSchema1Signed
	}
	// Signed manifests may have the media type of unsigned ones, too.
	if s.mediaType != "" && s.mediaType != kind && s.mediaType != MediaTypeDockerSchema1 {
		return "", s.disagree("schemaVersion 1")
	}
	return kind, nil
}

func (s *shape) schema2() (string, error) {
	const image, index = hasConfig | hasLayers, hasManifests
	// Here signatures is not defined and therefore an unknown member.
	has := s.has &^ hasSignatures
	switch s.mediaType {
	case MediaTypeOCIManifest, MediaTypeDockerManifest:
		return s.mediaType, essentials("an image manifest", has, image)
	case MediaTypeOCIIndex, MediaTypeDockerList:
		return s.mediaType, essentials("an index", has, index)
	case "":
	case MediaTypeDockerSchema1, MediaTypeDockerSchema1Signed:
		return "", s.disagree("schemaVersion 2")
	default:
		return "", fmt.Errorf("%w: mediaType %s is unknown", ErrMalformed, strictjson.Quote(s.mediaType))
	}
	switch {
	case has&index != 0:
		return MediaTypeOCIIndex, essentials("an index", has, index)
	case s.configMediaType == mediaTypeDockerConfig:
		return MediaTypeDockerManifest, essentials("an image manifest", has, image)
	default:
		return MediaTypeOCIManifest, essentials("an image manifest", has, image)
	}
}

// essentials refuses a manifest that lacks essential members of its kind or has those of another.
func essentials(kind string, has, want essential) error {
	if more := has &^ want; more != 0 {
		return fmt.Errorf("%w: for %s it must not have %s", ErrAmbiguous, kind, more)
	}
	if less := want &^ has; less != 0 {
		return fmt.Errorf("%w: for %s it lacks %s", ErrMalformed, kind, less)
	}
	return nil
}

func (s *shape) disagree(with string) error {
	return fmt.Errorf("%w: mediaType %s disagrees with %s", ErrAmbiguous, strictjson.Quote(s.mediaType), with)
}
