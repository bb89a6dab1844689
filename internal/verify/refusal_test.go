// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/internal/refusals"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/verify"
)

// counting is a format that counts how often a signature is parsed and authenticated.
type counting struct {
	verify.Format
	parsed, authenticated *int
}

func (c counting) Parse(content []byte, budget *verify.Budget) (verify.Message, error) {
	*c.parsed++
	return c.Format.Parse(content, budget)
}

func (c counting) NewTrust(files []verify.NamedKeyFile) verify.Trust {
	return countingTrust{c.Format.NewTrust(files), c.authenticated}
}

type countingTrust struct {
	verify.Trust
	authenticated *int
}

func (c countingTrust) Authenticate(m verify.Message, at verify.Circumstances) (verify.Signed, error) {
	*c.authenticated++
	return c.Trust.Authenticate(m, at)
}

// recalling evaluates one image again and again with a memory, and counts the work.
type recalling struct {
	verifier              *verify.Verifier
	cache                 refusals.Cache
	parsed, authenticated int
}

func newRecalling(in *verify.Input) *recalling {
	r := &recalling{}
	var formats []verify.Format
	for _, format := range signature.Formats() {
		formats = append(formats, counting{format, &r.parsed, &r.authenticated})
	}
	r.verifier = verify.New(formats...)
	for i := range in.Policies {
		for name, trust := range in.Policies[i].Trust {
			in.Policies[i].Trust[name] = countingTrust{trust, &r.authenticated}
		}
		in.Policies[i].ID = uint64(i + 1)
	}
	in.RevokedKeysID = 1
	return r
}

// check evaluates the image, and returns the verdict and how often a signature was parsed and
// authenticated. It compares the verdict with one that is made without a memory.
func (r *recalling) check(t *testing.T, in verify.Input) (got verify.Verdict, parsed, authenticated int) {
	t.Helper()
	r.parsed, r.authenticated = 0, 0
	memory := r.cache.Of("app")
	in.Refusals = memory
	got = r.verifier.Check(in)
	memory.Keep()
	parsed, authenticated = r.parsed, r.authenticated
	in.Refusals = nil
	if diff := cmp.Diff(r.verifier.Check(in), got); diff != "" {
		t.Errorf("the verdict differs from one without a memory (-without +with):\n%s", diff)
	}
	return got, parsed, authenticated
}

// TestRefusalsAreRemembered: a signature that was refused is neither parsed nor authenticated
// again as long as nothing changes that its refusal depends on. Everything else is.
func TestRefusalsAreRemembered(t *testing.T) {
	stranger := atomic(bob.sign(payload(appDigest, appReference)))
	refused := []verify.Signature{
		stranger, atomic([]byte("not a signature")), atomic(alice.sign(payload(otherDigest, appReference))),
		atomic(alice.sign(payload(appDigest, "registry.example.com/team/app:v2"))), atomic(expired.good().Content),
	}
	in := input(t)
	in.Policies[0].Trust = trust(t, alice, expired)
	in.Image.Signatures = append(slices.Clone(refused), alice.good(), verify.Signature{Type: "unknown"})
	r := newRecalling(&in)
	if _, parsed, authenticated := r.check(t, in); parsed != 6 || authenticated != 5 {
		t.Errorf("the first time %d are parsed and %d authenticated, want 6 and 5", parsed, authenticated)
	}
	for range 3 {
		got, parsed, authenticated := r.check(t, in)
		if parsed != 1 || authenticated != 1 {
			t.Errorf("again %d are parsed and %d authenticated, want the one that is verified", parsed, authenticated)
		}
		if got.Outcome != verify.Verified || got.VerifiedSignatures() != 1 {
			t.Errorf("%s: %s", got.Outcome, got.Message)
		}
	}
	in.Image.Signatures = append(in.Image.Signatures, atomic(carol.sign(payload(appDigest, appReference))))
	slices.Reverse(in.Image.Signatures)
	if _, parsed, authenticated := r.check(t, in); parsed != 2 || authenticated != 2 {
		t.Errorf("with one more, in another order, %d are parsed and %d authenticated, want 2 of each", parsed, authenticated)
	}
	in.Image.Signatures = refused[:1]
	r.check(t, in)
	in.Image.Signatures = refused
	if _, parsed, _ := r.check(t, in); parsed != len(refused)-1 {
		t.Errorf("after they were gone %d are parsed, want %d", parsed, len(refused)-1)
	}
}

