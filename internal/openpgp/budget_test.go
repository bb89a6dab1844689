// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"crypto/elliptic"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
)

// brainpoolP512r1 is a public key on the curve, RFC 9580 section 5.5.5.4.
const brainpoolP512r1 = "092b240303020801010d0403" +
	"041cce999f3bde7378992fdb24a95afef4f0e41fd611ee3478e783bbf1ccfadbbdd88c57a9a292c3a3f170a7f270b982a3140ee0304bda78ab5fa90048fef30ecb" +
	"2f9b20724ef324c340af6ed3d90c0095e176ffc3a070de30305e33d2b88f0a5ae032287eaf39baf0de2b0d5cd1d03ec53d4faddf1582526d9e95f5c7b1d913d2"

// expensiveKey returns a key on the most expensive curve. Its signatures are refused at once,
// because their numbers are too large for the curve, but cost as much as others.
func expensiveKey(t *testing.T, created uint32) *pgp.Key {
	k := *pgp.ECDSA(4, created, elliptic.P521(), "dear")
	k.Numbers = unhex(t, brainpoolP512r1)
	return &k
}

// problems returns the refusals of certificates, sorted.
func problems(certificates []*Certificate) []string {
	var all []string
	for _, c := range certificates {
		all = append(all, c.UserID()+": "+detail(c.Check(testNow)))
	}
	slices.Sort(all)
	return all
}

// detail returns the text of an error, or "" for nil.
func detail(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func parse(t *testing.T, data ...[]byte) *KeyFile {
	t.Helper()
	file, err := ParseKeyFile(join(data...))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestExpensiveKeyFile: signatures on a slow curve exhaust the budget of a file before their number
// exceeds its limit. Unchecked signatures make a certificate unusable, even next to a clean copy of
// it. Other certificates are not affected.
func TestExpensiveKeyFile(t *testing.T) {
	flooded := func(created uint32, times int) []byte {
		k := expensiveKey(t, created)
		return k.Certificate(flood(k, "a", times, k.Standard(pgp.TypePositiveCert, created)))
	}
	const affordable = maxKeyFileCost / (costBrainpoolP512r1 + 10)
	const unsigned, tooMany, good = ": the key has no valid self-signature", ": " + tooManyChecks, "alice: "
	alice := testAlice.Simple("alice")
	for name, test := range map[string]struct {
		data [][]byte
		want []string
	}{
		"as many as can be":   {[][]byte{flooded(1, affordable), alice}, []string{unsigned, good}},
		"more in a key":       {[][]byte{flooded(1, affordable+10), alice}, []string{tooMany, good}},
		"more in several":     {[][]byte{flooded(1, 60), flooded(2, 60)}, []string{tooMany, unsigned}},
		"more in two copies":  {[][]byte{flooded(1, 60), flooded(1, 60)}, []string{tooMany}},
		"more before a clean": {[][]byte{flooded(1, 120), flooded(1, 0)}, []string{tooMany}},
	} {
		file := parse(t, test.data...)
		if diff := cmp.Diff(test.want, problems(file.Certificates)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		var reported []string
		if slices.Contains(test.want, tooMany) {
			reported = []string{tooManyChecks}
		}
		if diff := cmp.Diff(reported, file.Problems); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestLongUserID: hashing costs budget, too.
func TestLongUserID(t *testing.T) {
	cert := testAlice.Standard(pgp.TypePositiveCert, testKeyTime, pgp.Flags(testFlags))
	for size, want := range map[int]string{2048: "", 850_000: tooManyChecks} {
		file := testAlice.Certificate(flood(testAlice, strings.Repeat("a", size), maxCertificateChecks, cert))
		if got := detail(readKeysFrom(t, file).Check(testNow)); got != want {
			t.Errorf("%d octets: got %q, want %q", size, got, want)
		}
	}
}

// TestExpensiveRevocations: the cost of revocations in other files is bounded, too. A certificate
// with unchecked revocations cannot be used, regardless of their order and their distribution among
// files.
func TestExpensiveRevocations(t *testing.T) {
	k := expensiveKey(t, testKeyTime)
	revocations := func(from, to uint32) []byte {
		var out []byte
		for i := from; i < to; i++ {
			out = append(out, k.Direct(k.Standard(pgp.TypeKeyRevocation, testKeyTime+i))...)
		}
		return out
	}
	const affordable = maxKeyringCost / (costBrainpoolP512r1 + 10)
	const unsigned, tooMany = ": " + noUserID, ": the key has too many revocations to verify: remove those that are not its own"
	key, alice := parse(t, k.Certificate()), parse(t, testAlice.Simple("alice"))
	most, others := parse(t, revocations(0, affordable)), parse(t, revocations(affordable, 2*affordable))
	for name, test := range map[string]struct {
		files []*KeyFile
		want  string
	}{
		"as many as can be": {[]*KeyFile{key, most}, unsigned},
		"copies":            {[]*KeyFile{key, most, most}, unsigned},
		"more":              {[]*KeyFile{key, parse(t, revocations(0, affordable+1))}, tooMany},
		"in two files":      {[]*KeyFile{key, most, others}, tooMany},
		"in the same file":  {[]*KeyFile{parse(t, revocations(0, affordable+1), k.Certificate())}, tooMany},
	} {
		for range 2 {
			slices.Reverse(test.files)
			ring := NewKeyringFromFiles(append(test.files, alice)...)
			if diff := cmp.Diff([]string{test.want, "alice: "}, problems(ring.Certificates())); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
}

// TestEveryAlgorithmCosts: every signature that is computed has a cost.
func TestEveryAlgorithmCosts(t *testing.T) {
	for _, name := range []string{"alice", "eddsa", "ed448", "v6", "v6-ed448", "rsa2048", "rsa4096", "p256", "p384", "p521", "mldsa65", "mldsa87"} {
		if c := readKeys(t, name)[0]; c.primary.cost < costEd25519 {
			t.Errorf("%s costs %d", c.Algorithm(), c.primary.cost)
		}
	}
	for want, k := range map[int]*pgp.Key{
		costBrainpoolP512r1: expensiveKey(t, testKeyTime),
		91:                  pgp.RSA(testKeyTime, 2048, "rsa2048"),
		14745:               forgingRSA(16384, 24),
		0:                   forgingRSA(1024, 24), // Not accepted and never computed.
	} {
		parsed, err := parsePublicKey(k.Body())
		if err != nil || parsed.cost != want {
			t.Errorf("%s costs %d, want %d (%v)", parsed.name, parsed.cost, want, err)
		}
	}
}
