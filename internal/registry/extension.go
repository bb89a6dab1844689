// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/opencontainers/go-digest"
)

// maxExtension bounds a list of signatures, in bytes: as many as are taken, in base64, with their
// names.
const maxExtension = 4 << 20

// Extension returns the signatures of an image that the signature extension lists, and none from a
// registry without it.
func (r *Repository) Extension(ctx context.Context, d digest.Digest) (Found, error) {
	supported, err := r.client.supportsExtension(ctx)
	if err != nil || !supported {
		return Found{}, err
	}
	data, _, err := r.get(ctx, "/extensions/v2/"+r.name+"/signatures/"+d.String(), "application/json", maxExtension)
	if codeOf(err) == NotFound && err != nil {
		return Found{}, nil
	}
	if err != nil {
		return Found{}, err
	}
	return r.parseExtension(data)
}

// parseExtension reads a list. The name of a signature is not used: the operator makes its own.
func (r *Repository) parseExtension(data []byte) (Found, error) {
	var list struct {
		Signatures []json.RawMessage `json:"signatures"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return Found{}, r.malformed("does not list signatures in JSON")
	}
	var found Found
	for _, item := range list.Signatures {
		var s struct {
			SchemaVersion int    `json:"schemaVersion"`
			Type          string `json:"type"`
			Content       []byte `json:"content"`
		}
		switch err := json.Unmarshal(item, &s); {
		case err != nil, len(s.Content) == 0, s.SchemaVersion != 2, s.Type != "atomic" && s.Type != "AtomicImageV1":
			found.Skip(r.malformed("lists a signature that is not one of the kind that is known"))
		case len(s.Content) > MaxSignature:
			found.Skip(&Error{Code: TooLarge, Host: r.client.host, Detail: "lists a signature that is too large"})
		default:
			if !found.add(Signature{Type: TypeAtomic, Content: s.Content}) {
				return found, nil
			}
		}
	}
	return found, nil
}

// supportsExtension asks the registry for its signature extension, once an hour at most. It needs
// no credential: the answer is in the headers of a refusal as well.
func (c *Client) supportsExtension(ctx context.Context) (bool, error) {
	now := c.network.clock().Now()
	c.mu.Lock()
	known := c.extension
	c.mu.Unlock()
	if now.Before(known.until) {
		return known.supported, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.scheme()+"://"+c.host+"/v2/", http.NoBody)
	if err != nil {
		return false, &Error{Code: Malformed, Host: c.host, Detail: "has a name that makes no URL"}
	}
	req.Header.Set("User-Agent", userAgent)
	response, err := c.http.Do(req)
	if err != nil {
		return false, Describe(c.host, err)
	}
	_ = response.Body.Close()
	if response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusTooManyRequests {
		return false, fromStatus(c.host, response.StatusCode)
	}
	known = knownExtension{supported: response.Header.Get("X-Registry-Supports-Signatures") == "1", until: now.Add(extensionLifetime)}
	c.mu.Lock()
	c.extension = known
	c.mu.Unlock()
	return known.supported, nil
}
