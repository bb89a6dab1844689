// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opencontainers/go-digest"

	"github.com/assay-project/assay/internal/imageref"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/verify"
)

// Times in seconds since the epoch. Keys are made, then they sign, and now is later.
const (
	keyTime = 1735689600 // 2025-01-01
	sigTime = 1748736000 // 2025-06-01
	nowTime = 1767225600 // 2026-01-01
	day     = 24 * 60 * 60
)

var now = time.Unix(nowTime, 0).UTC()

// The image of the tests, and another one.
const (
	appReference = "registry.example.com/team/app:v1"
	appDigest    = digest.Digest("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
	otherDigest  = digest.Digest("sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210")
)

// signer is a key that signs, and the certificate by which it is known.
type signer struct {
	*pgp.Key
	primary     *pgp.Key
	certificate []byte
	userID      string
}

func newSigner(key *pgp.Key, certificate []byte, userID string) signer {
	return signer{Key: key, primary: key, certificate: certificate, userID: userID}
}

// simple makes a signer whose key has nothing special.
func simple(name string) signer {
	key := pgp.Ed25519(4, keyTime, "verify "+name)
	return newSigner(key, key.Simple(name), name)
}

// limited makes a signer whose key expires a number of seconds after keyTime.
func limited(name string, seconds uint32) signer {
	key := pgp.Ed25519(4, keyTime, "verify "+name)
	cert := key.Standard(pgp.TypePositiveCert, keyTime, pgp.Flags(pgp.FlagCertify|pgp.FlagSign), pgp.Sub32(pgp.SubKeyExpires, seconds))
	return newSigner(key, key.Certificate(key.User(name, cert)), name)
}

var (
	alice = simple("alice")
	bob   = simple("bob")
	carol = simple("carol")

	expired  = limited("expired", nowTime-keyTime-day)
	expiring = limited("expiring", nowTime-keyTime+day)
	revoked  = func() signer {
		s := simple("revoked")
		s.certificate = s.Certificate(s.Direct(s.Standard(pgp.TypeKeyRevocation, sigTime)),
			s.User(s.userID, s.Standard(pgp.TypePositiveCert, keyTime, pgp.Flags(pgp.FlagSign))))
		return s
	}()
	certifyOnly = func() signer {
		s := simple("certify only")
		s.certificate = s.Certificate(s.User(s.userID, s.Standard(pgp.TypePositiveCert, keyTime, pgp.Flags(pgp.FlagCertify))))
		return s
	}()
	weak = func() signer {
		key := pgp.RSA(keyTime, 1024, "verify weak")
		return newSigner(key, key.Simple("weak"), "weak")
	}()
	version6 = func() signer {
		key := pgp.Ed25519(6, keyTime, "verify version 6")
		return newSigner(key, key.Simple("version 6"), "version 6")
	}()

	// Two signing subkeys of one primary key.
	firstSubkey, secondSubkey = func() (first, second signer) {
		primary := pgp.Ed25519(4, keyTime, "verify primary")
		one, two := pgp.Ed25519(4, keyTime, "verify subkey 1"), pgp.Ed25519(4, keyTime, "verify subkey 2")
		certificate := primary.Certificate(
			primary.User("primary", primary.Standard(pgp.TypePositiveCert, keyTime, pgp.Flags(pgp.FlagCertify))),
			primary.Subkey(one, primary.Binding(one, keyTime)), primary.Subkey(two, primary.Binding(two, keyTime)))
		return signer{one, primary, certificate, "primary"}, signer{two, primary, certificate, "primary"}
	}()
)

// fingerprint is that of the primary key, keyID that of the key that signs.
func (s signer) fingerprint() string {
	return strings.ToUpper(hex.EncodeToString(s.primary.Fingerprint()))
}
func (s signer) claimed() string {
	return "0x" + strings.ToUpper(hex.EncodeToString(s.Key.Fingerprint()))
}

// payload is the signed JSON for a digest and a name.
func payload(d digest.Digest, reference string) string {
	quoted, err := json.Marshal(reference)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf(`{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":%q},`+
		`"identity":{"docker-reference":%s}},"optional":{}}`, d, quoted)
}

// sign makes a signature at sigTime, with more hashed subpackets.
func (s signer) sign(payload string, hashed ...[]byte) []byte {
	return s.signAt(sigTime, payload, hashed...)
}

func (s signer) signAt(at uint32, payload string, hashed ...[]byte) []byte {
	return s.Message(s.Standard(pgp.TypeBinary, at, hashed...), []byte(payload))
}

// good makes a signature that is right for the image of the tests.
func (s signer) good() verify.Signature { return atomic(s.sign(payload(appDigest, appReference))) }

func atomic(content []byte) verify.Signature {
	return verify.Signature{Type: "atomic", Content: content}
}

// claims are those of a signature of payload(appDigest, reference) at sigTime.
func (s signer) claims(reference string) *verify.Claims {
	return &verify.Claims{
		Identity: reference,
		Signed: map[string]string{
			"critical.type":                         "atomic container signature",
			"critical.image.docker-manifest-digest": appDigest.String(),
			"critical.identity.docker-reference":    reference,
		},
		Created:     time.Unix(sigTime, 0).UTC(),
		PublicKeyID: "0x" + s.fingerprint(),
		Subject:     verify.Entity{CommonName: s.userID},
		Issuer:      verify.Entity{CommonName: s.userID},
	}
}

// verifier has the formats of the product.
var verifier = verify.New(signature.Formats()...)

func check(in verify.Input) verify.Verdict { return verifier.Check(in) }

// trust is trust in the keys of signers, each in a file of its own.
func trust(t testing.TB, signers ...signer) map[string]verify.Trust {
	t.Helper()
	var files []verify.NamedKeyFile
	for i, s := range signers {
		file, err := signature.ParseKeyFile(signature.Formats(), s.certificate)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, verify.NamedKeyFile{Entry: fmt.Sprintf("key-%d", i), File: file})
	}
	return signature.NewTrust(signature.Formats(), files)
}

