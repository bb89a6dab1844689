// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/registry"
)

var (
	extensionPath = "/extensions/v2/team/app/signatures/" + testDigest.String()
	sigTagPath    = "/v2/team/app/manifests/sha256-" + testDigest.Encoded() + ".sig"
	referrersPath = "/v2/team/app/referrers/" + testDigest.String()
	fallbackPath  = "/v2/team/app/manifests/sha256-" + testDigest.Encoded()
)

// announced answers /v2/ as a registry with the signature extension does.
func announced(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Registry-Supports-Signatures", "1")
	w.WriteHeader(http.StatusUnauthorized)
}

func listed(signatureType string, version int, content []byte) string {
	return fmt.Sprintf(`{"schemaVersion":%d,"name":"a@b","type":%q,"content":%q}`, version, signatureType, base64.StdEncoding.EncodeToString(content))
}

func TestExtension(t *testing.T) {
	list := func(items ...string) http.HandlerFunc {
		return text("application/json", `{"signatures":[`+strings.Join(items, ",")+`]}`)
	}
	atomicOf := func(contents ...string) []registry.Signature {
		var s []registry.Signature
		for _, c := range contents {
			s = append(s, registry.Signature{Type: "atomic", Content: []byte(c)})
		}
		return s
	}
	var many []string
	for i := range 10_000 {
		many = append(many, listed("atomic", 2, fmt.Appendf(nil, "%d", i)))
	}
	tests := map[string]struct {
		answer  http.HandlerFunc
		want    []registry.Signature
		count   int
		more    bool
		skipped []registry.Code
		code    registry.Code
		fails   bool
	}{
		"both names":     {answer: list(listed("atomic", 2, []byte("a")), listed("AtomicImageV1", 2, []byte("b"))), want: atomicOf("a", "b")},
		"empty":          {answer: list()},
		"none":           {answer: http.NotFound},
		"another type":   {answer: list(listed("other", 2, []byte("a")), listed("atomic", 2, []byte("b"))), want: atomicOf("b"), skipped: []registry.Code{registry.Malformed}},
		"another schema": {answer: list(listed("atomic", 1, []byte("a")), listed("atomic", 2, []byte("b"))), want: atomicOf("b"), skipped: []registry.Code{registry.Malformed}},
		"one is bad": {answer: list(`{"schemaVersion":2,"type":"atomic","content":"?"}`, `7`, `{"content":[[]]}`, listed("atomic", 2, []byte("b"))),
			want: atomicOf("b"), skipped: []registry.Code{registry.Malformed}},
		"no content": {answer: list(listed("atomic", 2, nil)), skipped: []registry.Code{registry.Malformed}},
		"one is too large": {answer: list(listed("atomic", 2, make([]byte, registry.MaxSignature+1)), listed("atomic", 2, []byte("b"))),
			want: atomicOf("b"), skipped: []registry.Code{registry.TooLarge}},
		"10,000":      {answer: list(many...), count: 128, more: true},
		"as many":     {answer: list(many[:128]...), count: 128},
		"one more":    {answer: list(many[:129]...), count: 128, more: true},
		"a page":      {answer: text("text/html", "<html>"), fails: true, code: registry.Malformed},
		"not a list":  {answer: text("application/json", `{"signatures":{}}`), fails: true, code: registry.Malformed},
		"deep":        {answer: text("application/json", strings.Repeat("[", 2_000_000)), fails: true, code: registry.Malformed},
		"forbidden":   {answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, fails: true, code: registry.Unauthorized},
		"unavailable": {answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, fails: true, code: registry.Unavailable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, pages(map[string]http.HandlerFunc{"/v2/": announced, extensionPath: tt.answer}))
			found, err := s.repository(network(), registry.Credential{}).Extension(t.Context(), testDigest)
			if tt.fails {
				wantError(t, err, tt.code, "")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tt.count > 0 {
				if len(found.Signatures) != tt.count || string(found.Signatures[127].Content) != "127" {
					t.Errorf("%d signatures", len(found.Signatures))
				}
			} else if diff := cmp.Diff(tt.want, found.Signatures); diff != "" {
				t.Errorf("signatures (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.skipped, codes(found)); diff != "" || found.More != tt.more {
				t.Errorf("more: %t; skipped (-want +got):\n%s", found.More, diff)
			}
		})
	}
}