// TestNothingElseIsRemembered: what is verified or could not be checked is always checked anew.
func TestNothingElseIsRemembered(t *testing.T) {
	unsupported := *alice.Key
	unsupported.Algorithm = 99
	for name, change := range map[string]func(*verify.Input){
		"verified":                       func(*verify.Input) {},
		"verified under one of policies": func(in *verify.Input) { in.Policies = append(in.Policies, policy(t, "other", bob)) },
		"keys unavailable": func(in *verify.Input) {
			in.Policies[0].Trust, in.Policies[0].UnavailableKeys = trust(t, bob), []string{"a"}
		},
		"unsupported":  withContent(signer{Key: &unsupported, primary: alice.primary}.sign(payload(appDigest, appReference))),
		"no digest":    func(in *verify.Input) { in.Image.Manifest.Digest = "" },
		"no policy":    func(in *verify.Input) { in.Policies = nil },
		"no reference": func(in *verify.Input) { in.Image.Reference = verify.Reference{} },
	} {
		in := input(t)
		change(&in)
		r := newRecalling(&in)
		r.check(t, in)
		if _, parsed, _ := r.check(t, in); parsed != 1 {
			t.Errorf("%s: it is parsed %d times the second time, want once", name, parsed)
		}
	}
}

// TestNothingIsRememberedOfUnknownTrust: without the identity of a policy or of the revoked keys,
// no refusal is remembered or recalled.
func TestNothingIsRememberedOfUnknownTrust(t *testing.T) {
	for name, forget := range map[string]func(*verify.Input){
		"policy":       func(in *verify.Input) { in.Policies[0].ID = 0 },
		"revoked keys": func(in *verify.Input) { in.RevokedKeysID = 0 },
	} {
		in := input(t)
		in.Image.Signatures[0] = bob.good()
		r := newRecalling(&in)
		known := in
		known.Policies = slices.Clone(in.Policies)
		forget(&in)
		for range 2 {
			if _, parsed, _ := r.check(t, in); parsed != 1 {
				t.Errorf("%s: it is parsed %d times, want once", name, parsed)
			}
		}
		if _, parsed, _ := r.check(t, known); parsed != 1 {
			t.Errorf("%s: something was remembered", name)
		}
	}
}

// TestChangesAreNoticed: whatever a refusal depends on leads to another check when it changes.
func TestChangesAreNoticed(t *testing.T) {
	for name, change := range map[string]func(*verify.Input){
		"the content": func(in *verify.Input) {
			in.Image.Signatures[0].Content = bob.sign(payload(appDigest, appReference+"x"))
		},
		"the type":          func(in *verify.Input) { in.Image.Signatures[0].Type = "AtomicImageV1" },
		"the public key ID": func(in *verify.Input) { in.Image.Signatures[0].PublicKeyID = bob.claimed() },
		"the digest":        func(in *verify.Input) { in.Image.Manifest.Digest = otherDigest },
		"the kind":          func(in *verify.Input) { in.Image.Manifest.Index = true },
		"the reference":     func(in *verify.Input) { in.Image.Reference = verify.ParseReference(appReference + "x") },
		"a contradiction":   func(in *verify.Input) { in.Image.Name = "sha256-" + otherDigest.Encoded() },
		"the keys":          func(in *verify.Input) { in.Policies[0].ID++ },
		"the policy":        func(in *verify.Input) { in.Policies[0].Name = "other" },
		"another policy":    func(in *verify.Input) { in.Policies = append(in.Policies, in.Policies[0]) },
		"revoked keys":      func(in *verify.Input) { in.RevokedKeysID++ },
		"the time":          func(in *verify.Input) { in.Now = in.Now.Add(5 * time.Minute) },
		"a clock set back":  func(in *verify.Input) { in.Now = in.Now.Add(-time.Second) },
	} {
		in := input(t)
		in.Policies[0].Trust = trust(t, bob)
		in.Image.Signatures[0] = carol.good()
		r := newRecalling(&in)
		r.check(t, in)
		if _, parsed, _ := r.check(t, in); parsed != 0 {
			t.Errorf("%s: without a change it is parsed", name)
		}
		in.Policies = slices.Clone(in.Policies)
		in.Image.Signatures = slices.Clone(in.Image.Signatures)
		change(&in)
		if _, parsed, _ := r.check(t, in); parsed != 1 {
			t.Errorf("%s: after the change it is parsed %d times, want once", name, parsed)
		}
	}
}

