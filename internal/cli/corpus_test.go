// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assay-project/assay/internal/cli"
	"github.com/assay-project/assay/internal/testenv/corpus"
)

// maxAllocation bounds the allocations of one decision in bytes, including all files. Some inputs
// make other verifiers allocate half a gigabyte.
const maxAllocation = 200 << 20

// maxProcessorTime bounds the processor time of one decision, which does not depend on other load
// of the machine. Usually it is 0.01 s.
const maxProcessorTime = 2 * time.Second

// TestCorpus runs `assay verify` on every case of the corpus that its options can express.
func TestCorpus(t *testing.T) {
	for _, c := range append(corpus.OpenPGP(t), corpus.Sigstore(t)...) {
		t.Run(c.Name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := processorTime(t)
			got := run("", corpusFlags(&c).args()...)
			if took := processorTime(t) - start; took > maxProcessorTime {
				t.Errorf("it took %s of the processor, want at most %s", took, maxProcessorTime)
			}
			runtime.ReadMemStats(&after)
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > maxAllocation {
				t.Errorf("%d MiB were allocated, want at most %d", allocated>>20, maxAllocation>>20)
			}
			var d decision
			// A case without a valid policy has no decision, which counts as a refusal.
			if got.stdout != "" {
				d = got.decision(t)
			} else if got.exit != cli.ExitError || !strings.HasPrefix(got.stderr, "assay: ") {
				t.Fatalf("no decision, exit code %d with %q", got.exit, got.stderr)
			}
			if d.Verified != (got.exit == cli.ExitOK) {
				t.Errorf("exit code %d with %+v", got.exit, d)
			}
			c.CheckVerdict(t, d.Verified)
			if d.Verified {
				c.CheckClaims(t, strings.TrimPrefix(d.PublicKeyID, "0x"), d.ImageIdentity)
			} else if d.ImageIdentity != "" {
				t.Errorf("not verified, with the identity %q", d.ImageIdentity)
			}
		})
	}
}

// processorTime returns the processor time of this process.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// corpusFlags converts a case to a command line.
func corpusFlags(c *corpus.Case) flags {
	f := flags{
		"type":         {c.SignatureType()},
		"signature":    {c.Path(c.ContentFile)},
		"image":        {c.ImageReference},
		"match-policy": {c.Identity.Match()},
		"output":       {"json"},
	}
	for _, name := range c.TrustedKeyFiles() {
		f["trusted-key"] = append(f["trusted-key"], c.Path(name))
	}
	for _, name := range c.SigstorePolicy.RekorKeyFiles {
		f["rekor-key"] = append(f["rekor-key"], c.Path(name))
	}
	path := func(name string) string {
		if name == "" {
			return ""
		}
		return c.Path(name)
	}
	options := map[string]string{
		"exact-reference":     c.Identity.DockerReference,
		"exact-repository":    c.Identity.DockerRepository,
		"remap-prefix":        c.Identity.Prefix,
		"remap-signed-prefix": c.Identity.SignedPrefix,
	}
	if p := c.SigstorePolicy.Fulcio; p != nil {
		options["fulcio-ca"], options["certificate-oidc-issuer"], options["certificate-email"] = path(p.CAFile), p.OIDCIssuer, p.SubjectEmail
	}
	if p := c.SigstorePolicy.PKI; p != nil {
		options["ca-roots"], options["ca-intermediates"] = path(p.CARootsFile), path(p.CAIntermediatesFile)
		options["certificate-email"], options["certificate-hostname"] = p.SubjectEmail, p.SubjectHostname
	}
	for name, value := range options {
		if value != "" {
			f[name] = []string{value}
		}
	}
	if c.ManifestFile != "" {
		f["manifest"] = []string{c.Path(c.ManifestFile)}
	} else {
		f["digest"] = []string{c.ManifestDigest}
	}
	return f
}
