// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package credentialprovider

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const (
	configVersion  = "kubelet.config.k8s.io/v1"
	configKind     = "CredentialProviderConfig"
	requestVersion = "credentialprovider.kubelet.k8s.io/v1"

	// maxConfig bounds the file, in bytes, and maxProviders what it has.
	maxConfig    = 1 << 20
	maxProviders = 64
	maxMatches   = 1024
)

// config is a CredentialProviderConfig of kubelet.config.k8s.io/v1.
type config struct {
	metav1.TypeMeta `json:",inline"`

	Providers []providerConfig `json:"providers"`
}

// providerConfig is a CredentialProvider of the same API.
type providerConfig struct {
	Name                 string           `json:"name"`
	MatchImages          []string         `json:"matchImages"`
	DefaultCacheDuration *metav1.Duration `json:"defaultCacheDuration"`
	APIVersion           string           `json:"apiVersion"`
	Args                 []string         `json:"args"`
	Env                  []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"env"`
	TokenAttributes map[string]any `json:"tokenAttributes"`
}

// New returns the keychain of a CredentialProviderConfig, in YAML or JSON, whose programs are in a
// directory. An error says what is wrong with either of them, as kubelet refuses to start.
func New(data []byte, binDir string) (*Keychain, error) {
	if len(data) > maxConfig {
		return nil, fmt.Errorf("it is larger than %d bytes", maxConfig)
	}
	var c config
	if err := yaml.UnmarshalStrict(data, &c); err != nil {
		return nil, fmt.Errorf("it is not a %s: %w", configKind, err)
	}
	switch {
	case c.APIVersion != configVersion || c.Kind != configKind:
		return nil, fmt.Errorf("it is a %q of %q, and must be a %s of %s", c.Kind, c.APIVersion, configKind, configVersion)
	case len(c.Providers) == 0:
		return nil, errors.New("it has no providers")
	case len(c.Providers) > maxProviders:
		return nil, fmt.Errorf("it has more than %d providers", maxProviders)
	}
	k := &Keychain{}
	names := map[string]bool{}
	for i := range c.Providers {
		p, err := c.Providers[i].provider(binDir)
		if err != nil {
			return nil, fmt.Errorf("provider %q: %w", c.Providers[i].Name, err)
		}
		if names[p.name] {
			return nil, fmt.Errorf("provider %q is there twice", p.name)
		}
		names[p.name] = true
		k.providers = append(k.providers, p)
	}
	return k, nil
}

// provider checks a provider, by the rules of kubelet.
func (c *providerConfig) provider(binDir string) (*provider, error) {
	switch {
	case c.Name == "" || c.Name == "." || c.Name == ".." || strings.ContainsAny(c.Name, " /\\"):
		return nil, errors.New("the name must be that of a program in the directory, without spaces and separators")
	case c.APIVersion != requestVersion:
		return nil, fmt.Errorf("apiVersion is %q, and must be %s", c.APIVersion, requestVersion)
	case c.DefaultCacheDuration == nil || c.DefaultCacheDuration.Duration < 0:
		return nil, errors.New("defaultCacheDuration is required, and must not be negative")
	case len(c.MatchImages) == 0 || len(c.MatchImages) > maxMatches:
		return nil, fmt.Errorf("matchImages needs between 1 and %d entries", maxMatches)
	case len(c.TokenAttributes) > 0:
		return nil, errors.New("tokenAttributes are for the service accounts of Pods, and signatures are fetched for none")
	}
	p := &provider{name: c.Name, args: c.Args, cacheDuration: c.DefaultCacheDuration.Duration, timeout: timeout}
	for _, text := range c.MatchImages {
		m, err := parsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("matchImages: %w", err)
		}
		p.matches = append(p.matches, m)
	}
	for _, variable := range c.Env {
		if variable.Name == "" {
			return nil, errors.New("a variable of env has no name")
		}
		p.env = append(p.env, variable.Name+"="+variable.Value)
	}
	var err error
	if p.program, err = exec.LookPath(filepath.Join(binDir, c.Name)); err != nil {
		return nil, fmt.Errorf("its program cannot be run: %w", err)
	}
	p.program, err = filepath.Abs(p.program)
	return p, err
}

// timeout is how long a program may take, as kubelet has it.
const timeout = time.Minute
