// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importstatus

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRoundTrip(t *testing.T) {
	since := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Local())
	until := metav1.NewTime(since.Add(time.Minute))
	want := &Status{
		Hosts: []Host{
			{Host: "down.example.com", Reason: "Unavailable", Message: "did not answer in time", Since: since, Until: &until},
			{Host: "private.example.com", Reason: "Unauthorized", Since: since},
		},
		Pending: Pending{Images: 2, Oldest: &PendingImage{Name: "sha256-1", Reference: "down.example.com/a", Reason: "StoreUnavailable", Since: since}},
		Discovery: &Discovery{
			Verified: 1, Unverified: 2, Unresolved: 3, Excess: 4, Dropped: 5,
			LeftOut: []LeftOut{{Namespace: "a", Cause: CauseTooMany, References: 4}}, OmittedLeftOut: 2,
			Tags: []Tag{{Image: "down.example.com/a:v1", Message: "did not answer in time"}}, NotListed: []string{"jobs"},
			Moved: []MovedTag{{Image: "registry.example.com/a:v1", Digest: "sha256:2", Name: "sha256-2", Previous: "sha256:1"}}, OmittedMoved: 1,
		},
	}
	data, err := Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestIsZero(t *testing.T) {
	for name, s := range map[string]*Status{
		"a host":       {Hosts: []Host{{}}},
		"an image":     {Pending: Pending{Images: 1}},
		"a reference":  {Discovery: &Discovery{Verified: 1}},
		"a resource":   {Discovery: &Discovery{NotListed: []string{"jobs"}}},
		"a failed tag": {Discovery: &Discovery{Tags: []Tag{{}}}},
		"a moved tag":  {Discovery: &Discovery{Moved: []MovedTag{{}}}},
	} {
		if s.IsZero() {
			t.Errorf("%s is nothing", name)
		}
	}
	for _, s := range []*Status{{}, {Discovery: &Discovery{}}} {
		if !s.IsZero() {
			t.Errorf("%+v is something", s)
		}
	}
}

// TestBounds checks that neither what is stored nor what is read grows with what the cluster has.
func TestBounds(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	s := &Status{Pending: Pending{Oldest: &PendingImage{Name: long}}, Discovery: &Discovery{}}
	for range MaxListed + 3 {
		s.Hosts = append(s.Hosts, Host{Host: long, Reason: long, Message: long})
		s.Discovery.LeftOut = append(s.Discovery.LeftOut, LeftOut{Namespace: long})
		s.Discovery.Tags = append(s.Discovery.Tags, Tag{Image: long, Message: long})
		s.Discovery.Moved = append(s.Discovery.Moved, MovedTag{Image: long, Digest: long, Name: long, Previous: long})
		s.Discovery.NotListed = append(s.Discovery.NotListed, long)
	}
	data, err := Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(data[key]); n > maxSize {
		t.Errorf("%d bytes are stored", n)
	}
	got, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Hosts) != MaxListed || got.OmittedHosts != 3 || got.Discovery.OmittedLeftOut != 3 || got.Discovery.OmittedTags != 3 ||
		len(got.Discovery.Moved) != MaxListed || got.Discovery.OmittedMoved != 3 {
		t.Errorf("%d hosts and %d more, %+v", len(got.Hosts), got.OmittedHosts, got.Discovery)
	}
	many := `{"hosts":[` + strings.Repeat(`{"host":"a"},`, MaxListed+9) + fmt.Sprintf(`{"host":%q}]}`, long)
	got, err = Decode(map[string]string{key: many})
	if err != nil || len(got.Hosts) != MaxListed || got.OmittedHosts != 10 {
		t.Errorf("%+v, %v", got, err)
	}
	for name, data := range map[string]map[string]string{
		"nothing":     nil,
		"another key": {"status": "{}"},
		"too large":   {key: "{" + strings.Repeat(" ", maxSize) + "}"},
		"no JSON":     {key: "Current"},
		"a list":      {key: "[]"},
		"deep":        {key: strings.Repeat("[", 20000)},
	} {
		if got, err := Decode(data); err == nil {
			t.Errorf("%s: decoded as %+v", name, got)
		}
	}
}
