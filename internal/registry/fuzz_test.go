// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// FuzzExtension checks that any list of the signature extension gives as many signatures as may be,
// each of a size that may be, and that what is skipped is explained by text that has nothing of the
// list.
func FuzzExtension(f *testing.F) {
	content := base64.StdEncoding.EncodeToString([]byte("\xa3\x00signature"))
	item := fmt.Sprintf(`{"schemaVersion":2,"name":"sha256:x@y","type":"atomic","content":%q}`, content)
	f.Add([]byte(`{"signatures":[` + item + `]}`))
	f.Add([]byte(`{"signatures":[` + strings.Repeat(item+",", 200) + item + `]}`))
	f.Add([]byte(`{"signatures":[` + strings.Replace(item, "atomic", "AtomicImageV1", 1) + `,5,null,{"type":"other"},{"schemaVersion":2,"type":"atomic"}]}`))
	f.Add([]byte(`{"signatures":[{"schemaVersion":2,"type":"atomic","content":"` + base64.StdEncoding.EncodeToString(make([]byte, MaxSignature+1)) + `"}]}`))
	f.Add([]byte(`{"signatures":{}}`))
	f.Add([]byte(strings.Repeat("[", 10_000)))
	r := &Repository{client: &Client{host: "registry.example.com"}}
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := r.parseExtension(bytes.NewReader(data))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code != Malformed || len(err.Error()) > maxHost || len(found.Signatures)+len(found.Skipped) > 0 || found.More {
				t.Fatalf("error %v with %+v", err, found)
			}
			return
		}
		if len(found.Signatures) > MaxSignatures || found.More && len(found.Signatures) < MaxSignatures && bytes.Count(data, []byte(",")) < maxAttachments {
			t.Errorf("%d signatures, more: %v", len(found.Signatures), found.More)
		}
		for _, s := range found.Signatures {
			if s.Type != TypeAtomic || len(s.Content) == 0 || len(s.Content) > MaxSignature {
				t.Errorf("type %q, %d bytes", s.Type, len(s.Content))
			}
		}
		for _, e := range found.Skipped {
			if len(e.Error()) > maxHost {
				t.Errorf("a text of %d bytes", len(e.Error()))
			}
		}
	})
}

// FuzzDockerConfigJSON checks that any file of credentials is refused with a text that has nothing of
// it, or gives credentials for the registries that its keys name, and none for others.
func FuzzDockerConfigJSON(f *testing.F) {
	auth := base64.StdEncoding.EncodeToString([]byte("user:canary-password"))
	f.Add([]byte(`{"auths":{"registry.example.com":{"auth":"`+auth+`"},"https://index.docker.io/v1/":{"username":"u","password":"canary"}}}`), "registry.example.com", "team/app")
	f.Add([]byte(`{"auths":{"*.example.com/team":{"identitytoken":"canary"},"registry.example.com:443":{"registrytoken":"canary"}},"credHelpers":{"x":"y"}}`), "registry.example.com", "team")
	f.Add([]byte(`{"auths":{"":{"auth":"Og=="},"[":{"auth":"YTpi"},"a*b.example.com":{"auth":"!"}}}`), "axb.example.com", "")
	f.Add([]byte(`{"auths":[]}`), "", "")
	f.Add([]byte(strings.Repeat(`{"auths":`, 5_000)), "a", "b")
	f.Fuzz(func(t *testing.T, data []byte, host, repository string) {
		c, err := ParseDockerConfigJSON(data)
		if err != nil {
			if c != nil || len(err.Error()) > 200 {
				t.Fatalf("%v with %+v", err, c)
			}
			return
		}
		got, ok := c.For(host, repository)
		again, okAgain := c.For(host, repository)
		if got != again || ok != okAgain || ok == (got == Credential{}) {
			t.Errorf("a credential: %v, and then %v", ok, okAgain)
		}
		if len(c.entries) > maxCredentials {
			t.Errorf("%d entries", len(c.entries))
		}
		for i := 1; i < len(c.entries); i++ {
			if len(c.entries[i-1].path) < len(c.entries[i].path) {
				t.Error("a shorter path comes before a longer one")
			}
		}
		if fmt.Sprintf("%v %+v", got, got) != "(a credential) (a credential)" {
			t.Error("a credential is printed")
		}
	})
}