// TestTimeEndsARefusal: a signature from the future is verified as soon as its time has come.
func TestTimeEndsARefusal(t *testing.T) {
	in := input(t)
	in.Image.Signatures = []verify.Signature{atomic(alice.signAt(nowTime+6*60, payload(appDigest, appReference)))}
	r := newRecalling(&in)
	for seconds, want := range []string{0: "SignatureInFuture", 59: "SignatureInFuture", 60: "Verified"} {
		if want == "" {
			continue
		}
		in.Now = now.Add(time.Duration(seconds) * time.Second)
		if got, _, _ := r.check(t, in); got.Reason != want {
			t.Errorf("after %d seconds: %s, want %s", seconds, got.Reason, want)
		}
	}
}

// TestBudgetsAreSpentByMemory: what is remembered takes from the budgets what its check took, so
// that an image with too many heavy signatures gets the same verdict each time.
func TestBudgetsAreSpentByMemory(t *testing.T) {
	heavy := heavySignature(t)
	in := input(t)
	in.Image.Signatures = nil
	for i := range 20 {
		altered := slices.Clone(heavy)
		altered[len(altered)-1-i] ^= 1
		in.Image.Signatures = append(in.Image.Signatures, atomic(altered))
	}
	in.Image.Signatures = append(in.Image.Signatures, alice.good())
	r := newRecalling(&in)
	_, first, _ := r.check(t, in)
	for range 3 {
		if _, parsed, _ := r.check(t, in); parsed >= first {
			t.Errorf("%d are parsed, and %d the first time", parsed, first)
		}
	}
}

// TestMemoryChangesNoVerdict makes up images that change from one evaluation to the next. The
// type recalling compares each verdict with one that is made without a memory.
func TestMemoryChangesNoVerdict(t *testing.T) {
	signers := []signer{alice, bob, carol, expired, expiring, revoked, certifyOnly, weak, version6}
	names := []string{appReference, "registry.example.com/team/app:v2", "registry.example.com/other"}
	rnd := rand.New(rand.NewPCG(1, 2))
	pool := []verify.Signature{atomic(heavySignature(t)), atomic(nil), {Type: "sigstore", Content: []byte("{}")}}
	for i := range 30 {
		s := signers[rnd.IntN(len(signers))]
		content := s.sign(payload(appDigest, names[rnd.IntN(len(names))]))
		if i%5 == 0 {
			content = s.sign(payload(otherDigest, appReference))
		}
		pool = append(pool, atomic(content))
	}
	in := input(t)
	in.Policies = []verify.Policy{policy(t, "a", alice, expiring, weak), policy(t, "b", alice, bob, expired, revoked)}
	r := newRecalling(&in)
	recalled := 0
	for range 500 {
		in.Image.Signatures = nil
		for range rnd.IntN(12) {
			s := pool[rnd.IntN(len(pool))]
			s.PublicKeyID = []string{"", alice.claimed()}[rnd.IntN(8)/7]
			in.Image.Signatures = append(in.Image.Signatures, s)
		}
		if rnd.IntN(10) == 0 {
			in.Image.Reference = verify.ParseReference(names[rnd.IntN(len(names))])
			in.Image.Manifest.Index = rnd.IntN(2) == 0
		}
		if rnd.IntN(20) == 0 {
			in.RevokedKeys = map[string]string{signers[rnd.IntN(len(signers))].fingerprint(): "a"}
			in.RevokedKeysID++
		}
		_, parsed, _ := r.check(t, in)
		if parsed < len(in.Image.Signatures) {
			recalled++
		}
	}
	if recalled < 100 {
		t.Errorf("something was remembered in %d of 500 evaluations", recalled)
	}
}