func matcher(t testing.TB, rule imageref.Rule) *imageref.Matcher {
	t.Helper()
	m, err := imageref.NewMatcher(rule)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// policy makes a policy that trusts the keys of signers.
func policy(t testing.TB, name string, signers ...signer) verify.Policy {
	t.Helper()
	return verify.Policy{
		Name: name, Scope: "registry.example.com",
		Trust:    trust(t, signers...),
		Identity: matcher(t, imageref.Rule{}),
	}
}

// input is an Input that is verified: the image of the tests with a signature by alice,
// whom the policy trusts.
func input(t testing.TB) verify.Input {
	t.Helper()
	return verify.Input{
		Now: now,
		Image: verify.Image{
			Name: "app", Reference: verify.ParseReference(appReference),
			Manifest:   verify.Manifest{Digest: appDigest},
			Signatures: []verify.Signature{alice.good()},
		},
		Policies: []verify.Policy{policy(t, "team", alice)},
	}
}

func finding(outcome verify.Outcome, reason string) verify.Finding {
	return verify.Finding{Outcome: outcome, Reason: reason}
}

func isVerified() verify.Finding          { return finding(verify.Verified, "Verified") }
func isRefused(r string) verify.Finding   { return finding(verify.Refused, r) }
func isUnchecked(r string) verify.Finding { return finding(verify.CouldNotCheck, r) }

// verifiedBy is the verdict on a good signature by a signer.
func verifiedBy(s signer) verify.SignatureVerdict {
	return verify.SignatureVerdict{Finding: isVerified(), ClaimedKeyID: s.claimed(), Claims: s.claims(appReference)}
}

func policyVerdict(name string, f verify.Finding) verify.PolicyVerdict {
	return verify.PolicyVerdict{Finding: f, Name: name, Scope: "registry.example.com"}
}

// compare compares whole verdicts but for the messages, of which most are other
// packages'; it checks that there is one for every reason, and that it is fit to be shown.
func compare(t *testing.T, got, want verify.Verdict) {
	t.Helper()
	withoutMessages := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Message" }, cmp.Ignore())
	withoutCost := cmpopts.IgnoreFields(verify.Verdict{}, "Cost") // An estimate, which TestCost checks.
	if diff := cmp.Diff(want, got, withoutMessages, withoutCost, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("verdict (-want +got):\n%s\nmessage: %s", diff, got.Message)
	}
	checkMessages(t, &got)
}

// checkMessages checks every message: there, bounded and printable.
func checkMessages(t *testing.T, v *verify.Verdict) {
	t.Helper()
	checkMessage := func(where string, f verify.Finding) {
		if f.Message == "" || len(f.Message) > verify.MaxMessageLength || !isPrintable(f.Message) {
			t.Errorf("%s: the message of %s is empty, too long (%d bytes) or not printable: %q", where, f.Reason, len(f.Message), f.Message)
		}
	}
	checkMessage("image", v.Finding)
	for i := range v.Signatures {
		checkMessage(fmt.Sprintf("signature %d", i), v.Signatures[i].Finding)
	}
	for _, p := range v.Policies {
		checkMessage(path.Join("policy", p.Name), p.Finding)
	}
}
