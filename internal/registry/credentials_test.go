// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/assay-project/assay/internal/registry"
)

func auths(keys ...string) string {
	var entries []string
	for _, key := range keys {
		entries = append(entries, fmt.Sprintf("%q:{%q:%q}", key, "auth", base64.StdEncoding.EncodeToString([]byte(key+":pass:word"))))
	}
	return `{"auths":{` + strings.Join(entries, ",") + `},"credsStore":"ignored"}`
}

func TestCredentialsFor(t *testing.T) {
	tests := map[string]struct {
		keys             []string
		host, repository string
		want             string
	}{
		"host":                {[]string{"registry.example.com"}, "registry.example.com", "team/app", "registry.example.com"},
		"another host":        {[]string{"registry.example.com"}, "registry.example.com.evil.example", "team/app", ""},
		"another port":        {[]string{"registry.example.com"}, "registry.example.com:5000", "team/app", ""},
		"port":                {[]string{"registry.example.com:5000"}, "registry.example.com:5000", "team/app", "registry.example.com:5000"},
		"default port":        {[]string{"registry.example.com:443"}, "registry.example.com", "team/app", "registry.example.com:443"},
		"longest path":        {[]string{"r.example.com", "r.example.com/team", "r.example.com/team/app"}, "r.example.com", "team/app", "r.example.com/team/app"},
		"path of a namespace": {[]string{"r.example.com/team/app", "r.example.com/team"}, "r.example.com", "team/other", "r.example.com/team"},
		"part of a component": {[]string{"r.example.com/te"}, "r.example.com", "team/app", ""},
		"below":               {[]string{"r.example.com/team/app"}, "r.example.com", "team/app/sub", "r.example.com/team/app"},
		"with a scheme":       {[]string{"https://r.example.com"}, "r.example.com", "a", "https://r.example.com"},
		"with /v2/":           {[]string{"https://r.example.com/v2/"}, "r.example.com", "a", "https://r.example.com/v2/"},
		"Docker Hub":          {[]string{"https://index.docker.io/v1/"}, "docker.io", "library/busybox", "https://index.docker.io/v1/"},
		"Docker Hub, API":     {[]string{"docker.io"}, "registry-1.docker.io", "library/busybox", "docker.io"},
		"wildcard":            {[]string{"*.example.com"}, "r.example.com", "a", "*.example.com"},
		"wildcard, one label": {[]string{"*.example.com"}, "a.r.example.com", "a", ""},
		"name before pattern": {[]string{"*.example.com", "r.example.com"}, "r.example.com", "a", "r.example.com"},
		"upper case":          {[]string{"R.example.com"}, "r.example.com", "a", "R.example.com"},
		"bad pattern":         {[]string{"[*.example.com"}, "r.example.com", "a", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := registry.ParseDockerConfigJSON([]byte(auths(tt.keys...)))
			if err != nil {
				t.Fatal(err)
			}
			got, ok := c.For(tt.host, tt.repository)
			user, _, _ := strings.Cut(tt.want, ":")
			if ok != (tt.want != "") || got.Username != user && tt.want != "" {
				t.Errorf("For: %q, %t", got.Username, ok)
			}
			if ok && !strings.HasSuffix(got.Password, "pass:word") {
				t.Errorf("password %q", got.Password)
			}
		})
	}
}

func TestParseDockerConfigJSON(t *testing.T) {
	c, err := registry.ParseDockerConfigJSON([]byte(`{"auths":{
		"a.example.com":{"username":"u","password":"p"}, "b.example.com":{"identitytoken":"t"}, "c.example.com":{"registrytoken":"t"}, "d.example.com":{}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]registry.Credential{
		"a.example.com": {Username: "u", Password: "p"}, "b.example.com": {RefreshToken: "t"}, "c.example.com": {AccessToken: "t"}, "d.example.com": {},
	} {
		if got, ok := c.For(host, "a"); got != want || ok != (host != "d.example.com") {
			t.Errorf("%s: %#v, %t", host, got, ok)
		}
	}
	var none *registry.Credentials
	if _, ok := none.For("a.example.com", "a"); ok {
		t.Error("no credentials give one")
	}
	var keys []string
	for i := range 1001 {
		keys = append(keys, fmt.Sprintf("%d.example.com", i))
	}
	for name, text := range map[string]string{
		"not JSON": `canary`, "a list": `{"auths":["canary"]}`, "no colon": `{"auths":{"a":{"auth":"` + base64.StdEncoding.EncodeToString([]byte("canary")) + `"}}}`,
		"not base64": `{"auths":{"a":{"auth":"canary?"}}}`, "too many": auths(keys...), "too large": `{"auths":{}}` + strings.Repeat(" ", 1<<20),
	} {
		c, err := registry.ParseDockerConfigJSON([]byte(text))
		if err == nil || c != nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
}

// TestCredentialIsNotPrinted checks that a credential does not get into a message by accident.
func TestCredentialIsNotPrinted(t *testing.T) {
	c := registry.Credential{Username: "canary", Password: "canary", RefreshToken: "canary", AccessToken: "canary"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(format, c) + fmt.Sprintf(format, []registry.Credential{c}); strings.Contains(text, "canary") {
			t.Errorf("%s: %s", format, text)
		}
	}
}
