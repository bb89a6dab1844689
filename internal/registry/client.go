// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ocireg "oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// userAgent names Assay to registries.
const userAgent = "assay"

// maxTokens bounds the tokens that a client keeps: one for each repository.
const maxTokens = 1024

// Client asks one registry with one credential. It is safe for concurrent use.
type Client struct {
	network *Network
	access  Access
	// host is where the API is: registry-1.docker.io for docker.io.
	host       string
	http       *http.Client
	credential auth.Credential

	mu sync.Mutex
	// withCredential is nil without a credential.
	withCredential, anonymous *auth.Client
	tokens                    map[string]struct{}
	extension                 knownExtension
	refused, used             bool
}

// knownExtension is what a registry said of its signature extension.
type knownExtension struct {
	supported bool
	until     time.Time
}

// NewClient returns a client for the registry host, as image references have it.
func (n *Network) NewClient(hostname string, access Access, credential Credential) *Client {
	c := &Client{
		network: n, access: access, http: n.HTTPClient(access),
		host:       APIHost(hostname),
		credential: auth.Credential(credential),
	}
	c.reset()
	return c
}

// APIHost returns the host at which the API of a registry is.
func APIHost(hostname string) string { return ocireg.Reference{Registry: hostname}.Host() }

// Host is where the API of the registry is.
func (c *Client) Host() string { return c.host }

// reset forgets all tokens.
func (c *Client) reset() {
	c.tokens = map[string]struct{}{}
	c.anonymous = c.authenticating(auth.EmptyCredential)
	c.withCredential = nil
	if c.credential != auth.EmptyCredential {
		c.withCredential = c.authenticating(c.credential)
	}
}

// authenticating returns a client that gets tokens by a credential. It has a cache of its own,
// because a cache is by host and knows no credentials. Which addresses a token service may have is
// checked when the connection is made; the library's own check comes before that, and goes by
// other rules.
func (c *Client) authenticating(credential auth.Credential) *auth.Client {
	return &auth.Client{
		Client:   c.http,
		Header:   http.Header{"User-Agent": {userAgent}},
		Cache:    auth.NewCache(),
		ClientID: userAgent,
		Credential: func(_ context.Context, hostport string) (auth.Credential, error) {
			return c.credentialFor(hostport, credential), nil
		},

		BlockedRealmPrefixes: []netip.Prefix{},
	}
}

// credentialFor returns the credential if the host is the registry.
func (c *Client) credentialFor(hostport string, credential auth.Credential) auth.Credential {
	if hostport == c.host {
		return credential
	}
	return auth.EmptyCredential
}

// clients returns the clients for a repository. When very many repositories have tokens, all are
// forgotten.
func (c *Client) clients(repository string) (withCredential, anonymous *auth.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.tokens[repository]; !ok {
		if len(c.tokens) >= maxTokens {
			c.reset()
		}
		c.tokens[repository] = struct{}{}
	}
	return c.withCredential, c.anonymous
}

// CredentialRefused reports whether the registry refused the credential when it was last used.
func (c *Client) CredentialRefused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// CredentialUsed reports whether the registry has accepted or refused the credential once.
func (c *Client) CredentialUsed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}

func (c *Client) setRefused(refused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused, c.used = refused, true
}

// Repository returns the repository of a reference, for the requests about one image. It is not
// safe for concurrent use.
func (c *Client) Repository(named reference.Named) *Repository {
	r := &Repository{client: c, name: reference.Path(named)}
	r.withCredential, r.anonymous = c.clients(r.name)
	return r
}

// Repository is one repository of a registry. If the credential is refused and the repository can
// be read without one, it is read so; Client.CredentialRefused reports it.
type Repository struct {
	client                    *Client
	name                      string
	withCredential, anonymous *auth.Client
	withoutCredential         bool
}

// URL is where the repository is in the API, for people.
func (r *Repository) URL() string { return r.client.scheme() + "://" + r.client.host + "/v2/" + r.name }

func (c *Client) scheme() string {
	if c.access.Insecure {
		return "http"
	}
	return "https"
}

func (r *Repository) oras() ocireg.Reference {
	return ocireg.Reference{Registry: r.client.host, Repository: r.name}
}

// Do sends a request with the credential, and without it where it is refused. It implements the
// interface of the library's repositories.
func (r *Repository) Do(req *http.Request) (*http.Response, error) {
	if r.withCredential == nil || r.withoutCredential {
		return r.send(r.anonymous, req)
	}
	response, err := r.send(r.withCredential, req)
	if err == nil && !refuses(response.StatusCode) {
		r.client.setRefused(false)
		return response, nil
	}
	if err != nil && codeOf(err) != Unauthorized {
		return nil, err
	}
	open, openErr := r.send(r.anonymous, req)
	switch {
	case openErr == nil && open.StatusCode < http.StatusBadRequest:
		if err == nil {
			_ = response.Body.Close()
		}
		r.withoutCredential = true
		r.client.setRefused(true)
		return open, nil
	case openErr == nil:
		_ = open.Body.Close()
	}
	r.client.setRefused(true)
	return response, err
}

