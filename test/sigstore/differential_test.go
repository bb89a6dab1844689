// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/assay-project/assay/internal/sigstore"
)

const (
	// inputsVariable is how many changed bundles are compared.
	inputsVariable = "ASSAY_DIFFERENTIAL_INPUTS"
	// seedVariable makes the changes those of an earlier run, which has printed its seed.
	seedVariable = "ASSAY_DIFFERENTIAL_SEED"
	// blockSize is how many of them are a test of their own. With the same seed, -run repeats a block, or runs those
	// that another machine or an earlier run has left.
	blockSize = 10_000
)

// seed is a genuine bundle with what it is checked against.
type seed struct {
	name        string
	bundle      []byte
	digest      []byte // SHA-256 or SHA-512 of what is signed
	trust       *trust
	issuer, san string
}

// trust is a trusted root, as both verifiers read it.
type trust struct {
	roots    *sigstore.Roots
	verifier *verify.Verifier
}

func newTrust(t testing.TB, document []byte) *trust {
	t.Helper()
	roots, err := sigstore.ParseTrustedRoot(document)
	if err != nil {
		t.Fatal(err)
	}
	material, err := root.NewTrustedRootFromJSON(document)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := verify.NewVerifier(material, verify.WithSignedCertificateTimestamps(1),
		verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
	if err != nil {
		t.Fatal(err)
	}
	return &trust{roots, verifier}
}

// algorithm names the algorithm of the seed's digest.
func (s *seed) algorithm() string {
	if len(s.digest) == sha256.Size {
		return "sha256"
	}
	return "sha512"
}

// assay returns why Assay does not accept a bundle as an attestation for the seed's digest.
func (s *seed) assay(content []byte, now time.Time) *sigstore.Error {
	signature, err := sigstore.Parse(content)
	if err != nil {
		return sigstore.AsError(err)
	}
	var authorities []*sigstore.Authority
	for _, subject := range []sigstore.Subject{{Email: s.san}, {URI: s.san}, {Username: s.san}} {
		authorities = append(authorities, &sigstore.Authority{
			Fulcio: &sigstore.Fulcio{Roots: s.trust.roots, Issuer: s.issuer, Subject: subject},
		})
	}
	v, err := signature.AuthenticateAttestation(authorities, sigstore.Input{Now: now})
	if err != nil {
		return sigstore.AsError(err)
	}
	for _, statement := range v.Statements {
		if slices.Contains(statement.Digests, s.algorithm()+":"+hex.EncodeToString(s.digest)) {
			return nil
		}
	}
	return &sigstore.Error{Code: sigstore.MalformedPayload, Detail: "for another digest"}
}

// sigstoreGo returns why sigstore-go does not accept it.
func (s *seed) sigstoreGo(content []byte) error {
	var b bundle.Bundle
	if err := b.UnmarshalJSON(content); err != nil {
		return err
	}
	identity, err := verify.NewShortCertificateIdentity(s.issuer, "", s.san, "")
	if err != nil {
		return err
	}
	_, err = s.trust.verifier.Verify(&b, verify.NewPolicy(
		verify.WithArtifactDigest(s.algorithm(), s.digest), verify.WithCertificateIdentity(identity)))
	return err
}

// stricter names what Assay refuses on purpose and sigstore-go accepts, by part of the detail.
var stricter = []struct{ part, why string }{
	{"is not base64", "base64 is standard, with padding, and has one spelling"},
	{"of another kind than the bundle says", "the kind beside a log entry is that of the entry"},
	{"bundles of versions 0.1 to 0.3 are verified", "each version of bundles has one media type"},
	{"message digest is not one of", "the algorithm of a message digest is stated"},
	{"InvalidTimestamp: ", "each timestamp by an authority that is trusted is valid, also where there is another time"},
	{"the proof is for another tree", "size and root of a proof are those of the checkpoint"},
	{"the checkpoint is not signed by the log", "the name beside the signature of a checkpoint is that of its origin"},
	{"a signature line of the checkpoint is malformed", "every signature line of a checkpoint is well-formed"},
	{"has the index of its proof", "what a bundle states of an entry of Rekor version 2 is what the log has"},
	{"Malformed: bundle: log entry: ", "what a bundle states of an entry of Rekor version 2 is what the log has"},
	{"the proof does not lead", "what a bundle states of an entry of Rekor version 2 is what the log has"},
	{"a hash of the proof does not", "size and root of a proof are those of the checkpoint"},
}

// TestSeeds expects both to accept what is genuine.
func TestSeeds(t *testing.T) {
	now := time.Now()
	for _, s := range seeds(t) {
		if err := s.assay(s.bundle, now); err != nil {
			t.Errorf("%s: Assay: %s: %v", s.name, err.Code, err)
		}
		if err := s.sigstoreGo(s.bundle); err != nil {
			t.Errorf("%s: sigstore-go: %v", s.name, err)
		}
	}
}

// TestDifferential changes genuine bundles at random, and expects Assay to accept none that sigstore-go
// refuses, and to refuse none that it accepts but for the reasons in stricter.
func TestDifferential(t *testing.T) {
	inputs := fromEnvironment(t, inputsVariable, 5000)
	start := fromEnvironment(t, seedVariable, int(time.Now().UnixNano()))
	t.Logf("%d inputs from %s=%d", inputs, seedVariable, start)
	all := seeds(t)
	for block := 0; block*blockSize < inputs; block++ {
		t.Run(strconv.Itoa(block), func(t *testing.T) {
			t.Parallel()
			m := &mutator{rand.New(rand.NewPCG(uint64(start), uint64(block))), all}
			differ(t, m, min(blockSize, inputs-block*blockSize))
		})
	}
}

func fromEnvironment(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text, ok := os.LookupEnv(variable)
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// differ compares a number of inputs.
func differ(t *testing.T, m *mutator, inputs int) {
	t.Helper()
	now := time.Now()
	accepted, reasons := 0, make(map[string]int)
	for range inputs {
		s := &m.seeds[m.IntN(len(m.seeds))]
		changed := m.mutate(t, s.bundle)
		ours := s.assay(changed, now)
		theirs := s.sigstoreGo(changed)
		switch {
		case ours == nil && theirs == nil:
			accepted++
		case ours == nil:
			t.Errorf("%s: only Assay accepts it; sigstore-go says %v: %s", s.name, theirs, difference(t, s.bundle, changed))
		case theirs == nil:
			why, ok := excuse(ours)
			if !ok {
				t.Errorf("%s: only sigstore-go accepts it; Assay says %s: %v: %s", s.name, ours.Code, ours, difference(t, s.bundle, changed))
			}
			reasons[why]++
		}
	}
	t.Logf("both accept %d of %d", accepted, inputs)
	for _, why := range slices.Sorted(maps.Keys(reasons)) {
		t.Logf("only sigstore-go accepts %d: %s", reasons[why], why)
	}
}

func excuse(e *sigstore.Error) (string, bool) {
	for _, s := range stricter {
		if strings.Contains(e.Code.String()+": "+e.Detail, s.part) {
			return s.why, true
		}
	}
	return e.Code.String() + ": " + e.Detail, false
}

// difference shows where a changed bundle begins to differ.
func difference(t *testing.T, original, changed []byte) string {
	t.Helper()
	var doc any
	if err := json.Unmarshal(original, &doc); err != nil {
		t.Fatal(err)
	}
	before, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if common(original, changed) > common(before, changed) {
		before = original
	}
	i := common(before, changed)
	around := func(b []byte) string { return strconv.Quote(string(b[max(0, min(i-60, len(b))):min(len(b), i+60)])) }
	return around(before) + " became " + around(changed)
}

// common returns how many bytes two texts have in common from their start.
func common(a, b []byte) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return i
}
