// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package simplesigning_test

import (
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/simplesigning"
)

const (
	testDigest    = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	testReference = "registry.example.com:5000/team/app:v1"
	testCreator   = "tool 1.0"
	testTime      = 1483228800
)

// vectors returns the content of every file in testdata.
func vectors(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no vectors in testdata")
	}
	contents := make(map[string][]byte)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		contents[strings.TrimSuffix(filepath.Base(file), ".json")] = content
	}
	return contents
}

// payload returns the expected payload of a vector with the usual members and the given optional
// ones.
func payload(creator *string, timestamp *int64, more map[string]string) *simplesigning.Payload {
	p := &simplesigning.Payload{
		ManifestDigest: testDigest, DockerReference: testReference, Creator: creator, Timestamp: timestamp,
		Claims: map[string]string{
			"critical.type":                         "atomic container signature",
			"critical.image.docker-manifest-digest": testDigest,
			"critical.identity.docker-reference":    testReference,
		},
	}
	if creator != nil {
		p.Claims["optional.creator"] = *creator
	}
	if timestamp != nil {
		p.Claims["optional.timestamp"] = fmt.Sprint(*timestamp)
	}
	maps.Copy(p.Claims, more)
	return p
}

// named returns the usual payload with another digest and reference. claim is the escaped
// reference.
func named(d digest.Digest, reference, claim string) *simplesigning.Payload {
	p := payload(new(testCreator), new(int64(testTime)), map[string]string{
		"critical.image.docker-manifest-digest": d.String(),
		"critical.identity.docker-reference":    claim,
	})
	p.ManifestDigest, p.DockerReference = d, reference
	return p
}

// sum returns the hexadecimal SHA-512 or SHA-384 of "test".
func sum(bits int) string {
	if bits == 384 {
		s := sha512.Sum384([]byte("test"))
		return hex.EncodeToString(s[:])
	}
	s := sha512.Sum512([]byte("test"))
	return hex.EncodeToString(s[:])
}

func accepted() map[string]*simplesigning.Payload {
	longName := "optional." + strings.Repeat("k", 116) + "…"
	tooMany := map[string]string{"optional.…": "4 more"}
	for i := range 26 {
		tooMany[fmt.Sprintf("optional.m%02d", i)] = fmt.Sprint(i)
	}
	cut := payload(new(strings.Repeat("c", 1025)), nil, map[string]string{
		"optional.creator": strings.Repeat("c", 1021) + "…",
		"optional.x" + strings.Repeat("y", 115) + "…": strings.Repeat("v", 1018) + `\u000a`,
	})
	escaped := payload(new("a\x1b[31m\u202eb\u200b\\u202e😀\ue000\U000e0001é"), nil, map[string]string{
		"optional.creator":          `a\u001b[31m\u202eb\u200b\\u202e😀\ue000\udb40\udc01é`,
		`optional.na\u000ame\u2066`: "v",
	})
	long := strings.Repeat("a", 1024)
	return map[string]*simplesigning.Payload{
		"accept-plain":                          payload(new(testCreator), new(int64(testTime)), nil),
		"accept-escaped-names":                  payload(new(testCreator), new(int64(testTime)), nil),
		"accept-order-and-white-space":          payload(nil, nil, nil),
		"accept-no-timestamp-trailing-blank":    payload(new("tool "), nil, nil),
		"accept-sha384":                         named(digest.Digest("sha384:"+sum(384)), testReference, testReference),
		"accept-sha512":                         named(digest.Digest("sha512:"+sum(512)), testReference, testReference),
		"accept-reference-is-any-text":          named(testDigest, "Not A Reference\x00", `Not A Reference\u0000`),
		"accept-reference-1024-bytes":           named(testDigest, long, long),
		"accept-timestamp-one-point-zero":       payload(nil, new(int64(testTime)), nil),
		"accept-timestamp-exponent":             payload(nil, new(int64(testTime)), nil),
		"accept-timestamp-negative-zero":        payload(nil, new(int64(0)), nil),
		"accept-timestamp-max":                  payload(nil, new(int64(1<<63-1)), nil),
		"accept-timestamp-min":                  payload(nil, new(int64(-1<<63)), nil),
		"accept-timestamp-2pow53plus1":          payload(nil, new(int64(1<<53+1)), nil),
		"accept-timestamp-year-10000":           payload(nil, new(int64(253402300800)), nil),
		"accept-optional-number-beyond-float64": payload(nil, nil, map[string]string{"optional.n": "1e1000000000"}),
		"accept-optional-unknown-members": payload(nil, nil, map[string]string{
			"optional.Creator": "not the creator",
			"optional.a":       `{"b":"<\u2028","z":[1,2.50,{"k":null}]}`,
			"optional.n":       "1e2",
			"optional.s":       "x",
			"optional.t":       "true",
			"optional.u":       "null",
		}),
		"accept-claims-escaped":       escaped,
		"accept-claims-cut":           cut,
		"accept-claims-too-many":      payload(new("tool"), new(int64(0)), tooMany),
		"accept-claims-same-when-cut": payload(nil, nil, map[string]string{longName: "first"}),
	}
}

