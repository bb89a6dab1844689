// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package credentialprovider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/distribution/reference"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assay-project/assay/internal/registry"
)

const (
	// maxOutput bounds what a program writes, in bytes.
	maxOutput = 256 << 10
	// maxEntries bounds the credentials of an answer.
	maxEntries = 256
	// pipeDelay is how long what a program has started may keep its output open after it has ended.
	pipeDelay = time.Second

	responseKind = "CredentialProviderResponse"
)

// request is a CredentialProviderRequest of credentialprovider.kubelet.k8s.io/v1.
type request struct {
	metav1.TypeMeta `json:",inline"`

	Image string `json:"image"`
}

// response is a CredentialProviderResponse of the same API.
type response struct {
	metav1.TypeMeta `json:",inline"`

	CacheKeyType  string           `json:"cacheKeyType"`
	CacheDuration *metav1.Duration `json:"cacheDuration"`
	Auth          map[string]struct {
		Username string `json:"username"`
		Password string `json:"password"`
	} `json:"auth"`
}

// bounded keeps an output up to its bound, and ends the program when there is more. It embeds no
// buffer, because a buffer also has ReadFrom, by which everything would be kept.
type bounded struct {
	data    []byte
	end     context.CancelFunc
	tooMuch bool
}

var errTooMuch = errors.New("too much output")

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if len(b.data)+len(p) > maxOutput {
		b.tooMuch = true
		b.end()
		return 0, errTooMuch
	}
	b.data = append(b.data, p...)
	return len(p), nil
}

// run asks the program for an image. An error is a clause about the program, and has nothing of what
// it wrote: that may be a secret.
func (p *provider) run(ctx context.Context, image string) (*response, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	running, end := context.WithCancel(ctx)
	defer end()
	input, err := json.Marshal(request{TypeMeta: metav1.TypeMeta{APIVersion: requestVersion, Kind: "CredentialProviderRequest"}, Image: image})
	if err != nil {
		return nil, errors.New("cannot be asked")
	}
	out := &bounded{end: end}
	cmd := exec.CommandContext(running, p.program, p.args...) //nolint:gosec // The administrator names the program.
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdin, cmd.Stdout = bytes.NewReader(input), out
	cmd.WaitDelay = pipeDelay
	ownGroup(cmd)
	err = cmd.Run()
	endGroup(cmd)
	var exit *exec.ExitError
	switch {
	case out.tooMuch:
		return nil, fmt.Errorf("writes more than %d KiB", maxOutput>>10)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("did not answer within %s", p.timeout)
	case errors.As(err, &exit) && exit.Exited():
		return nil, fmt.Errorf("ended with exit status %d", exit.ExitCode())
	case errors.Is(err, exec.ErrWaitDelay):
		return nil, errors.New("left a program behind that keeps its output open")
	case err != nil:
		return nil, errors.New("cannot be run, or was killed")
	}
	return parseResponse(out.data)
}

// parseResponse reads an answer. An error is a clause about the program.
func parseResponse(data []byte) (*response, error) {
	r := &response{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, errors.New("does not answer in JSON with a " + responseKind)
	}
	switch {
	case r.APIVersion != requestVersion || r.Kind != responseKind:
		return nil, errors.New("does not answer with a " + responseKind + " of " + requestVersion)
	case len(r.Auth) > maxEntries:
		return nil, fmt.Errorf("answers with more than %d credentials", maxEntries)
	}
	switch r.CacheKeyType {
	case "Image", "Registry", "Global":
		return r, nil
	}
	return nil, errors.New("answers with a cacheKeyType other than Image, Registry and Global")
}

// entries are the credentials of an answer, in the order in which they are tried. Those whose key is
// no pattern match nothing.
func (r *response) entries() []entry {
	var entries []entry
	for key, auth := range r.Auth {
		if p, err := parsePattern(key); err == nil {
			entries = append(entries, entry{key: key, pattern: p, credential: registry.Credential{Username: auth.Username, Password: auth.Password}})
		}
	}
	sortEntries(entries)
	return entries
}

// key is what the answer for an image is kept for.
func (r *response) key(named reference.Named) cacheKey {
	switch r.CacheKeyType {
	case "Image":
		return cacheKey{image: named.Name()}
	case "Registry":
		return cacheKey{registry: reference.Domain(named)}
	default:
		return cacheKey{}
	}
}
