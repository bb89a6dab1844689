// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package importstatus is the form in which the operator stores how discovery and import stand, and
// in which commands read it: the data of one ConfigMap in the operator's namespace.
package importstatus

import (
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assay-project/assay/internal/safetext"
)

const (
	// Name is the name of the ConfigMap.
	Name = "assay-import"
	// LabelValue is the value of the label assay.dev/allowlist on it. The policy image-integrity
	// protects what has this label, and no policy takes this value for a shard.
	LabelValue = "import"

	key = "import"
)

// Bounds of what is stored and read: every client with enough permissions may have written it.
const (
	// MaxListed is the largest number of hosts, of namespaces with references that are left out, of
	// tags without a digest, and of tags that have moved.
	MaxListed = 20
	// maxSize is the largest encoded size, in bytes.
	maxSize = 256 << 10
	// maxText bounds each text, in bytes.
	maxText = 512
)

// Causes why references are left out.
const (
	// CauseTooMany: the namespace, or all together, have too many images that are not verified.
	CauseTooMany = "TooManyReferences"
	// CauseNotRemembered: an object or its namespace has more references than are remembered.
	CauseNotRemembered = "NotRemembered"
)

// Status is how discovery and import stand.
type Status struct {
	// Hosts are those that rest or failed at the last request, by name.
	Hosts []Host `json:"hosts"`
	// OmittedHosts is the number of further ones.
	OmittedHosts int `json:"omittedHosts,omitempty"`
	// Pending are the Images that wait for a verdict, or for stores that could not be asked.
	Pending Pending `json:"pending"`
	// Discovery is absent before the workloads of the cluster were listed.
	Discovery *Discovery `json:"discovery,omitempty"`
}

// Host is a registry, a token service or a store that does not answer as it should.
type Host struct {
	// Host is host or host:port.
	Host string `json:"host"`
	// Reason is one of those of the condition Ready of a RegistryConfig.
	Reason string `json:"reason"`
	// Message is one clause about it.
	Message string `json:"message,omitempty"`
	// Since is when the host first failed after it had answered.
	Since metav1.Time `json:"since"`
	// Until is when the host may be asked again; absent when it may be asked at once. It may be
	// over: nothing has needed the host since then.
	Until *metav1.Time `json:"until,omitempty"`
}

// Pending counts Images that wait.
type Pending struct {
	Images int `json:"images"`
	// Oldest is the Image that has waited longest; absent without one.
	Oldest *PendingImage `json:"oldest,omitempty"`
}

// PendingImage is an Image that waits.
type PendingImage struct {
	Name      string `json:"name"`
	Reference string `json:"reference"`
	// Reason is that of the condition Imported; empty before the first attempt.
	Reason string `json:"reason,omitempty"`
	// Since is when the Image was made, or when its stores could first not be asked.
	Since metav1.Time `json:"since"`
}

// Discovery counts the distinct images in the scopes of TrustPolicies that workloads refer to.
type Discovery struct {
	Verified   int `json:"verified"`
	Unverified int `json:"unverified"`
	// Unresolved have a tag whose digest is not known.
	Unresolved int `json:"unresolved"`
	// Excess get no Image, because there are too many.
	Excess int `json:"excess"`
	// Dropped references are not remembered, in any scope or none.
	Dropped int `json:"dropped"`
	// LeftOut are the namespaces whose references are left out, the most references first.
	LeftOut []LeftOut `json:"leftOut,omitempty"`
	// OmittedLeftOut is the number of further ones.
	OmittedLeftOut int `json:"omittedLeftOut,omitempty"`
	// Tags are tags whose last lookup failed, by name.
	Tags []Tag `json:"tags,omitempty"`
	// OmittedTags is the number of further ones.
	OmittedTags int `json:"omittedTags,omitempty"`
	// Moved are tags whose new image is not verified while the one before is, by name.
	Moved []MovedTag `json:"moved,omitempty"`
	// OmittedMoved is the number of further ones.
	OmittedMoved int `json:"omittedMoved,omitempty"`
	// NotListed are the resources that could not be listed yet: what they refer to is not known.
	NotListed []string `json:"notListed,omitempty"`
}