// refused maps vectors to the text of their error without its common prefix.
var refused = map[string]string{
	"reject-byte-order-mark":             `byte 0: no JSON value where an object should be`,
	"reject-comment":                     `byte 287: a comma or the end of an object or array is missing`,
	"reject-creator-duplicate":           `optional: byte 257: duplicate member "creator"`,
	"reject-creator-line-feed":           `optional.creator: byte 255: a control character stands unescaped in a string`,
	"reject-creator-lone-surrogate":      `optional.creator: byte 254: an escaped surrogate is not part of a pair`,
	"reject-creator-null":                `optional.creator: byte 253: null where a string should be`,
	"reject-creator-number":              `optional.creator: byte 253: a number where a string should be`,
	"reject-critical-case":               `critical: unknown member "Type"`,
	"reject-critical-missing":            `member "critical" is missing`,
	"reject-critical-null":               `critical: byte 12: null where an object should be`,
	"reject-critical-unknown":            `critical: unknown member "must"`,
	"reject-digest-algorithm":            `critical.image.docker-manifest-digest: the digest algorithm is none of sha256, sha384 and sha512`,
	"reject-digest-duplicate-escaped":    `critical.image: byte 157: duplicate member "docker-manifest-digest"`,
	"reject-digest-empty":                `critical.image.docker-manifest-digest: "" is not a digest of the form sha256:<lower-case hexadecimal digits>`,
	"reject-digest-missing":              `critical.image: member "docker-manifest-digest" is missing`,
	"reject-digest-number":               `critical.image.docker-manifest-digest: byte 83: a number where a string should be`,
	"reject-digest-path":                 `critical.image.docker-manifest-digest: "sha256:../../../../etc/passwd" is not a digest of the form sha256:<lower-case hexadecimal digits>`,
	"reject-digest-short":                `critical.image.docker-manifest-digest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a0" is not a digest of the form sha256:<lower-case hexadecimal digits>`,
	"reject-digest-upper-case":           `critical.image.docker-manifest-digest: "sha256:9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08" is not a digest of the form sha256:<lower-case hexadecimal digits>`,
	"reject-empty":                       `byte 0: no JSON value where an object should be`,
	"reject-identity-missing":            `critical: member "identity" is missing`,
	"reject-identity-string":             `critical.identity: byte 169: a string where an object should be`,
	"reject-image-case-shadow":           `critical.image: unknown member "Docker-Manifest-Digest"`,
	"reject-image-fold-shadow":           `critical.image: unknown member "doc\u212aer-manifest-digest"`,
	"reject-image-missing":               `critical: member "image" is missing`,
	"reject-image-unknown":               `critical.image: unknown member "x"`,
	"reject-not-utf8":                    `byte 254: the text is not UTF-8`,
	"reject-nul":                         `byte 0: no JSON value where an object should be`,
	"reject-optional-array":              `optional: byte 242: an array where an object should be`,
	"reject-optional-missing":            `member "optional" is missing`,
	"reject-optional-null":               `optional: byte 242: null where an object should be`,
	"reject-reference-1025-bytes":        `critical.identity.docker-reference: the reference is longer than 1024 bytes`,
	"reject-reference-empty":             `critical.identity.docker-reference: the reference is empty`,
	"reject-reference-missing":           `critical.identity: member "docker-reference" is missing`,
	"reject-reference-null":              `critical.identity.docker-reference: byte 189: null where a string should be`,
	"reject-timestamp-fraction":          `optional.timestamp: the value is not an integer of 64 bits`,
	"reject-timestamp-huge-exponent":     `optional.timestamp: the value is not an integer of 64 bits`,
	"reject-timestamp-leading-zero":      `optional.timestamp: byte 257: a number is malformed`,
	"reject-timestamp-string":            `optional.timestamp: byte 255: a string where a number should be`,
	"reject-timestamp-too-large":         `optional.timestamp: the value is not an integer of 64 bits`,
	"reject-too-many-members":            `optional: byte 2181: an object has more than 256 members`,
	"reject-top-array":                   `byte 0: an array where an object should be`,
	"reject-top-case":                    `unknown member "Critical"`,
	"reject-top-duplicate-critical":      `byte 288: duplicate member "critical"`,
	"reject-top-unknown":                 `unknown member "extra"`,
	"reject-trailing-comma":              `optional: byte 257: no JSON value where a string should be`,
	"reject-trailing-nul":                `byte 288: there is more text after the value`,
	"reject-trailing-object":             `byte 288: there is more text after the value`,
	"reject-truncated":                   `byte 287: a comma or the end of an object or array is missing`,
	"reject-type-missing":                `critical: member "type" is missing`,
	"reject-type-null":                   `critical.type: byte 20: null where a string should be`,
	"reject-type-other":                  `critical.type: "cosign container image signature" is not "atomic container signature"`,
	"reject-unknown-duplicate-of-itself": `optional: byte 249: duplicate member "x"`,
	"reject-unknown-duplicate":           `optional: byte 254: duplicate member "a"`,
	"reject-unknown-malformed":           `optional: byte 250: a value is malformed`,
	"reject-unknown-string-malformed":    `optional: byte 248: an escape sequence is malformed`,
	"reject-unknown-too-deep":            `optional: byte 261: objects and arrays are nested more than 16 deep`,
	"reject-white-space":                 `byte 2: no JSON value where an object should be`,
}