func codes(found registry.Found) []registry.Code {
	var codes []registry.Code
	for _, e := range found.Skipped {
		codes = append(codes, e.Code)
	}
	return codes
}

// TestNoExtension checks that a registry without the extension is asked for it once.
func TestNoExtension(t *testing.T) {
	s := serve(t, http.NotFound)
	client := s.client(network(), registry.Credential{})
	for range 3 {
		found, err := client.Repository(named(t, s.host("registry")+"/team/app")).Extension(t.Context(), testDigest)
		if err != nil || len(found.Signatures) > 0 {
			t.Errorf("Extension: %+v, %v", found, err)
		}
	}
	if diff := cmp.Diff([]string{"GET registry.example.com/v2/"}, s.seen()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// attached are the answers of a registry in which signatures are attached to the image.
type attached map[string]http.HandlerFunc

// blob adds a blob, and returns its descriptor as a layer.
func (a attached) blob(mediaType, content, annotations string) string {
	d := digest.FromString(content)
	a["/v2/team/app/blobs/"+d.String()] = text("application/octet-stream", content)
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d,"annotations":%s}`, mediaType, d, len(content), annotations)
}

// manifest adds a manifest, and returns its descriptor as a referrer.
func (a attached) manifest(artifactType, annotations string, layers ...string) string {
	return a.add(artifactType, annotations, `{"schemaVersion":2,"mediaType":"`+ociManifest+`","artifactType":"`+artifactType+`","config":{"mediaType":"`+emptyType+`"},`+
		`"annotations":`+annotations+`,"layers":[`+strings.Join(layers, ",")+`]}`)
}

// configured adds a manifest that has the type of its configuration alone.
func (a attached) configured(configType string, layers ...string) string {
	return a.add(configType, `{}`, `{"schemaVersion":2,"config":{"mediaType":"`+configType+`"},"layers":[`+strings.Join(layers, ",")+`]}`)
}

func (a attached) add(artifactType, annotations, content string) string {
	d := digest.FromString(content)
	a["/v2/team/app/manifests/"+d.String()] = text(ociManifest, content)
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d,"artifactType":%q,"annotations":%s}`, ociManifest, d, len(content), artifactType, annotations)
}

var typeAndRest = regexp.MustCompile(`"artifactType":.*`)

// retyped is the descriptor of a referrer by a registry that reads neither the artifactType nor the
// annotations of manifests.
func retyped(descriptor, listed string) string {
	return typeAndRest.ReplaceAllString(descriptor, fmt.Sprintf(`"artifactType":%q}`, listed))
}

