// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/objectjson"
	"github.com/assay-project/assay/internal/registry"
)

const (
	// maxClients bounds the clients of one configuration: one for each host and credential.
	maxClients = 1024
	// maxAuthorities bounds the certificates of a ConfigMap, in bytes.
	maxAuthorities = 1 << 20
)

// Configs holds every RegistryConfig with its Secret and ConfigMap, ready to be looked up by image.
type Configs struct {
	// Client reads RegistryConfigs, Secrets and ConfigMaps, normally from a cache.
	Client client.Reader
	// Namespace is the operator's own, the only one in which Secrets and ConfigMaps are looked for.
	Namespace string
	// Network is the way to registries and stores.
	Network *registry.Network
	// Keychain finds the credentials that no Secret has; nil finds none.
	Keychain Keychain

	changes atomic.Uint64
	mu      sync.Mutex
	current *Snapshot
}

// Keychain finds credentials of registries, such as those of clouds. It is safe for concurrent use.
type Keychain interface {
	// Credential returns the credential for a repository, and false for none. It may take a minute,
	// and is called where nobody waits. The error is an *registry.Error of the code Unauthorized.
	Credential(ctx context.Context, named reference.Named) (registry.Credential, bool, error)
}

// Snapshot is every RegistryConfig at one time. It is immutable.
type Snapshot struct {
	revision uint64
	byName   map[string]*Config
	byScope  imageref.Index[*Config]
	fallback *Config
}

// Config is a RegistryConfig, ready for use.
type Config struct {
	// Name of the RegistryConfig; empty for what counts without one.
	Name string
	// ID identifies its content, with that of its Secret and ConfigMap.
	ID string
	// Err is why it cannot be used, nil when it can.
	Err *registry.Error
	// Conflicts are scopes for which another RegistryConfig is used, with the name of that.
	Conflicts map[string]string

	spec        assayv1alpha1.RegistryConfigSpec
	network     *registry.Network
	credentials *registry.Credentials
	keychain    Keychain
	access      registry.Access

	mu      sync.Mutex
	clients map[clientKey]*registry.Client
	web     *http.Client
}

// clientKey is what a client is for. It is never printed.
type clientKey struct {
	host       string
	credential registry.Credential
	named      bool
}

// Invalidate makes the next snapshot be read from the cache.
func (c *Configs) Invalidate() { c.changes.Add(1) }

// Snapshot returns the present state of the cache.
func (c *Configs) Snapshot(ctx context.Context) (*Snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	revision := c.changes.Load()
	if c.current != nil && c.current.revision == revision {
		return c.current, nil
	}
	next, err := c.build(ctx)
	if err != nil {
		return nil, err
	}
	next.revision = revision
	c.current = next
	return next, nil
}

func (c *Configs) build(ctx context.Context) (*Snapshot, error) {
	var list assayv1alpha1.RegistryConfigList
	if err := c.Client.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("listing RegistryConfigs: %w", err)
	}
	slices.SortFunc(list.Items, func(a, b assayv1alpha1.RegistryConfig) int { return cmp.Compare(a.Name, b.Name) })
	next := &Snapshot{byName: make(map[string]*Config, len(list.Items))}
	taken := map[imageref.Scope]string{}
	for i := range list.Items {
		config, err := c.read(ctx, &list.Items[i])
		if err != nil {
			return nil, fmt.Errorf("RegistryConfig %s: %w", list.Items[i].Name, err)
		}
		next.byName[config.Name] = config
		for _, text := range config.spec.Scopes {
			scope, err := imageref.CanonicalScope(string(text))
			if err != nil {
				continue
			}
			if first, ok := taken[scope]; ok {
				config.Conflicts[scope.String()] = first
				continue
			}
			taken[scope] = config.Name
			next.byScope.Add(scope, config)
		}
	}
	if next.fallback = c.defaults(); c.current != nil {
		next.fallback = c.current.fallback
	}
	return next, nil
}

// defaults are what counts for images without a RegistryConfig.
func (c *Configs) defaults() *Config {
	return &Config{ID: "default", network: c.Network, keychain: c.Keychain, spec: assayv1alpha1.RegistryConfigSpec{
		SignatureExtension: assayv1alpha1.StoreAuto, Attachments: assayv1alpha1.StoreAuto,
	}}
}