func TestParseVectors(t *testing.T) {
	want := accepted()
	for name, content := range vectors(t) {
		t.Run(name, func(t *testing.T) {
			got, err := simplesigning.Parse(content)
			if text, ok := refused[name]; ok {
				checkRefused(t, got, err, text)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want[name], got); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
			checkBounds(t, got)
		})
	}
	expected := append(slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(refused))...)
	slices.Sort(expected)
	if diff := cmp.Diff(expected, slices.Sorted(maps.Keys(vectors(t)))); diff != "" {
		t.Errorf("expectations and files in testdata differ (-expected +files):\n%s", diff)
	}
}

func checkRefused(t *testing.T, got *simplesigning.Payload, err error, text string) {
	t.Helper()
	if got != nil {
		t.Errorf("an error comes with a payload: %+v", got)
	}
	if _, ok := err.(*simplesigning.Error); !ok {
		t.Fatalf("error %v is a %T, want *Error", err, err)
	}
	if diff := cmp.Diff("signed payload: "+text, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

// checkBounds checks the documented bounds of all claims.
func checkBounds(t *testing.T, p *simplesigning.Payload) {
	t.Helper()
	if len(p.Claims) > simplesigning.MaxClaims {
		t.Errorf("%d claims", len(p.Claims))
	}
	for name, value := range p.Claims {
		if len(name) > simplesigning.MaxClaimName || len(value) > simplesigning.MaxClaimValue {
			t.Errorf("claim %.40s: name of %d bytes, value of %d", name, len(name), len(value))
		}
		if strings.ContainsFunc(name+value, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x202e || r == 0x2028 }) {
			t.Errorf("claim %q: %q has a character that should be escaped", name, value)
		}
	}
}

func TestParseRefusesLargePayload(t *testing.T) {
	plain := string(vectors(t)["accept-plain"])
	fits := plain + strings.Repeat(" ", simplesigning.MaxSize-len(plain))
	if _, err := simplesigning.Parse([]byte(fits)); err != nil {
		t.Errorf("payload of MaxSize: %v", err)
	}
	got, err := simplesigning.Parse([]byte(fits + " "))
	checkRefused(t, got, err, "byte 131072: the document is larger than 131072 bytes")
}

func TestCreated(t *testing.T) {
	tests := map[string]struct {
		timestamp *int64
		want      time.Time
		ok        bool
	}{
		"absent":           {},
		"epoch":            {timestamp: new(int64(0)), want: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), ok: true},
		"usual":            {timestamp: new(int64(testTime)), want: time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC), ok: true},
		"first":            {timestamp: new(int64(-62135596800)), want: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), ok: true},
		"before year 1":    {timestamp: new(int64(-62135596801))},
		"last":             {timestamp: new(int64(253402300799)), want: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), ok: true},
		"year 10000":       {timestamp: new(int64(253402300800))},
		"largest":          {timestamp: new(int64(1<<63 - 1))},
		"most in the past": {timestamp: new(int64(-1 << 63))},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := &simplesigning.Payload{Timestamp: test.timestamp}
			got, ok := p.Created()
			if ok != test.ok || !got.Equal(test.want) {
				t.Errorf("Created() = %v, %v; want %v, %v", got, ok, test.want, test.ok)
			}
			if _, err := got.MarshalJSON(); err != nil {
				t.Errorf("not representable in RFC 3339: %v", err)
			}
		})
	}
}