func index(descriptors ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` + strings.Join(descriptors, ",") + `]}`
		w.Header().Set("Docker-Content-Digest", digest.FromString(body).String())
		text("application/vnd.oci.image.index.v1+json", body)(w, r)
	}
}

const (
	emptyType     = "application/vnd.oci.empty.v1+json"
	simpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"
	bundle        = "application/vnd.dev.sigstore.bundle.v0.3+json"
	cosignType    = "application/vnd.dev.cosign.artifact.sig.v1+json"
	notary        = "application/vnd.cncf.notary.signature"
	signAnn       = `{"dev.cosignproject.cosign/signature":"MEUC"}`
)

// cosigned is the content that a payload of cosign is stored as.
func cosigned(t *testing.T, payload, annotations string) registry.Signature {
	t.Helper()
	var parsed map[string]string
	if err := json.Unmarshal([]byte(annotations), &parsed); err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(struct {
		MIMEType    string            `json:"mimeType"`
		Payload     []byte            `json:"payload"`
		Annotations map[string]string `json:"annotations"`
	}{simpleSigning, []byte(payload), parsed})
	if err != nil {
		t.Fatal(err)
	}
	return registry.Signature{Type: "sigstore", Content: append([]byte("\x00sigstore-json\n"), document...)}
}

func TestAttachments(t *testing.T) {
	bundled := registry.Signature{Type: "sigstore", Content: []byte(`{"bundle":1}`)}
	tests := map[string]struct {
		build   func(attached)
		want    []registry.Signature
		skipped []registry.Code
	}{
		"nothing": {build: func(attached) {}},
		"cosign's tag": {build: func(a attached) {
			a[sigTagPath] = text(ociManifest, `{"layers":[`+a.blob(simpleSigning, "one", signAnn)+`,`+a.blob("application/other", "x", `{}`)+`,`+a.blob(simpleSigning, "two", signAnn)+`]}`)
		}, want: []registry.Signature{cosigned(t, "one", signAnn), cosigned(t, "two", signAnn)}},
		"a bundle": {build: func(a attached) {
			a[referrersPath] = index(a.manifest(bundle, `{}`, a.blob(bundle, `{"bundle":1}`, `{}`)))
		}, want: []registry.Signature{bundled}},
		"by the tag of referrers": {build: func(a attached) {
			a[fallbackPath] = index(a.manifest(bundle, `{}`, a.blob(bundle, `{"bundle":1}`, `{}`)))
		}, want: []registry.Signature{bundled}},
		"registry without referrers, 405": {build: func(a attached) {
			a[referrersPath] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) }
			a[fallbackPath] = index(a.manifest(bundle, `{}`, a.blob(bundle, `{"bundle":1}`, `{}`)))
		}, want: []registry.Signature{bundled}},
		"a page for referrers": {build: func(a attached) {
			a[referrersPath] = text("text/html", "<html>")
		}},
		"cosign's referrer": {build: func(a attached) {
			a[referrersPath] = index(a.manifest(cosignType, `{}`, a.blob(simpleSigning, "one", signAnn)))
		}, want: []registry.Signature{cosigned(t, "one", signAnn)}},
		"notation": {build: func(a attached) {
			a[referrersPath] = index(a.manifest(notary, `{}`, a.blob("application/jose+json", "envelope", `{}`)))
		}, want: []registry.Signature{{Type: "notation", Content: []byte("envelope")}}},
		"attestations and SBOMs": {build: func(a attached) {
			a[referrersPath] = index(
				`{"artifactType":"application/spdx+json","digest":"`+testDigest.String()+`","size":3}`,
				`{"artifactType":"`+bundle+`","digest":"`+testDigest.String()+`","size":3,"annotations":{"dev.sigstore.bundle.predicateType":"https://slsa.dev/provenance/v1"}}`,
				a.manifest(bundle, `{"dev.sigstore.bundle.predicateType":"https://sigstore.dev/cosign/sign/v1"}`, a.blob(bundle, `{"bundle":1}`, `{}`)))
		}, want: []registry.Signature{bundled}},
		"listed by an empty configuration": {build: func(a attached) {
			a[referrersPath] = index(retyped(a.manifest(bundle, `{}`, a.blob(bundle, `{"bundle":1}`, `{}`)), emptyType))
		}, want: []registry.Signature{bundled}},
		"listed without a type": {build: func(a attached) {
			a[referrersPath] = index(
				retyped(a.manifest(notary, `{}`, a.blob("application/jose+json", "envelope", `{}`)), ""),
				retyped(a.configured(cosignType, a.blob(simpleSigning, "one", signAnn)), ""))
		}, want: []registry.Signature{{Type: "notation", Content: []byte("envelope")}, cosigned(t, "one", signAnn)}},
		"typed ones first": {build: func(a attached) {
			a[referrersPath] = index(
				retyped(a.manifest(notary, `{}`, a.blob("application/jose+json", "envelope", `{}`)), emptyType),
				a.manifest(bundle, `{}`, a.blob(bundle, `{"bundle":1}`, `{}`)))
		}, want: []registry.Signature{bundled, {Type: "notation", Content: []byte("envelope")}}},
		"others without a type": {build: func(a attached) {
			layer := a.blob(bundle, `{"bundle":1}`, `{}`)
			a[referrersPath] = index(
				retyped(a.manifest("application/spdx+json", `{}`, layer), emptyType),
				retyped(a.manifest("", `{}`, layer), emptyType),
				retyped(a.manifest(bundle, `{"dev.sigstore.bundle.predicateType":"https://slsa.dev/provenance/v1"}`, layer), emptyType))
		}},
		"no manifest without a type": {build: func(a attached) {
			a[referrersPath] = index(a.add("", `{}`, `[]`))
		}, skipped: []registry.Code{registry.Malformed}},
		"too large without a type": {build: func(a attached) {
			a[referrersPath] = index(a.add("", `{}`, `{"a":"`+strings.Repeat("a", 1<<20)+`"}`))
		}, skipped: []registry.Code{registry.TooLarge}},
		"one is gone": {build: func(a attached) {
			a[referrersPath] = index(`{"artifactType":"`+bundle+`","digest":"`+testDigest.String()+`","size":3}`, a.manifest(bundle, `{}`, a.blob(bundle, `{"bundle":1}`, `{}`)))
		}, want: []registry.Signature{bundled}, skipped: []registry.Code{registry.NotFound}},
		"one lies about its digest": {build: func(a attached) {
			lie := digest.FromString("truth")
			a["/v2/team/app/manifests/"+lie.String()] = text(ociManifest, "lie")
			a[referrersPath] = index(`{"artifactType":"`+bundle+`","digest":"`+lie.String()+`","size":3}`, a.manifest(bundle, `{}`, a.blob(bundle, `{"bundle":1}`, `{}`)))
		}, want: []registry.Signature{bundled}, skipped: []registry.Code{registry.Malformed}},
		"a blob that lies": {build: func(a attached) {
			layer := a.blob(bundle, "truth", `{}`)
			a["/v2/team/app/blobs/"+digest.FromString("truth").String()] = text("x/y", "lie")
			a[referrersPath] = index(a.manifest(bundle, `{}`, layer))
		}, skipped: []registry.Code{registry.Malformed}},
		"no layer": {build: func(a attached) {
			a[referrersPath] = index(a.manifest(bundle, `{}`), a.manifest(notary, `{}`))
		}, skipped: []registry.Code{registry.Malformed}},
		"too large": {build: func(a attached) {
			a[referrersPath] = index(a.manifest(bundle, `{}`, a.blob(bundle, strings.Repeat("a", registry.MaxSignature+1), `{}`)))
		}, skipped: []registry.Code{registry.TooLarge}},
		"annotations too large": {build: func(a attached) {
			long := fmt.Sprintf(`{"a":%q}`, strings.Repeat("a", registry.MaxSignature))
			a[sigTagPath] = text(ociManifest, `{"layers":[`+a.blob(simpleSigning, "one", long)+`,`+a.blob(simpleSigning, "two", signAnn)+`]}`)
		}, want: []registry.Signature{cosigned(t, "two", signAnn)}, skipped: []registry.Code{registry.TooLarge}},
		"size lies": {build: func(a attached) {
			layer := strings.Replace(a.blob(bundle, strings.Repeat("a", registry.MaxSignature+1), `{}`), fmt.Sprint(registry.MaxSignature+1), "5", 1)
			a[referrersPath] = index(a.manifest(bundle, `{}`, layer))
		}, skipped: []registry.Code{registry.TooLarge}},
		"the tag is a page": {build: func(a attached) {
			a[sigTagPath] = text("text/html", "<html>")
		}, skipped: []registry.Code{registry.Malformed}},
		"digest is a path": {build: func(a attached) {
			a[referrersPath] = index(`{"artifactType":"` + bundle + `","digest":"sha256:../../v2/","size":3}`)
		}, skipped: []registry.Code{registry.Malformed}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			answers := attached{}
			tt.build(answers)
			s := serve(t, pages(answers))
			found, err := s.repository(network(), registry.Credential{}).Attachments(t.Context(), testDigest)
			if err != nil || found.More {
				t.Fatalf("%+v, %v", found, err)
			}
			if diff := cmp.Diff(tt.want, found.Signatures); diff != "" {
				t.Errorf("signatures (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.skipped, codes(found)); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
		})
	}
}

// TestManyAttachments checks that what a registry lists costs no more than what is used of it.
func TestManyAttachments(t *testing.T) {
	a := attached{}
	var referrers, layers, untyped []string
	for i := range 2000 {
		layers = append(layers, a.blob(simpleSigning, fmt.Sprint(i), `{}`))
	}
	for i := range 2000 {
		referrers = append(referrers, a.manifest(bundle, `{}`, a.blob(bundle, fmt.Sprint(i), `{}`)))
		untyped = append(untyped, retyped(a.manifest("application/spdx+json", `{}`, a.blob(bundle, fmt.Sprint(i), `{}`)), emptyType))
	}
	for name, tt := range map[string]struct {
		count int
		build func(attached)
	}{
		"referrers": {128, func(a attached) { a[referrersPath] = index(referrers...) }},
		"untyped":   {0, func(a attached) { a[referrersPath] = index(untyped[:1000]...) }},
		"both":      {3, func(a attached) { a[referrersPath] = index(append(untyped[:1000:1000], referrers[:3]...)...) }},
		"layers": {128, func(a attached) {
			a[sigTagPath] = text(ociManifest, `{"layers":[`+strings.Join(layers[:1000], ",")+`]}`)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			answers := attached{}
			for path, answer := range a {
				answers[path] = answer
			}
			tt.build(answers)
			s := serve(t, pages(answers))
			found, err := s.repository(network(), registry.Credential{}).Attachments(t.Context(), testDigest)
			if err != nil || len(found.Signatures) != tt.count || !found.More {
				t.Errorf("%d signatures, more: %t, %v", len(found.Signatures), found.More, err)
			}
			if n := len(s.seen()); n > 2*128+4 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// TestEndlessPages checks that a list of referrers that never ends does.
func TestEndlessPages(t *testing.T) {
	a := attached{}
	s := serve(t, nil)
	page := 0
	a[referrersPath] = func(w http.ResponseWriter, r *http.Request) {
		page++
		w.Header().Set("Link", fmt.Sprintf(`<%s?page=%d>; rel="next"`, referrersPath, page))
		index()(w, r)
	}
	s.Config.Handler = pages(a)
	found, err := s.repository(network(), registry.Credential{}).Attachments(t.Context(), testDigest)
	if err != nil || len(found.Signatures) != 0 || page > 4 {
		t.Errorf("%d pages, %+v, %v", page, found, err)
	}
}

// TestAttachmentsUnavailable checks that a registry that cannot be asked is not one without
// signatures.
func TestAttachmentsUnavailable(t *testing.T) {
	for name, tt := range map[string]struct {
		path   string
		status int
		code   registry.Code
	}{
		"tag":       {sigTagPath, 500, registry.Unavailable},
		"tag, 401":  {sigTagPath, 401, registry.Unauthorized},
		"referrers": {referrersPath, 502, registry.Unavailable},
		"limited":   {referrersPath, 429, registry.RateLimited},
		"refused":   {referrersPath, 403, registry.Unauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, pages(map[string]http.HandlerFunc{tt.path: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.status) }}))
			_, err := s.repository(network(), registry.Credential{}).Attachments(t.Context(), testDigest)
			wantError(t, err, tt.code, "")
		})
	}
}