// read prepares a RegistryConfig. A Secret or ConfigMap that cannot be used is no error, but makes
// the configuration unusable.
func (c *Configs) read(ctx context.Context, object *assayv1alpha1.RegistryConfig) (*Config, error) {
	config := &Config{Name: object.Name, spec: object.Spec, network: c.Network, keychain: c.Keychain, Conflicts: map[string]string{}}
	id := []string{string(object.UID), fmt.Sprint(object.Generation)}
	config.access = registry.Access{
		NamedHosts: hostsNamed(&object.Spec), Insecure: object.Spec.Insecure, RequestsPerSecond: int(object.Spec.RequestsPerSecond),
	}
	if ref := object.Spec.Credentials; ref != nil {
		version, err := c.readCredentials(ctx, config, ref.SecretRef.Name)
		if err != nil {
			return nil, err
		}
		id = append(id, version)
	}
	if ref := object.Spec.CertificateAuthorities; ref != nil {
		version, err := c.readAuthorities(ctx, config, ref.ConfigMapRef.Name)
		if err != nil {
			return nil, err
		}
		id = append(id, version)
	}
	if fault := objectjson.FaultOf(object); fault != nil {
		config.Err = &registry.Error{Code: registry.Unavailable, Detail: fault.Error()}
	}
	config.ID = hash(id...)
	return c.keep(config), nil
}

// keep returns the previous config in the same state, with its clients and their tokens, or else
// the new one. A config is immutable, and its conflicts are found anew: it must have had none.
func (c *Configs) keep(config *Config) *Config {
	if c.current == nil {
		return config
	}
	if previous := c.current.byName[config.Name]; previous != nil && previous.ID == config.ID && len(previous.Conflicts) == 0 {
		return previous
	}
	return config
}

// hash returns a short identifier of texts.
func hash(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

func (c *Configs) readCredentials(ctx context.Context, config *Config, name string) (version string, err error) {
	var secret corev1.Secret
	err = c.Client.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: name}, &secret)
	switch {
	case apierrors.IsNotFound(err):
		config.Err = &registry.Error{Code: registry.Unauthorized, Detail: fmt.Sprintf("Secret %s does not exist in namespace %s", name, c.Namespace)}
		return "missing", nil
	case err != nil:
		return "", err
	}
	data, ok := secret.Data[corev1.DockerConfigJsonKey]
	if !ok {
		config.Err = &registry.Error{Code: registry.Unauthorized, Detail: fmt.Sprintf("Secret %s has no entry %s; create it with type kubernetes.io/dockerconfigjson", name, corev1.DockerConfigJsonKey)}
	} else if config.credentials, err = registry.ParseDockerConfigJSON(data); err != nil {
		config.Err = &registry.Error{Code: registry.Unauthorized, Detail: fmt.Sprintf("Secret %s: %s: %v", name, corev1.DockerConfigJsonKey, err)}
	}
	return string(secret.UID) + secret.ResourceVersion, nil
}

func (c *Configs) readAuthorities(ctx context.Context, config *Config, name string) (version string, err error) {
	var object corev1.ConfigMap
	err = c.Client.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: name}, &object)
	switch {
	case apierrors.IsNotFound(err):
		config.Err = &registry.Error{Code: registry.TLSError, Detail: fmt.Sprintf("ConfigMap %s does not exist in namespace %s", name, c.Namespace)}
		return "missing", nil
	case err != nil:
		return "", err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	size, found := 0, false
	for _, key := range slices.Sorted(maps.Keys(object.Data)) {
		if size += len(object.Data[key]); size <= maxAuthorities {
			found = pool.AppendCertsFromPEM([]byte(object.Data[key])) || found
		}
	}
	if !found || size > maxAuthorities {
		config.Err = &registry.Error{Code: registry.TLSError, Detail: fmt.Sprintf("ConfigMap %s has no certificate in PEM, or more than 1 MiB of them", name)}
	}
	config.access.CertificateAuthorities = pool
	return string(object.UID) + object.ResourceVersion, nil
}

// hostsNamed are the hosts that a RegistryConfig names, and that may have private addresses for
// that. A wildcard names none.
func hostsNamed(spec *assayv1alpha1.RegistryConfigSpec) []string {
	var hosts []string
	add := func(name string) {
		host, _, _ := strings.Cut(name, "/")
		if !strings.HasPrefix(host, "*") {
			hosts = append(hosts, host, registry.APIHost(host))
		}
	}
	for _, scope := range spec.Scopes {
		add(string(scope))
	}
	for _, mirror := range spec.Mirrors {
		add(string(mirror))
	}
	if _, rest, ok := strings.Cut(string(spec.Lookaside), "://"); ok {
		add(rest)
	}
	for _, host := range spec.AllowedHosts {
		hosts = append(hosts, string(host))
	}
	return hosts
}

