// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref_test

import (
	"cmp"
	"strings"
	"testing"

	"github.com/distribution/reference"

	"github.com/assay-project/assay/internal/imageref"
)

const (
	digestA = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	digestB = "sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"
	repo    = "registry.example.com:5000/team/app"
)

func mustParse(t testing.TB, ref string) reference.Named {
	t.Helper()
	named, err := imageref.ParseImage(ref)
	if err != nil {
		t.Fatal(err)
	}
	return named
}

// TestMatch compares images with signed references; an empty error means that they match.
func TestMatch(t *testing.T) {
	const (
		exact       = "MatchExact"
		repoOrExact = "MatchRepoDigestOrExact"
		repository  = "MatchRepository"
	)
	rule := func(m imageref.Match) imageref.Rule { return imageref.Rule{Match: m} }
	exactRef := func(ref string) imageref.Rule {
		return imageref.Rule{Match: imageref.ExactReference, DockerReference: ref}
	}
	exactRepo := func(ref string) imageref.Rule {
		return imageref.Rule{Match: imageref.ExactRepository, DockerRepository: ref}
	}
	remap := func(prefix, signed string) imageref.Rule {
		return imageref.Rule{Match: imageref.RemapIdentity, Prefix: prefix, SignedPrefix: signed}
	}
	mirror := remap("mirror.example.com:5000/vendor", "vendor.example.com")

	tests := map[string]struct {
		rule          imageref.Rule
		image, signed string
		err           string
	}{
		"exact: equal tag":         {rule(exact), repo + ":v1", repo + ":v1", ""},
		"exact: equal digest":      {rule(exact), repo + "@" + digestA, repo + "@" + digestA, ""},
		"exact: equal tag, digest": {rule(exact), repo + ":v1@" + digestA, repo + ":v1@" + digestA, ""},
		"exact: short names":       {rule(exact), "busybox:1", "index.docker.io/library/busybox:1", ""},
		"exact: localhost":         {rule(exact), "localhost/app:1", "localhost/app:1", ""},
		"exact: IPv6":              {rule(exact), "[2001:db8::1]:5000/app:1", "[2001:db8::1]:5000/app:1", ""},
		"exact: other tag": {rule(exact), repo + ":v1", repo + ":v2",
			`the signature is for "` + repo + `:v2", but MatchExact expects "` + repo + `:v1"`},
		"exact: other case of the tag": {rule(exact), "a.io/b:V1", "a.io/b:v1",
			`the signature is for "a.io/b:v1", but MatchExact expects "a.io/b:V1"`},
		"exact: other digest": {rule(exact), "a.io/b@" + digestA, "a.io/b@" + digestB,
			`the signature is for "a.io/b@` + digestB + `", but MatchExact expects "a.io/b@` + digestA + `"`},
		"exact: tag for digest": {rule(exact), "a.io/b@" + digestA, "a.io/b:v1",
			`the signature is for "a.io/b:v1", but MatchExact expects "a.io/b@` + digestA + `"`},
		"exact: only the tag of both": {rule(exact), "a.io/b:v1@" + digestA, "a.io/b:v1",
			`the signature is for "a.io/b:v1", but MatchExact expects "a.io/b:v1@` + digestA + `"`},
		"exact: only the digest of both": {rule(exact), "a.io/b:v1@" + digestA, "a.io/b@" + digestA,
			`the signature is for "a.io/b@` + digestA + `", but MatchExact expects "a.io/b:v1@` + digestA + `"`},
		"exact: no default tag is added to what was signed": {rule(exact), "a.io/b:latest", "a.io/b",
			`the signature is for "a.io/b", but MatchExact expects "a.io/b:latest"; a name without a tag, as cosign signs it, needs MatchRepository`},
		"exact: no default tag is added to the image": {rule(exact), "a.io/b", "a.io/b:latest",
			`the image "a.io/b" has neither tag nor digest, one of which MatchExact needs`},
		"exact: two bare names": {rule(exact), "a.io/b", "a.io/b",
			`the image "a.io/b" has neither tag nor digest, one of which MatchExact needs`},
		"exact: the default port is a port": {rule(exact), "a.io/b:v1", "a.io:443/b:v1",
			`the signature is for "a.io:443/b:v1", but MatchExact expects "a.io/b:v1"`},
		"exact: hosts are text": {rule(exact), "a.io/b:v1", "A.io/b:v1",
			`the signature is for "A.io/b:v1", but MatchExact expects "a.io/b:v1"`},
		"exact: signed reference is invalid": {rule(exact), "a.io/b:v1", "a.io/b:v1\x00\u202e",
			`the signed docker-reference is invalid: "a.io/b:v1\x00\u202e" is not an image reference: want [host[:port]/]path[:tag][@digest]`},
		"exact: signed reference is long": {rule(exact), "a.io/b:v1", strings.Repeat("a", 1025),
			"the signed docker-reference is invalid: an image reference is longer than 1024 bytes"},

		"default is MatchRepoDigestOrExact":     {rule(""), repo + "@" + digestA, repo + ":v1", ""},
		"repoOrExact: equal tag":                {rule(repoOrExact), repo + ":v1", repo + ":v1", ""},
		"repoOrExact: digest, any tag":          {rule(repoOrExact), repo + "@" + digestA, repo + ":v9", ""},
		"repoOrExact: digest, other digest":     {rule(repoOrExact), repo + "@" + digestA, repo + "@" + digestB, ""},
		"repoOrExact: digest, tag and digest":   {rule(repoOrExact), repo + "@" + digestA, repo + ":v1@" + digestB, ""},
		"repoOrExact: tag and digest, the same": {rule(repoOrExact), repo + ":v1@" + digestA, repo + ":v1@" + digestA, ""},
		"repoOrExact: digest, short names":      {rule(repoOrExact), "busybox@" + digestA, "docker.io/busybox:1", ""},
		"repoOrExact: digest, bare name": {rule(repoOrExact), "a.io/b@" + digestA, "a.io/b",
			`the signature is for "a.io/b", but MatchRepoDigestOrExact expects the repository "a.io/b" with a tag or digest; a name without a tag, as cosign signs it, needs MatchRepository`},
		"repoOrExact: tag, bare name": {rule(repoOrExact), "a.io/b:v1", "a.io/b",
			`the signature is for "a.io/b", but MatchRepoDigestOrExact expects "a.io/b:v1"; a name without a tag, as cosign signs it, needs MatchRepository`},
		"repoOrExact: tag, another bare name": {rule(repoOrExact), "a.io/b:v1", "a.io/c",
			`the signature is for "a.io/c", but MatchRepoDigestOrExact expects "a.io/b:v1"`},
		"repoOrExact: digest, other repository": {rule(repoOrExact), "a.io/b@" + digestA, "a.io/b/c:v1",
			`the signature is for "a.io/b/c:v1", but MatchRepoDigestOrExact expects the repository "a.io/b" with a tag or digest`},
		"repoOrExact: tag, digest of the same": {rule(repoOrExact), "a.io/b:v1", "a.io/b@" + digestA,
			`the signature is for "a.io/b@` + digestA + `", but MatchRepoDigestOrExact expects "a.io/b:v1"`},
		"repoOrExact: tag and digest, only the tag":    {rule(repoOrExact), "a.io/b:v1@" + digestA, "a.io/b:v1", ""},
		"repoOrExact: tag and digest, only the digest": {rule(repoOrExact), "a.io/b:v1@" + digestA, "a.io/b@" + digestA, ""},
		"repoOrExact: tag and digest, another tag": {rule(repoOrExact), "a.io/b:v1@" + digestA, "a.io/b:v2",
			`the signature is for "a.io/b:v2", but MatchRepoDigestOrExact expects "a.io/b:v1"`},
		"repoOrExact: tag and digest, another tag with the digest": {rule(repoOrExact), "a.io/b:v1@" + digestA, "a.io/b:v2@" + digestA,
			`the signature is for "a.io/b:v2@` + digestA + `", but MatchRepoDigestOrExact expects "a.io/b:v1"`},
		"repoOrExact: tag and digest, another digest": {rule(repoOrExact), "a.io/b:v1@" + digestA, "a.io/b:v1@" + digestB,
			`the signature is for "a.io/b:v1@` + digestB + `", but MatchRepoDigestOrExact expects "a.io/b@` + digestA + `"`},
		"repoOrExact: tag and digest, bare name": {rule(repoOrExact), "a.io/b:v1@" + digestA, "a.io/b",
			`the signature is for "a.io/b", but MatchRepoDigestOrExact expects the repository "a.io/b" with a tag or digest; a name without a tag, as cosign signs it, needs MatchRepository`},
		"repoOrExact: tag and digest, other repository": {rule(repoOrExact), "a.io/b:v1@" + digestA, "a.io/c:v1",
			`the signature is for "a.io/c:v1", but MatchRepoDigestOrExact expects the repository "a.io/b" with a tag or digest`},
		"repoOrExact: bare image": {rule(repoOrExact), "a.io/b", "a.io/b:v1",
			`the image "a.io/b" has neither tag nor digest, one of which MatchRepoDigestOrExact needs`},

		"no name": {rule(""), repo + "@" + digestA, "",
			"the signature states no name of the image, and every signed-identity rule compares one; sign with the image's docker-reference, or set unnamedSignatures to Accept"},
		"no name, repository": {rule(repository), repo, "",
			"the signature states no name of the image, and every signed-identity rule compares one; sign with the image's docker-reference, or set unnamedSignatures to Accept"},
		"no name, exact repository": {exactRepo(repo), "", "",
			"the signature states no name of the image, and every signed-identity rule compares one; sign with the image's docker-reference, or set unnamedSignatures to Accept"},
		"repository: other tag":    {rule(repository), repo + ":v1", repo + ":v2", ""},
		"repository: bare names":   {rule(repository), repo, repo, ""},
		"repository: short names":  {rule(repository), "busybox", "docker.io/library/busybox@" + digestA, ""},
		"repository: other port":   {rule(repository), "a.io:5000/b:v1", "a.io/b:v1", `the signature is for "a.io/b:v1", but MatchRepository expects the repository "a.io:5000/b"`},
		"repository: namespace":    {rule(repository), "a.io/b/c", "a.io/b", `the signature is for "a.io/b", but MatchRepository expects the repository "a.io/b/c"`},
		"repository: common start": {rule(repository), "a.io/b", "a.io/bc", `the signature is for "a.io/bc", but MatchRepository expects the repository "a.io/b"`},

		"reference: the image does not count": {exactRef("a.io/b:v1"), "other.io/x", "a.io/b:v1", ""},
		"reference: no image":                 {exactRef("a.io/b:v1"), "", "a.io/b:v1", ""},
		"reference: short name":               {exactRef("busybox@" + digestA), "", "docker.io/library/busybox@" + digestA, ""},
		"reference: the image's own is not enough": {exactRef("a.io/b:v1"), "other.io/x:1", "other.io/x:1",
			`the signature is for "other.io/x:1", but ExactReference expects "a.io/b:v1"`},
		"reference: bare name": {exactRef("a.io/b:v1"), "", "a.io/b", `the signature is for "a.io/b", but ExactReference expects "a.io/b:v1"`},

		"exact repository: any tag":     {exactRepo("a.io/b"), "other.io/x:1", "a.io/b:v1", ""},
		"exact repository: bare name":   {exactRepo("a.io/b"), "", "a.io/b", ""},
		"exact repository: its own tag": {exactRepo("a.io/b:latest"), "", "a.io/b:v1", ""},
		"exact repository: no prefix":   {exactRepo("a.io/b"), "", "a.io/b/c:v1", `the signature is for "a.io/b/c:v1", but ExactRepository expects the repository "a.io/b"`},

		"remap: namespace":            {mirror, "mirror.example.com:5000/vendor/a/b:1", "vendor.example.com/a/b:1", ""},
		"remap: digest":               {mirror, "mirror.example.com:5000/vendor/a@" + digestA, "vendor.example.com/a:7", ""},
		"remap: tag and digest":       {mirror, "mirror.example.com:5000/vendor/a:1@" + digestA, "vendor.example.com/a:1@" + digestA, ""},
		"remap: whole name":           {remap("m.io/a/b", "v.io/c"), "m.io/a/b:1", "v.io/c:1", ""},
		"remap: host":                 {remap("m.io", "v.io:5000/x"), "m.io/a:1", "v.io:5000/x/a:1", ""},
		"remap: once":                 {remap("m.io/m.io", "v.io"), "m.io/m.io/m.io/m.io:1", "v.io/m.io/m.io:1", ""},
		"remap: to docker.io":         {remap("m.io/hub", "docker.io/library"), "m.io/hub/busybox:1", "busybox:1", ""},
		"remap: from docker.io":       {remap("docker.io/library/busybox", "v.io/b"), "busybox:1", "v.io/b:1", ""},
		"remap: upper-case host":      {remap("M/a", "v.io"), "M/a/b:1", "v.io/b:1", ""},
		"remap: other image as it is": {mirror, "other.example.com/a:1", "other.example.com/a:1", ""},
		"remap: tag still counts": {remap("m.io", "v.io"), "m.io/a:1", "v.io/a:2",
			`the signature is for "v.io/a:2", but RemapIdentity expects "v.io/a:1"`},
		"remap: image's own name is replaced": {remap("m.io", "v.io"), "m.io/a:1", "m.io/a:1",
			`the signature is for "m.io/a:1", but RemapIdentity expects "v.io/a:1"`},
		"remap: ends inside a component": {remap("m.io/v", "v.io"), "m.io/vendor/a:1", "v.ioendor/a:1",
			`the signature is for "v.ioendor/a:1", but RemapIdentity expects "m.io/vendor/a:1"`},
		"remap: host is not host:port": {remap("m.io", "v.io"), "m.io:5000/a:1", "v.io:5000/a:1",
			`the signature is for "v.io:5000/a:1", but RemapIdentity expects "m.io:5000/a:1"`},
		"remap: to a host alone": {remap("m.io/a", "v.io"), "m.io/a:1", "v.io:1",
			`with signedPrefix for prefix the image is "v.io:1", which is not a reference in full`},
		"remap: to docker.io alone": {remap("m.io", "docker.io"), "m.io/busybox:1", "busybox:1",
			`with signedPrefix for prefix the image is "docker.io/busybox:1", which is not a reference in full`},
		"remap: bare image": {remap("m.io", "v.io"), "m.io/a", "v.io/a:1",
			`the image "v.io/a" has neither tag nor digest, one of which RemapIdentity needs`},

		"no image": {rule(exact), "", "a.io/b:v1", "there is no image reference to compare the signed docker-reference with"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := imageref.NewMatcher(test.rule)
			if err != nil {
				t.Fatal(err)
			}
			var image reference.Named
			if test.image != "" {
				image = mustParse(t, test.image)
			}
			if got := text(m.Match(image, test.signed)); got != test.err {
				t.Errorf("Match(%q, %q):\ngot  %s\nwant %s", test.image, test.signed, got, test.err)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRemapBeyondTheLongestReference(t *testing.T) {
	m, err := imageref.NewMatcher(imageref.Rule{
		Match: imageref.RemapIdentity, Prefix: "m.io", SignedPrefix: "v.io/" + strings.Repeat("a", 250),
	})
	if err != nil {
		t.Fatal(err)
	}
	err = m.Match(mustParse(t, "m.io/"+strings.Repeat("b", 250)+":1"), "v.io/a:1")
	want := `with signedPrefix for prefix the image is "v.io/` + strings.Repeat("a", 195) + `"…, which is not a reference in full`
	if got := text(err); got != want {
		t.Errorf("Match:\ngot  %s\nwant %s", got, want)
	}
}

func TestZeroMatcherMatchesNothing(t *testing.T) {
	var m imageref.Matcher
	if got := text(m.Match(mustParse(t, "a.io/b:v1"), "a.io/b:v1")); got != "no signed-identity rule is configured" {
		t.Errorf("Match: %q", got)
	}
}

func TestNewMatcherRefuses(t *testing.T) {
	const long = 1025
	tests := map[string]struct {
		rule imageref.Rule
		want string
	}{
		"unknown rule": {imageref.Rule{Match: "matchExact"}, `type: "matchExact" is none of the signed-identity rules`},
		"no reference": {imageref.Rule{Match: "ExactReference"}, `dockerReference: "" is not an image reference: it is empty`},
		"bare reference": {imageref.Rule{Match: "ExactReference", DockerReference: "a.io/b"},
			`dockerReference: "a.io/b" has neither tag nor digest, so that no signature could match`},
		"no repository": {imageref.Rule{Match: "ExactRepository"}, `dockerRepository: "" is not an image reference: it is empty`},
		"invalid repository": {imageref.Rule{Match: "ExactRepository", DockerRepository: "https://a.io/b"},
			`dockerRepository: "https://a.io/b" is not an image reference: it starts with a scheme`},
		"no prefix":        {imageref.Rule{Match: "RemapIdentity", SignedPrefix: "v.io"}, "prefix: it is empty"},
		"no signed prefix": {imageref.Rule{Match: "RemapIdentity", Prefix: "v.io"}, "signedPrefix: it is empty"},
		"long prefix": {imageref.Rule{Match: "RemapIdentity", Prefix: strings.Repeat("a", long), SignedPrefix: "v.io"},
			"prefix: it is longer than 1024 bytes"},
		"prefix ends in a slash": {imageref.Rule{Match: "RemapIdentity", Prefix: "m.io/", SignedPrefix: "v.io"},
			`prefix: "m.io/" is not a host[:port], namespace or repository, without a scheme, tag, digest or trailing slash`},
		"prefix with a tag": {imageref.Rule{Match: "RemapIdentity", Prefix: "m.io/a:1", SignedPrefix: "v.io"},
			`prefix: "m.io/a:1" is not a host[:port], namespace or repository, without a scheme, tag, digest or trailing slash`},
		"prefix with upper case in the path": {imageref.Rule{Match: "RemapIdentity", Prefix: "m.io/A", SignedPrefix: "v.io"},
			`prefix: "m.io/A" is not a host[:port], namespace or repository, without a scheme, tag, digest or trailing slash`},
		"short name for prefix": {imageref.Rule{Match: "RemapIdentity", Prefix: "busybox", SignedPrefix: "v.io"},
			`prefix: "busybox" has to be written in full, as "docker.io/library/busybox"`},
		"short namespace for signed prefix": {imageref.Rule{Match: "RemapIdentity", Prefix: "m.io", SignedPrefix: "team/app"},
			`signedPrefix: "team/app" has to be written in full, as "docker.io/team/app"`},
		"former name of docker.io": {imageref.Rule{Match: "RemapIdentity", Prefix: "m.io", SignedPrefix: "index.docker.io/library"},
			`signedPrefix: "index.docker.io/library" has to be written in full, as "docker.io/library"`},
		"reference that is not used":     {imageref.Rule{DockerReference: "a.io/b:1"}, "dockerReference: only ExactReference uses it"},
		"repository that is not used":    {imageref.Rule{Match: "MatchExact", DockerRepository: "a.io/b"}, "dockerRepository: only ExactRepository uses it"},
		"prefix that is not used":        {imageref.Rule{Match: "MatchRepository", Prefix: "a.io"}, "prefix: only RemapIdentity uses it"},
		"signed prefix that is not used": {imageref.Rule{Match: "ExactReference", SignedPrefix: "a.io"}, "signedPrefix: only RemapIdentity uses it"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := imageref.NewMatcher(test.rule)
			if m != nil || text(err) != test.want {
				t.Errorf("NewMatcher = %v and error\n%s\nwant\n%s", m, text(err), test.want)
			}
		})
	}
}

func TestParseImage(t *testing.T) {
	tests := map[string]struct{ want, err string }{
		"busybox":                  {want: "docker.io/library/busybox"},
		"busybox:1":                {want: "docker.io/library/busybox:1"},
		"team/app@" + digestA:      {want: "docker.io/team/app@" + digestA},
		"docker.io/busybox":        {want: "docker.io/library/busybox"},
		"index.docker.io/team/app": {want: "docker.io/team/app"},
		"localhost/app":            {want: "localhost/app"},
		"LOCAL/app":                {want: "LOCAL/app"},
		repo + ":v1@" + digestA:    {want: repo + ":v1@" + digestA},
		"[2001:db8::1]:5000/app:1": {want: "[2001:db8::1]:5000/app:1"},
		"a.io/b@sha512:" + strings.Repeat("0", 128): {want: "a.io/b@sha512:" + strings.Repeat("0", 128)},
		"a.io/b@sha384:" + strings.Repeat("0", 96):  {want: "a.io/b@sha384:" + strings.Repeat("0", 96)},

		"":                              {err: `"" is not an image reference: it is empty`},
		" busybox":                      {err: `" busybox" is not an image reference: want [host[:port]/]path[:tag][@digest]`},
		"busybox\n":                     {err: `"busybox\n" is not an image reference: want [host[:port]/]path[:tag][@digest]`},
		"a.io/\u00e4":                   {err: `"a.io/\u00e4" is not an image reference: want [host[:port]/]path[:tag][@digest]`},
		"a.io//b":                       {err: `"a.io//b" is not an image reference: want [host[:port]/]path[:tag][@digest]`},
		"a.io./b":                       {err: `"a.io./b" is not an image reference: want [host[:port]/]path[:tag][@digest]`},
		"docker://busybox":              {err: `"docker://busybox" is not an image reference: it starts with a scheme`},
		"a.io/Team/app":                 {err: `"a.io/Team/app" is not an image reference: the repository name has upper-case letters`},
		"my_host.example.com/a:1":       {err: `"my_host.example.com/a:1" is not an image reference: its host is not a host name or address: host names have no underscore`},
		"BusyBox":                       {err: `"BusyBox" is not an image reference: the repository name has upper-case letters`},
		strings.Repeat("a", 64):         {err: `"` + strings.Repeat("a", 64) + `" is the ID of an image, not a name`},
		digestA[7:]:                     {err: `"` + digestA[7:] + `" is the ID of an image, not a name`},
		"a.io/b@sha256:0":               {err: `"a.io/b@sha256:0" is not an image reference: the digest is not sha256, sha384 or sha512 with as many lower-case hexadecimal digits as it takes`},
		"b@md5:" + digestA[7:39]:        {err: `"b@md5:` + digestA[7:39] + `" is not an image reference: the digest is not sha256, sha384 or sha512 with as many lower-case hexadecimal digits as it takes`},
		"b@" + strings.ToUpper(digestA): {err: `"b@` + strings.ToUpper(digestA) + `" is not an image reference: the digest is not sha256, sha384 or sha512 with as many lower-case hexadecimal digits as it takes`},
		strings.Repeat("a", 256):        {err: `"` + strings.Repeat("a", 200) + `"… is not an image reference: the path is longer than 255 characters`},
		strings.Repeat("a", 1025):       {err: "an image reference is longer than 1024 bytes"},
	}
	for in, test := range tests {
		t.Run(in, func(t *testing.T) {
			named, err := imageref.ParseImage(in)
			got := ""
			if err == nil {
				got = named.String()
			}
			if got != test.want || text(err) != test.err {
				t.Errorf("ParseImage(%q):\ngot  %q, error %s\nwant %q, error %s", in, got, text(err), test.want, test.err)
			}
		})
	}
}

// TestExpected checks that each rule says what it accepts, and that it accepts that.
func TestExpected(t *testing.T) {
	const d = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	remap := imageref.Rule{Match: imageref.RemapIdentity, Prefix: "mirror.example", SignedPrefix: "vendor.example"}
	hub := imageref.Rule{Match: imageref.RemapIdentity, Prefix: "mirror.example/x", SignedPrefix: "vendor.example"}
	tests := map[string]struct {
		rule        imageref.Rule
		image, want string
		accepts     []string
	}{
		"a tag":                {imageref.Rule{}, "a.example/app:v1", `"a.example/app:v1"`, []string{"a.example/app:v1"}},
		"a digest":             {imageref.Rule{}, "a.example/app@" + d, `the repository "a.example/app" with a tag or digest`, []string{"a.example/app:v2", "a.example/app@" + d}},
		"both":                 {imageref.Rule{}, "a.example/app:v1@" + d, `"a.example/app:v1" or the repository with the image's digest`, []string{"a.example/app:v1", "a.example/app@" + d}},
		"neither":              {imageref.Rule{}, "a.example/app", `a tag or digest in the image's own reference, "a.example/app"`, nil},
		"no image":             {imageref.Rule{}, "", "an image with a reference", nil},
		"exact":                {imageref.Rule{Match: imageref.MatchExact}, "a.example/app:v1@" + d, `"a.example/app:v1@` + d + `"`, []string{"a.example/app:v1@" + d}},
		"repository":           {imageref.Rule{Match: imageref.MatchRepository}, "a.example/app:v1", `the repository "a.example/app"`, []string{"a.example/app", "a.example/app:v3"}},
		"exact reference":      {imageref.Rule{Match: imageref.ExactReference, DockerReference: "b.example/x:v1"}, "", `"b.example/x:v1"`, []string{"b.example/x:v1"}},
		"exact repository":     {imageref.Rule{Match: imageref.ExactRepository, DockerRepository: "b.example/x"}, "", `the repository "b.example/x"`, []string{"b.example/x:v1"}},
		"remapped":             {remap, "mirror.example/app:v1", `"vendor.example/app:v1"`, []string{"vendor.example/app:v1"}},
		"not remapped":         {remap, "a.example/app:v1", `"a.example/app:v1"`, []string{"a.example/app:v1"}},
		"remapped onto a host": {hub, "mirror.example/x:v1", `no name: with signedPrefix for prefix the image is "vendor.example:v1", which is not a reference in full`, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := imageref.NewMatcher(tt.rule)
			if err != nil {
				t.Fatal(err)
			}
			var image reference.Named
			if tt.image != "" {
				if image, err = imageref.ParseImage(tt.image); err != nil {
					t.Fatal(err)
				}
			}
			if got := m.Expected(image); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			for _, signed := range tt.accepts {
				if err := m.Match(image, signed); err != nil {
					t.Errorf("%s: %v", signed, err)
				}
			}
			if want := cmp.Or(tt.rule.Match, imageref.MatchRepoDigestOrExact); m.Rule() != want {
				t.Errorf("the rule is %s, want %s", m.Rule(), want)
			}
		})
	}
}
