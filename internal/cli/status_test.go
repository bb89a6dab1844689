// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/cli/summary"
	"github.com/assay-project/assay/internal/importstatus"
)

var statusNow = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func someStatus() *summary.Status {
	later := metav1.NewTime(statusNow.Add(12 * time.Minute))
	soon, past := metav1.NewTime(statusNow.Add(6*24*time.Hour)), metav1.NewTime(statusNow.Add(-50*time.Hour))
	return &summary.Status{
		Images:  summary.ImageCounts{Total: 5, Verified: 1, Refused: 2, Unknown: 1, Pending: 1},
		Reasons: []summary.ReasonCount{{Verified: "False", Reason: "KeyRevoked", Count: 2}, {Verified: "Unknown", Reason: "NoTrustPolicy", Count: 1}, {Verified: "True", Reason: "Verified", Count: 1}},
		Policies: []summary.Policy{
			{Name: "shop", Scopes: []string{"registry.example.com/shop", "*.example.net"}, Enforcement: "Enforce", Ready: "True", Reason: "Ready", Keys: "2/3", Images: &assayv1alpha1.ImageCounts{Verified: 1, Failed: 2}},
			{Name: "new"},
		},
		Keys: []summary.Key{
			{Policy: "shop", Name: "release", Fingerprint: "ABCD", UserID: "Mallory\x1b[2J\t<m@example.com>", Expires: &past, Reason: "KeyExpired", Source: "Secret/keys[a.asc]", Message: "expired"},
			{Policy: "shop", Name: "next", Fingerprint: "EF01", Expires: &soon},
			{Policy: "shop", Name: "lost", Reason: "SourceNotFound"},
		},
		Unverified: []summary.Image{
			{Name: "sha256-1", Reference: "registry.example.com/a:1", Verified: "False", Reason: "KeyRevoked", Message: "revoked\nyesterday"},
			{Name: "sha256-2", Reference: "registry.example.com/a:2"},
		},
		Omitted: 2,
		APIServers: []summary.APIServer{
			{Address: "10.0.0.11:6443", State: "Current", Since: past},
			{Address: "10.0.0.12:6443\x1b[2J", State: "Stale", Since: soon, Message: "its copy is outdated"},
		},
		APIServersNote: "some are\nmissing",
		RegistryConfigs: []summary.RegistryConfig{
			{Name: "new", Scopes: []string{"*.example.net"}},
			{
				Name: "team", Scopes: []string{"registry.example.com/team"}, Lookaside: "https://signatures.example.com", Mirrors: []string{"mirror.example.com/team"},
				Ready: "False", Reason: "RateLimited", Message: "registry.example.com asks for\nfewer requests", Images: &assayv1alpha1.ImportCounts{Imported: 7, Pending: 2, Failed: 1},
			},
		},
		RegistryConfigsNote: "not permitted",
		Import: importstatus.Status{
			Hosts: []importstatus.Host{
				{Host: "down.example.com", Reason: "Unavailable", Message: "did not answer in time\x1b[2J", Since: past, Until: &past},
				{Host: "registry.example.com", Reason: "RateLimited", Message: "asks for fewer requests (status 429)", Since: past, Until: &later},
			},
			OmittedHosts: 1,
			Pending: importstatus.Pending{Images: 3, Oldest: &importstatus.PendingImage{
				Name: "sha256-2", Reference: "registry.example.com/a\x1b:2", Reason: "RateLimited", Since: past,
			}},
			Discovery: &importstatus.Discovery{
				Verified: 1, Unverified: 2, Unresolved: 3, Excess: 4, Dropped: 5,
				LeftOut: []importstatus.LeftOut{
					{Namespace: "flood", Cause: "NotRemembered", References: 5}, {Namespace: "flood", Cause: "TooManyReferences", References: 4},
				},
				OmittedLeftOut: 2, OmittedTags: 3, NotListed: []string{"jobs", "pods"},
				Tags: []importstatus.Tag{{Image: "registry.example.com/a:2", Message: "registry.example.com answered with status 401"}},
			},
		},
		MovedTags: []summary.MovedTag{
			{MovedTag: importstatus.MovedTag{Image: "registry.example.com/a:2", Digest: "sha256:0123456789abcdef", Name: "sha256-1", Previous: "sha256:fedcba9876543210"}, Verified: "False", Reason: "NoSignatures"},
			{MovedTag: importstatus.MovedTag{Image: "registry.example.com/b:2", Digest: "sha256:0\x1b", Previous: "x"}},
		},
		OmittedMovedTags: 4,
		ImportNote:       "also missing",
	}
}