func refuses(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// send sends a request. A refusal by the token service is Unauthorized, as one by the registry is.
func (r *Repository) send(client *auth.Client, req *http.Request) (*http.Response, error) {
	response, err := client.Do(req)
	if err == nil {
		return response, nil
	}
	var refusal *errcode.ErrorResponse
	if errors.Is(err, auth.ErrBasicCredentialNotFound) ||
		errors.As(err, &refusal) && refusal.StatusCode >= http.StatusBadRequest && refusal.StatusCode < http.StatusInternalServerError &&
			refusal.StatusCode != http.StatusTooManyRequests {
		return nil, &Error{Code: Unauthorized, Host: r.client.host, Detail: "gives no access"}
	}
	return nil, Describe(r.client.host, err)
}

// explain adds to a refusal what it is about.
func (r *Repository) explain(e *Error) *Error {
	if e.Code != Unauthorized {
		return e
	}
	explained := *e
	if r.withCredential == nil {
		explained.Detail = "requires a credential, and none is configured; or the repository does not exist"
	} else {
		explained.Detail = "refuses the credential that is configured, or it has no access to the repository"
	}
	return &explained
}

// Descriptor is what a registry states about a manifest.
type Descriptor struct {
	Digest    digest.Digest
	MediaType string
}

// accept are the media types of what has a digest and can be signed.
var accept = strings.Join([]string{
	"application/vnd.oci.image.index.v1+json",
	"application/vnd.oci.image.manifest.v1+json",
	"application/vnd.docker.distribution.manifest.list.v2+json",
	"application/vnd.docker.distribution.manifest.v2+json",
	"application/vnd.docker.distribution.manifest.v1+prettyjws",
	"application/vnd.docker.distribution.manifest.v1+json",
	"application/vnd.oci.artifact.manifest.v1+json",
}, ", ")

// Head returns what the registry states about a tag or a digest, without reading the manifest. For
// a digest, it is an error to state another. It costs one request, which Docker Hub does not count.
func (r *Repository) Head(ctx context.Context, ref string) (Descriptor, error) {
	response, err := r.request(ctx, http.MethodHead, "/v2/"+r.name+"/manifests/"+ref, accept)
	if err != nil {
		return Descriptor{}, err
	}
	_ = response.Body.Close()
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	d := Descriptor{MediaType: mediaType}
	asked, err := digest.Parse(ref)
	byDigest := err == nil
	switch stated, err := digest.Parse(response.Header.Get("Docker-Content-Digest")); {
	case err == nil && byDigest && stated != asked:
		return Descriptor{}, r.malformed("states another digest than the one that was asked for")
	case err == nil:
		d.Digest = stated
	case byDigest:
		d.Digest = asked
	default:
		return Descriptor{}, r.malformed("does not state the digest of the tag")
	}
	return d, nil
}

// Manifest returns the bytes of a manifest of at most limit bytes, which have the digest.
func (r *Repository) Manifest(ctx context.Context, d digest.Digest, limit int) ([]byte, error) {
	return r.content(ctx, "/v2/"+r.name+"/manifests/"+d.String(), accept, d, limit)
}

// blob returns the bytes of a blob of at most limit bytes, which have the digest.
func (r *Repository) blob(ctx context.Context, d digest.Digest, limit int) ([]byte, error) {
	return r.content(ctx, "/v2/"+r.name+"/blobs/"+d.String(), "*/*", d, limit)
}

func (r *Repository) content(ctx context.Context, path, accept string, d digest.Digest, limit int) ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, r.malformed("states a digest that is none")
	}
	data, _, err := r.get(ctx, path, accept, limit)
	if err != nil {
		return nil, err
	}
	if d.Algorithm().FromBytes(data) != d {
		// Who asked has given up, and the server has ended its answer for that.
		if err := ctx.Err(); err != nil {
			return nil, Describe(r.client.host, err)
		}
		return nil, r.malformed("sends other content than the digest says")
	}
	return data, nil
}

// get returns the body of an answer of at most limit bytes, and its media type.
func (r *Repository) get(ctx context.Context, path, accept string, limit int) (data []byte, mediaType string, err error) {
	response, err := r.request(ctx, http.MethodGet, path, accept) //nolint:bodyclose // ReadBody closes it.
	if err != nil {
		return nil, "", err
	}
	data, err = ReadBody(response, limit)
	if err != nil {
		return nil, "", Describe(r.client.host, err)
	}
	mediaType, _, _ = mime.ParseMediaType(response.Header.Get("Content-Type"))
	return data, mediaType, nil
}

// request sends a request to the registry. An answer other than 200 is an error.
func (r *Repository) request(ctx context.Context, method, path, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(auth.AppendRepositoryScope(ctx, r.oras(), auth.ActionPull), method, r.client.scheme()+"://"+r.client.host+path, http.NoBody)
	if err != nil {
		return nil, r.malformed("has a name that makes no URL")
	}
	req.Header.Set("Accept", accept)
	response, err := r.Do(req)
	if err != nil {
		return nil, r.explain(Describe(r.client.host, err))
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, r.explain(r.unexpected(response))
	}
	return response, nil
}

// unexpected is the error of an answer other than 200, with how long the host rests for it.
func (r *Repository) unexpected(response *http.Response) *Error {
	if rest, ok := r.client.network.host(response.Request.URL).restingFor(nil).(*Error); ok { //nolint:errorlint // It is returned as it is.
		return rest
	}
	return fromStatus(hostKey(response.Request.URL), response.StatusCode)
}

func (r *Repository) malformed(detail string) *Error {
	return &Error{Code: Malformed, Host: r.client.host, Detail: detail}
}

// ReadBody reads and closes the body of an answer, which has at most limit bytes.
func ReadBody(response *http.Response, limit int) (data []byte, err error) {
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	tooLarge := &Error{Code: TooLarge, Host: hostKey(response.Request.URL), Detail: "sends an answer that is too large"}
	if response.ContentLength > int64(limit) {
		return nil, tooLarge
	}
	data, err = io.ReadAll(io.LimitReader(response.Body, int64(limit)+1))
	if err == nil && len(data) > limit {
		return nil, tooLarge
	}
	return data, err
}
