// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"oras.land/oras-go/v2/registry/remote/auth"
)

const (
	// maxCredentials bounds the entries of a file of credentials.
	maxCredentials = 1000
	// maxCredentialFile bounds the file, in bytes, which is what a Secret holds.
	maxCredentialFile = 1 << 20
)

// Credential is a user name and a password, or a token. The zero value is none.
type Credential auth.Credential

// String hides what a credential is made for, wherever it is printed.
func (Credential) String() string { return "(a credential)" }

// GoString hides it from %#v.
func (Credential) GoString() string { return "(a credential)" }

// Credentials are the entries of a file of credentials, as kubelet and container tools read it. The
// zero value has none.
type Credentials struct {
	entries []credentialEntry // Those with the longest path first.
}

type credentialEntry struct {
	// host may be a pattern, as *.example.com.
	host, path string
	credential Credential
}

// ParseDockerConfigJSON reads the data of a Secret of type kubernetes.io/dockerconfigjson, or a
// config.json of container tools. Errors name no entry, and have nothing from the file: it holds
// secrets. Credential helpers that it names are not run.
func ParseDockerConfigJSON(data []byte) (*Credentials, error) {
	if len(data) > maxCredentialFile {
		return nil, fmt.Errorf("it is larger than %d bytes", maxCredentialFile)
	}
	var file struct {
		Auths map[string]struct {
			Auth          []byte `json:"auth"`
			Username      string `json:"username"`
			Password      string `json:"password"`
			IdentityToken string `json:"identitytoken"`
			RegistryToken string `json:"registrytoken"`
		} `json:"auths"`
	}
	if json.Unmarshal(data, &file) != nil {
		return nil, errors.New("it is not JSON with the member auths, as docker login and podman login write it")
	}
	if len(file.Auths) > maxCredentials {
		return nil, fmt.Errorf("it has more than %d entries", maxCredentials)
	}
	c := &Credentials{}
	for key, entry := range file.Auths {
		credential := Credential{
			Username: entry.Username, Password: entry.Password,
			RefreshToken: entry.IdentityToken, AccessToken: entry.RegistryToken,
		}
		if len(entry.Auth) > 0 {
			user, password, ok := strings.Cut(string(entry.Auth), ":")
			if !ok {
				return nil, errors.New("an entry has an auth that is not a user name and a password with a colon between them, in base64")
			}
			credential.Username, credential.Password = user, strings.TrimRight(password, "\x00")
		}
		if credential == (Credential{}) {
			continue
		}
		host, repository := splitKey(key)
		c.entries = append(c.entries, credentialEntry{host: host, path: repository, credential: credential})
	}
	slices.SortFunc(c.entries, func(a, b credentialEntry) int {
		if d := len(b.path) - len(a.path); d != 0 {
			return d
		}
		// A host by its name comes before a pattern, and otherwise the order is fixed.
		if wa, wb := strings.Contains(a.host, "*"), strings.Contains(b.host, "*"); wa != wb {
			if wb {
				return -1
			}
			return 1
		}
		return strings.Compare(a.host+"/"+a.path, b.host+"/"+b.path)
	})
	return c, nil
}

// splitKey reads the key of an entry: host[:port][/path], which docker login writes as
// https://index.docker.io/v1/.
func splitKey(key string) (host, repository string) {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	host, repository, _ = strings.Cut(key, "/")
	repository = strings.Trim(repository, "/")
	if repository == "v1" || repository == "v2" {
		repository = ""
	}
	return credentialHost(host), repository
}

// credentialHost is one name for one registry.
func credentialHost(host string) string {
	switch host = CanonicalHost(host); host {
	case "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com":
		return "docker.io"
	default:
		return host
	}
}

// For returns the credential for a repository of a host: that of the entry with the longest path
// that the repository begins with.
func (c *Credentials) For(host, repository string) (Credential, bool) {
	if c == nil {
		return Credential{}, false
	}
	host = credentialHost(host)
	for i := range c.entries {
		e := &c.entries[i]
		if matchesHost(e.host, host) && (e.path == "" || repository == e.path || strings.HasPrefix(repository, e.path+"/")) {
			return e.credential, true
		}
	}
	return Credential{}, false
}

// matchesHost reports whether a host is the one of an entry. A star stands for a part of one label,
// as kubelet has it.
func matchesHost(pattern, host string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == host
	}
	labels, hostLabels := strings.Split(pattern, "."), strings.Split(host, ".")
	if len(labels) != len(hostLabels) {
		return false
	}
	for i, label := range labels {
		if ok, err := path.Match(label, hostLabels[i]); err != nil || !ok {
			return false
		}
	}
	return true
}