// TestTimestampSpellings checks that the exact value of a number counts, not its spelling.
func TestTimestampSpellings(t *testing.T) {
	tests := map[string]*int64{
		"0":                        new(int64(0)),
		"-0.000":                   new(int64(0)),
		"0e999999999999999999999":  new(int64(0)),
		"0.1e1":                    new(int64(1)),
		"10e-1":                    new(int64(1)),
		"1.0E+0":                   new(int64(1)),
		"-120e-1":                  new(int64(-12)),
		"100.00e-2":                new(int64(1)),
		"9223372036854775807.0":    new(int64(1<<63 - 1)),
		"0.9223372036854775807e19": new(int64(1<<63 - 1)),
		"-9223372036854775808":     new(int64(-1 << 63)),
		"1e18":                     new(int64(1e18)),
		"1" + strings.Repeat("0", 5000) + "e-5000":  new(int64(1)),
		"0." + strings.Repeat("0", 5000) + "1e5001": new(int64(1)),
		"1e19":                          nil,
		"-9223372036854775809":          nil,
		"9223372036854775807.5":         nil,
		"1e-1":                          nil,
		"12e-1":                         nil,
		"1e-999999999999999999999":      nil,
		"1e9223372036854775807":         nil,
		"10e-9223372036854775808":       nil,
		"1" + strings.Repeat("0", 5000): nil,
	}
	for spelling, want := range tests {
		t.Run(fmt.Sprintf("%.30s", spelling), func(t *testing.T) {
			got, err := simplesigning.Parse([]byte(`{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":"` +
				testDigest + `"},"identity":{"docker-reference":"` + testReference + `"}},"optional":{"timestamp":` + spelling + `}}`))
			if want == nil {
				checkRefused(t, got, err, "optional.timestamp: the value is not an integer of 64 bits")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(payload(nil, want, nil), got); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
		})
	}
}
