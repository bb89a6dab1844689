// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package distribution

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/assay-project/assay/internal/testenv/fixture"
)

// run starts a registry until the end of the test.
func run(t *testing.T, o Options) *Registry {
	t.Helper()
	o.Dir = t.TempDir()
	r, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// get returns the status and the body of an answer.
func get(t *testing.T, url string) (status int, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", v1.MediaTypeImageManifest+", "+v1.MediaTypeImageIndex)
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// TestPush pushes an image and an index, and what cosign attaches to an image.
func TestPush(t *testing.T) {
	r := run(t, Options{})
	image, err := r.Push(t.Context(), "team/app", "v1")
	if err != nil {
		t.Fatal(err)
	}
	index, platforms, err := r.PushIndex(t.Context(), "team/app", "v2", "amd64", "arm64")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + r.Host + "/v2/team/app/manifests/"
	for tag, want := range map[string]digest.Digest{"v1": image, "v2": index} {
		if status, body := get(t, base+tag); status != http.StatusOK || digest.FromBytes(body) != want {
			t.Errorf("%s: status %d and digest %s, want %s", tag, status, digest.FromBytes(body), want)
		}
	}
	var list v1.Index
	if _, body := get(t, base+"v2"); json.Unmarshal(body, &list) != nil || len(list.Manifests) != len(platforms) {
		t.Errorf("the index is %s", body)
	}
	for _, d := range platforms {
		if status, _ := get(t, base+d.String()); status != http.StatusOK {
			t.Errorf("the image %s of the index: status %d", d, status)
		}
	}
	r.attach(t, image)
	for _, tag := range []string{"sha256-" + image.Encoded() + ".sig", "sha256-" + image.Encoded()} {
		if status, _ := get(t, base+tag); status != http.StatusOK {
			t.Errorf("tag %s: status %d", tag, status)
		}
	}
}

// attach attaches both forms of a signature.
func (r *Registry) attach(t *testing.T, image digest.Digest) {
	t.Helper()
	key, err := fixture.NewCosignKey()
	if err != nil {
		t.Fatal(err)
	}
	payload, signature, err := key.Sign(r.Host+"/team/app", image)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Attach(t.Context(), "team/app", image, payload, signature); err != nil {
		t.Error(err)
	}
	bundle, err := key.Bundle(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.AttachBundle(t.Context(), "team/app", image, bundle); err != nil {
		t.Error(err)
	}
}

// TestCredential expects a registry with a user to let nobody else pull.
func TestCredential(t *testing.T) {
	r := run(t, Options{Username: "puller", Password: "correct horse"})
	if _, err := r.Push(t.Context(), "team/app", "v1"); err != nil {
		t.Fatal(err)
	}
	if status, _ := get(t, "http://"+r.Host+"/v2/team/app/manifests/v1"); status != http.StatusUnauthorized {
		t.Errorf("status %d without a credential", status)
	}
}

// TestStartInterrupted expects an error, and no process, if the context has ended.
func TestStartInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := Start(ctx, Options{Dir: t.TempDir()}); err == nil {
		t.Errorf("the registry runs as process %d", r.PID())
	}
}

// TestLookaside serves a signature where containers/image looks for it.
func TestLookaside(t *testing.T) {
	l, err := StartLookaside(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	image := digest.FromString("image")
	if err := l.Add("team/app", image, []byte("signature")); err != nil {
		t.Fatal(err)
	}
	_, body := get(t, l.URL+"/team/app@sha256="+image.Encoded()+"/signature-1")
	if diff := cmp.Diff("signature", string(body)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := l.Stop(); err != nil {
		t.Error(err)
	}
}
