// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package simplesigning

import (
	// digest.Validate supports the algorithms that are linked in, which must not depend on the
	// importing program.
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/strictjson"
)

// Parse parses a payload with a verified signature. It returns either a Payload or an *Error, in
// time and memory proportional to the payload. It refuses a payload larger than MaxSize without
// reading it.
func Parse(payload []byte) (*Payload, error) {
	r := &reader{payload: &Payload{}}
	limits := strictjson.Limits{Size: MaxSize, Depth: MaxDepth, Members: MaxMembers}
	if err := strictjson.Parse(payload, limits, r.document); err != nil {
		return nil, at("", err)
	}
	r.payload.Claims = r.claims()
	return r.payload, nil
}

// reader fills in a Payload.
type reader struct {
	*strictjson.Decoder
	payload *Payload
	extra   []claim // optional members that the format does not define
}

// member is a required member of an object.
type member struct {
	name string
	read func() error
}

func (r *reader) document(d *strictjson.Decoder) error {
	r.Decoder = d
	return r.exactly("", member{memberCritical, r.critical}, member{memberOptional, r.optional})
}

func (r *reader) critical() error {
	return r.exactly(memberCritical,
		member{"type", r.signatureType},
		member{"image", func() error {
			return r.exactly("critical.image", member{"docker-manifest-digest", r.manifestDigest})
		}},
		member{"identity", func() error {
			return r.exactly("critical.identity", member{"docker-reference", r.dockerReference})
		}},
	)
}

func (r *reader) signatureType() error {
	got, err := r.String()
	if err != nil {
		return at(claimType, err)
	}
	if got != signatureType {
		return &Error{claimType, fmt.Sprintf("%s is not %q", strictjson.Quote(got), signatureType)}
	}
	return nil
}

func (r *reader) manifestDigest() error {
	text, err := r.String()
	if err != nil {
		return at(claimDigest, err)
	}
	d := digest.Digest(text)
	switch err := d.Validate(); {
	case errors.Is(err, digest.ErrDigestUnsupported):
		return &Error{claimDigest, "the digest algorithm is none of sha256, sha384 and sha512"}
	case err != nil:
		return &Error{claimDigest, strictjson.Quote(text) + " is not a digest of the form sha256:<lower-case hexadecimal digits>"}
	}
	r.payload.ManifestDigest = d
	return nil
}

func (r *reader) dockerReference() error {
	text, err := r.String()
	switch {
	case err != nil:
		return at(claimReference, err)
	case text == "":
		return &Error{claimReference, "the reference is empty"}
	case len(text) > MaxDockerReference:
		return &Error{claimReference, fmt.Sprintf("the reference is longer than %d bytes", MaxDockerReference)}
	}
	r.payload.DockerReference = text
	return nil
}

func (r *reader) optional() error {
	return at(memberOptional, r.Object(func(name string) error {
		switch name {
		case "creator":
			return r.creator()
		case "timestamp":
			return r.timestamp()
		default:
			return r.unknown(name)
		}
	}))
}

func (r *reader) creator() error {
	text, err := r.String()
	if err != nil {
		return at(claimCreator, err)
	}
	r.payload.Creator = &text
	return nil
}

func (r *reader) timestamp() error {
	literal, err := r.Number()
	if err != nil {
		return at(claimTimestamp, err)
	}
	seconds, ok := integer(literal)
	if !ok {
		return &Error{claimTimestamp, "the value is not an integer of 64 bits"}
	}
	r.payload.Timestamp = &seconds
	return nil
}

// exactly reads an object at path that must have all of the given members and no others.
func (r *reader) exactly(path string, members ...member) error {
	var seen uint // one bit per member
	err := r.Object(func(name string) error {
		for i, m := range members {
			if m.name == name {
				seen |= 1 << i
				return m.read()
			}
		}
		return &Error{path, "unknown member " + strictjson.Quote(name)}
	})
	if err != nil {
		return at(path, err)
	}
	for i, m := range members {
		if seen&(1<<i) == 0 {
			return &Error{path, fmt.Sprintf("member %q is missing", m.name)}
		}
	}
	return nil
}

// at adds the path to an error that has none.
func at(path string, err error) error {
	if err == nil {
		return nil
	}
	var located *Error
	if errors.As(err, &located) {
		return err
	}
	return &Error{path, err.Error()}
}
