// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
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
	response, err := r.request(ctx, http.MethodGet, "/extensions/v2/"+r.name+"/signatures/"+d.String(), "application/json")
	if codeOf(err) == NotFound && err != nil {
		return Found{}, nil
	}
	if err != nil {
		return Found{}, err
	}
	defer response.Body.Close() //nolint:errcheck // It was read as far as it is used.
	found, err := r.parseExtension(response.Body)
	if canceled := ctx.Err(); err != nil && canceled != nil {
		return found, Describe(r.client.host, canceled)
	}
	return found, err
}

// parseExtension reads a list, whose first signatures are used if it is longer than what is read. The
// name of a signature is not used: the operator makes its own.
func (r *Repository) parseExtension(list io.Reader) (found Found, err error) {
	limited := &io.LimitedReader{R: list, N: maxExtension}
	decoder := json.NewDecoder(limited)
	err = parseMember(decoder, "signatures", func(item json.RawMessage) (enough bool) {
		return !r.addListed(item, &found)
	})
	switch {
	case err == nil:
		return found, nil
	case errors.Is(err, errEnough), limited.N <= 0 && len(found.Signatures) > 0:
		found.More = true
		return found, nil
	case limited.N <= 0:
		return Found{}, &Error{Code: TooLarge, Host: r.client.host, Detail: "sends an answer that is too large"}
	}
	// Errors of the connection are not about what was read.
	if known := (*Error)(nil); errors.As(err, &known) {
		return Found{}, known
	}
	var failed net.Error
	if errors.As(err, &failed) {
		return Found{}, Describe(r.client.host, err)
	}
	return Found{}, r.malformed("does not list signatures in JSON")
}

// addListed adds a signature of a list, and returns false once there are enough.
func (r *Repository) addListed(item json.RawMessage, found *Found) bool {
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
		return found.add(Signature{Type: TypeAtomic, Content: s.Content})
	}
	return true
}

// parseMember reads a JSON object, and calls do with each element of the list that is the member of a
// name, at most maxAttachments, until it has enough: errEnough. The rest is not read then.
func parseMember(decoder *json.Decoder, name string, do func(json.RawMessage) (enough bool)) error {
	if err := expect(decoder, json.Delim('{')); err != nil {
		return err
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return err
		}
		if key != name {
			if err := decoder.Decode(&json.RawMessage{}); err != nil {
				return err
			}
			continue
		}
		if err := parseList(decoder, do); err != nil {
			return err
		}
	}
	if err := expect(decoder, json.Delim('}')); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return cmp.Or(err, errNotExpected)
	}
	return nil
}

func parseList(decoder *json.Decoder, do func(json.RawMessage) (enough bool)) error {
	begin, err := decoder.Token()
	if err != nil || begin == nil { // null is no list.
		return err
	}
	if begin != json.Delim('[') {
		return errNotExpected
	}
	for seen := 0; decoder.More(); seen++ {
		var item json.RawMessage
		if err := decoder.Decode(&item); err != nil {
			return err
		}
		if seen >= maxAttachments || do(item) {
			return errEnough
		}
	}
	return expect(decoder, json.Delim(']'))
}

// errNotExpected is the error of JSON that has another form than the one that is read.
var errNotExpected = errors.New("another form of JSON than expected")

func expect(decoder *json.Decoder, want json.Delim) error {
	token, err := decoder.Token()
	if err == nil && token != want {
		err = errNotExpected
	}
	return err
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
