// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
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
	name   string
	bundle []byte
	digest []byte // SHA-256, SHA-384 or SHA-512 of what is signed
	trust
}

// trust is whose signatures count, as both verifiers have it.
type trust struct {
	authorities []*sigstore.Authority
	verifier    *verify.Verifier
	policy      verify.PolicyOption
	// unlogged is true where no log is asked for.
	unlogged bool
}

// algorithm names the algorithm of the seed's digest.
func (s *seed) algorithm() string {
	switch len(s.digest) {
	case sha256.Size:
		return "sha256"
	case sha512.Size384:
		return "sha384"
	default:
		return "sha512"
	}
}

// assay returns why Assay does not accept a bundle as an attestation for the seed's digest.
func (s *seed) assay(content []byte, now time.Time) *sigstore.Error {
	signature, err := sigstore.Parse(content)
	if err != nil {
		return sigstore.AsError(err)
	}
	v, err := signature.AuthenticateAttestation(s.authorities, sigstore.Input{Now: now})
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
	_, err := s.verifier.Verify(&b, verify.NewPolicy(verify.WithArtifactDigest(s.algorithm(), s.digest), s.policy))
	return err
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
// refuses but for log entries that nobody asks for, and to refuse none that it accepts but for the reasons in excuses.
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
		case ours == nil && s.unlogged && s.entriesAlone(t, changed, now):
			reasons[unasked]++
		case ours == nil:
			t.Errorf("%s: only Assay accepts it; sigstore-go says %v: %s", s.name, theirs, difference(t, s.bundle, changed))
		case theirs == nil:
			for _, why := range s.excuse(t, changed, now) {
				reasons[why]++
			}
		}
	}
	t.Logf("both accept %d of %d", accepted, inputs)
	for _, why := range slices.Sorted(maps.Keys(reasons)) {
		t.Logf("one of them accepts %d: %s", reasons[why], why)
	}
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