func TestStatusFormats(t *testing.T) {
	const table = `5 images: 1 verified, 2 refused, 1 could not be checked, 1 pending

VERIFIED   REASON          IMAGES
False      KeyRevoked      2
Unknown    NoTrustPolicy   1
True       Verified        1

POLICY   ENFORCEMENT   READY   KEYS   VERIFIED   FAILED   UNKNOWN
shop     Enforce       True    2/3    1          2        0
new      -             -       -      -          -        -

KEY    POLICY   EXPIRES    REASON           OWNER
ABCD   shop     2d2h ago   KeyExpired       Mallory?[2J?<m@example.com>
EF01   shop     in 6d      -                -
lost   shop     -          SourceNotFound   -

REGISTRYCONFIG   READY   REASON        IMPORTED   PENDING   FAILED
new              -       -             -          -         -
team             False   RateLimited   7          2         1

The RegistryConfigs are not shown: not permitted

HOST                   REASON        SINCE   RESTS     MESSAGE
down.example.com       Unavailable   2d2h    -         did not answer in time?[2J
registry.example.com   RateLimited   2d2h    for 12m   asks for fewer requests (status 429)
and 1 more

Images that wait for signatures: 3, the oldest for 2d2h (RateLimited): sha256-2 registry.example.com/a?:2

Images that workloads refer to: 1 verified, 2 not verified, 3 by a tag whose digest is not known, 4 left out

NAMESPACE   LEFT OUT   CAUSE
flood       5          NotRemembered
flood       4          TooManyReferences
and 2 more

TAG                        LOOKUP FAILED
registry.example.com/a:2   registry.example.com answered with status 401
and 3 more

Resources that cannot be listed, so that nothing is discovered from them: jobs, pods

TAG                        MOVED TO              VERIFIED   REASON         VERIFIED BEFORE
registry.example.com/a:2   sha256:0123456789ab   False      NoSignatures   sha256:fedcba987654
registry.example.com/b:2   sha256:0?             Pending    -              x
and 4 more

The state of imports is not shown: also missing

API SERVER           ALLOWLIST   SINCE
10.0.0.11:6443       Current     2d2h
10.0.0.12:6443?[2J   Stale       0s

The API servers are not shown: some are?missing
`
	const wide = `5 images: 1 verified, 2 refused, 1 could not be checked, 1 pending

VERIFIED   REASON          IMAGES
False      KeyRevoked      2
Unknown    NoTrustPolicy   1
True       Verified        1

POLICY   ENFORCEMENT   READY   KEYS   VERIFIED   FAILED   UNKNOWN   SCOPES                                    MESSAGE
shop     Enforce       True    2/3    1          2        0         registry.example.com/shop,*.example.net   -
new      -             -       -      -          -        -         -                                         -

KEY    POLICY   EXPIRES    REASON           OWNER                         SOURCE               MESSAGE
ABCD   shop     2d2h ago   KeyExpired       Mallory?[2J?<m@example.com>   Secret/keys[a.asc]   expired
EF01   shop     in 6d      -                -                             -                    -
lost   shop     -          SourceNotFound   -                             -                    -

REGISTRYCONFIG   READY   REASON        IMPORTED   PENDING   FAILED   SCOPES                      LOOKASIDE                        MIRRORS                   MESSAGE
new              -       -             -          -         -        *.example.net               -                                -                         -
team             False   RateLimited   7          2         1        registry.example.com/team   https://signatures.example.com   mirror.example.com/team   registry.example.com asks for?fewer requests

The RegistryConfigs are not shown: not permitted

HOST                   REASON        SINCE   RESTS     MESSAGE
down.example.com       Unavailable   2d2h    -         did not answer in time?[2J
registry.example.com   RateLimited   2d2h    for 12m   asks for fewer requests (status 429)
and 1 more

Images that wait for signatures: 3, the oldest for 2d2h (RateLimited): sha256-2 registry.example.com/a?:2

Images that workloads refer to: 1 verified, 2 not verified, 3 by a tag whose digest is not known, 4 left out

NAMESPACE   LEFT OUT   CAUSE
flood       5          NotRemembered
flood       4          TooManyReferences
and 2 more

TAG                        LOOKUP FAILED
registry.example.com/a:2   registry.example.com answered with status 401
and 3 more

Resources that cannot be listed, so that nothing is discovered from them: jobs, pods

TAG                        MOVED TO                  VERIFIED   REASON         VERIFIED BEFORE           IMAGE
registry.example.com/a:2   sha256:0123456789abcdef   False      NoSignatures   sha256:fedcba9876543210   sha256-1
registry.example.com/b:2   sha256:0?                 Pending    -              x                         -
and 4 more

The state of imports is not shown: also missing

API SERVER           ALLOWLIST   SINCE   MESSAGE
10.0.0.11:6443       Current     2d2h    -
10.0.0.12:6443?[2J   Stale       0s      its copy is outdated

The API servers are not shown: some are?missing

IMAGE      REFERENCE                  VERIFIED   REASON       MESSAGE
sha256-1   registry.example.com/a:1   False      KeyRevoked   revoked?yesterday
sha256-2   registry.example.com/a:2   Pending    -            -
and 2 more (--limit)
`
	for format, want := range map[string]string{"table": table, "wide": wide} {
		write, err := statusWriter(format)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := write(&b, someStatus(), statusNow); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
}

func TestStatusWithoutPolicies(t *testing.T) {
	var b bytes.Buffer
	if err := writeStatusTable(&b, &summary.Status{}, statusNow, true); err != nil {
		t.Fatal(err)
	}
	want := "0 images: 0 verified, 0 refused, 0 could not be checked, 0 pending\n\nThere are no TrustPolicies: no image can be verified.\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStatusForPrograms(t *testing.T) {
	for format, want := range map[string][]string{
		"json": {`"verified": 1`, `"reasons": [`, `"expires": "2025-12-29T22:00:00Z"`, `"userID": "Mallory\u001b[2J\t<m@example.com>"`, `"omitted": 2`},
		"yaml": {"verified: 1", "reasons:\n- count: 2", `expires: "2025-12-29T22:00:00Z"`, `userID: "Mallory\e[2J\t<m@example.com>"`, "omitted: 2"},
	} {
		write, err := statusWriter(format)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := write(&b, someStatus(), statusNow); err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(b.String(), part) {
				t.Errorf("%s lacks %q:\n%s", format, part, &b)
			}
		}
	}
}