// LeftOut are the references of a namespace that are left out for one cause.
type LeftOut struct {
	Namespace  string `json:"namespace"`
	Cause      string `json:"cause"`
	References int    `json:"references"`
}

// Tag is a tag whose last lookup failed.
type Tag struct {
	// Image is <repository>:<tag>.
	Image   string `json:"image"`
	Message string `json:"message"`
}

// MovedTag is a tag that has moved from an image that is verified to one that is not.
type MovedTag struct {
	// Image is <repository>:<tag>.
	Image string `json:"image"`
	// Digest is what the tag has moved to, and Name the Image of it; empty before there is one.
	Digest string `json:"digest"`
	Name   string `json:"name,omitempty"`
	// Previous is the digest that the tag has moved from, and that is still pinned.
	Previous string `json:"previous"`
}

// IsZero reports whether there is nothing to tell.
func (s *Status) IsZero() bool {
	return len(s.Hosts) == 0 && s.Pending == (Pending{}) && (s.Discovery == nil || s.Discovery.isZero())
}

func (d *Discovery) isZero() bool {
	return d.Verified+d.Unverified+d.Unresolved+d.Excess+d.Dropped+len(d.LeftOut)+len(d.Tags)+len(d.Moved)+len(d.NotListed) == 0
}

// Encode returns the data of the ConfigMap. It truncates lists and texts.
func Encode(s *Status) (map[string]string, error) {
	s.truncate()
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	return map[string]string{key: string(data)}, nil
}

// Decode reads the data of the ConfigMap. It truncates lists and texts.
func Decode(data map[string]string) (*Status, error) {
	text, ok := data[key]
	switch {
	case !ok:
		return nil, fmt.Errorf("ConfigMap %s has no entry %q", Name, key)
	case len(text) > maxSize:
		return nil, fmt.Errorf("ConfigMap %s has %d bytes, more than %d", Name, len(text), maxSize)
	}
	s := &Status{}
	if err := json.Unmarshal([]byte(text), s); err != nil {
		return nil, fmt.Errorf("ConfigMap %s: %w", Name, err)
	}
	s.truncate()
	return s, nil
}

func (s *Status) truncate() {
	s.Hosts, s.OmittedHosts = limit(s.Hosts, s.OmittedHosts)
	for i := range s.Hosts {
		h := &s.Hosts[i]
		shorten(&h.Host, &h.Reason, &h.Message)
	}
	if o := s.Pending.Oldest; o != nil {
		shorten(&o.Name, &o.Reference, &o.Reason)
	}
	d := s.Discovery
	if d == nil {
		return
	}
	d.LeftOut, d.OmittedLeftOut = limit(d.LeftOut, d.OmittedLeftOut)
	for i := range d.LeftOut {
		shorten(&d.LeftOut[i].Namespace, &d.LeftOut[i].Cause)
	}
	d.Tags, d.OmittedTags = limit(d.Tags, d.OmittedTags)
	for i := range d.Tags {
		shorten(&d.Tags[i].Image, &d.Tags[i].Message)
	}
	d.Moved, d.OmittedMoved = limit(d.Moved, d.OmittedMoved)
	for i := range d.Moved {
		shorten(&d.Moved[i].Image, &d.Moved[i].Digest, &d.Moved[i].Name, &d.Moved[i].Previous)
	}
	d.NotListed, _ = limit(d.NotListed, 0)
	for i := range d.NotListed {
		shorten(&d.NotListed[i])
	}
}

// limit returns the first entries, and how many are omitted in all.
func limit[T any](list []T, omitted int) (first []T, all int) {
	if more := len(list) - MaxListed; more > 0 {
		return list[:MaxListed], omitted + more
	}
	return list, omitted
}

func shorten(texts ...*string) {
	for _, text := range texts {
		*text = safetext.TruncateWithEllipsis(*text, maxText)
	}
}