// ByName returns a RegistryConfig, nil when there is none.
func (s *Snapshot) ByName(name string) *Config { return s.byName[name] }

// For returns the RegistryConfig for an image, and what counts without one.
func (s *Snapshot) For(named reference.Named) *Config {
	if found, _, ok := s.byScope.Lookup(named); ok {
		return found[0]
	}
	return s.fallback
}

// Lookup returns the name of the RegistryConfig for a reference, and the scope by which it is;
// empty for none.
func (s *Snapshot) Lookup(text string) (name, scope string) {
	named, err := imageref.ParseImage(text)
	if err != nil {
		return "", ""
	}
	found, scope, ok := s.byScope.Lookup(named)
	if !ok {
		return "", ""
	}
	return found[0].Name, scope
}

// Scopes are those of the RegistryConfig in canonical form.
func (c *Config) Scopes() []string {
	scopes := make([]string, len(c.spec.Scopes))
	for i, scope := range c.spec.Scopes {
		scopes[i] = string(scope)
	}
	return scopes
}

// Outcome returns what came of the last request to a host.
func (c *Config) Outcome(host string) registry.Outcome { return c.network.Outcome(host) }

// scopeFor returns the scope by which the RegistryConfig is the one for an image.
func (s *Snapshot) scopeFor(named reference.Named) string {
	_, scope, _ := s.byScope.Lookup(named)
	return scope
}

// credential returns the credential for a repository: that of the Secret, or else of the keychain.
// The zero value is none.
func (c *Config) credential(ctx context.Context, named reference.Named) (registry.Credential, error) {
	if credential, ok := c.credentials.For(reference.Domain(named), reference.Path(named)); ok || c.keychain == nil {
		return credential, nil
	}
	credential, _, err := c.keychain.Credential(ctx, named)
	return credential, err
}

// client returns the client for a repository. With hostNamed, an administrator named the host.
func (c *Config) client(named reference.Named, hostNamed bool, credential registry.Credential) *registry.Client {
	host := reference.Domain(named)
	key := clientKey{host: host, credential: credential, named: hostNamed}
	c.mu.Lock()
	defer c.mu.Unlock()
	if found, ok := c.clients[key]; ok {
		return found
	}
	if c.clients == nil || len(c.clients) >= maxClients {
		c.clients = map[clientKey]*registry.Client{}
	}
	access := c.access
	if hostNamed {
		access.NamedHosts = append(slices.Clone(access.NamedHosts), host, registry.APIHost(host))
	}
	created := c.network.NewClient(host, access, credential)
	c.clients[key] = created
	return created
}

// webClient returns the client for the lookaside store.
func (c *Config) webClient() *http.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.web == nil {
		c.web = c.network.HTTPClient(c.access)
	}
	return c.web
}

// CredentialRefused reports whether a registry refused a credential when it was last used.
func (c *Config) CredentialRefused() bool { return c.anyClient((*registry.Client).CredentialRefused) }

// CredentialUsed reports whether a registry has accepted or refused a credential since the start.
func (c *Config) CredentialUsed() bool { return c.anyClient((*registry.Client).CredentialUsed) }

func (c *Config) anyClient(is func(*registry.Client) bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, client := range c.clients {
		if is(client) {
			return true
		}
	}
	return false
}

// LeadsTo reports whether a host is one of Hosts, or below a wildcard of the scopes. The name is as errors
// have it.
func (c *Config) LeadsTo(host string) bool {
	for _, scope := range c.spec.Scopes {
		if suffix, ok := strings.CutPrefix(string(scope), "*"); ok && strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return slices.ContainsFunc(c.Hosts(), func(known string) bool { return registry.CanonicalHost(known) == host })
}

// Hosts are those that the RegistryConfig leads to: registries of its scopes, mirrors and the
// lookaside store. Those below a wildcard are the ones that were contacted.
func (c *Config) Hosts() []string {
	spec := c.spec
	spec.AllowedHosts = nil
	hosts := hostsNamed(&spec)
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.clients {
		hosts = append(hosts, registry.APIHost(key.host))
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}