func TestStatusUsage(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "kubeconfig")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a format that is none": {[]string{"-o", "xml"}, "--output must be"},
		"a negative limit":      {[]string{"--limit", "-1"}, "must not be negative"},
		"a time that is none":   {[]string{"--expiring-within", "soon"}, "soon"},
		"an argument":           {[]string{"all"}, "unexpected argument"},
		"no cluster":            {[]string{"--kubeconfig", nowhere}, "no cluster to connect to"},
		"an unknown context":    {[]string{"--context", "gone"}, "gone"},
	} {
		var stdout, stderr bytes.Buffer
		code := Main(append([]string{"status"}, c.args...), nil, &stdout, &stderr)
		if code != ExitError || stdout.Len() > 0 || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%s: exit status %d, %q, %q", name, code, &stdout, &stderr)
		}
	}
}

// A closed pipe ends the command, even one that would run forever.
func TestStatusCannotBeWritten(t *testing.T) {
	write, err := statusWriter("table")
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := write(failing{broken}, someStatus(), statusNow); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestDisplayName(t *testing.T) {
	for program, want := range map[string]string{
		"/usr/local/bin/assay": "assay", "assay.test": "assay", "": "assay",
		"/root/.krew/bin/kubectl-assay": "kubectl assay", "kubectl-assay.exe": "kubectl assay",
	} {
		if got := displayName(program); got != want {
			t.Errorf("%s is named %q, want %q", program, got, want)
		}
	}
}

// TestCompletion asks the program for completions as a shell does.
func TestCompletion(t *testing.T) {
	for name, c := range map[string]struct{ args, want []string }{
		"commands": {[]string{""}, []string{"image", "manager", "policy", "status", "verify", "version", "completion"}},
		"formats":  {[]string{"status", "-o", ""}, []string{"table", "wide", "json", "yaml"}},
		"results":  {[]string{"verify", "--output", ""}, []string{"text", "json", "yaml"}},
		"rules":    {[]string{"verify", "--match-policy", ""}, []string{"MatchRepoDigestOrExact", "RemapIdentity"}},
		"levels":   {[]string{"policy", "convert", "--enforcement", ""}, []string{"Enforce", "Warn", "Audit"}},
		"objects":  {[]string{"image", "create", "-o", ""}, []string{"yaml", "json"}},
	} {
		var stdout, stderr bytes.Buffer
		if code := Main(append([]string{"__complete"}, c.args...), nil, &stdout, &stderr); code != ExitOK {
			t.Errorf("%s: exit status %d: %s", name, code, &stderr)
		}
		for _, word := range c.want {
			if !strings.Contains("\n"+stdout.String(), "\n"+word) {
				t.Errorf("%s: %q is not in %q", name, word, &stdout)
			}
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		var stdout, stderr bytes.Buffer
		if code := Main([]string{"completion", shell}, nil, &stdout, &stderr); code != ExitOK || !strings.Contains(stdout.String(), "assay") {
			t.Errorf("%s: exit status %d, %d bytes, %s", shell, code, stdout.Len(), &stderr)
		}
	}
}
