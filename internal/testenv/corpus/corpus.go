// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package corpus reads a corpus of real and adversarial signatures for tests, and inputs of public
// bug reports.
//
// The corpus is not part of the project, because most of it is other projects' data. It is a
// directory with a file cases.json, an array of Case, and the files that the cases name. Tests look
// for it at $ASSAY_CORPUS, or else at ../shared/corpus next to a checkout. If the variable is set, or
// the reports are beside the checkout without the corpus, a missing corpus fails the test. A corpus
// with fewer cases than the tests know of always does.
package corpus

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Folders in the folder shared beside a checkout.
const (
	corpusFolder  = "corpus"
	reportsFolder = "cases"
)

// directoryVariable is the environment variable with the path of the corpus.
const directoryVariable = "ASSAY_CORPUS"

// Kinds of cases.
const (
	kindOpenPGP  = "openpgp"  // atomic container signatures
	kindSigstore = "sigstore" // sigstore signatures
)

// The smallest numbers of cases in a corpus. One with fewer is incomplete, and proves less than its
// tests say.
const (
	minOpenPGP     = 190
	minSigstore    = 60
	minConformance = 70
)

// Case is one signature, its keys, image and identity rule, and the verdict of a strict verifier.
type Case struct {
	Name string `json:"name"`
	Kind string `json:"kind"`

	// ContentFile is the signature.
	ContentFile string `json:"contentFile"`
	// KeyFiles are all trusted.
	KeyFiles []string `json:"keyFiles"`
	// ManifestFile is the image's manifest, or empty if only ManifestDigest is known.
	ManifestFile   string `json:"manifestFile"`
	ManifestDigest string `json:"manifestDigest"`
	ImageReference string `json:"imageReference"`

	// Identity is the rule for the signed name.
	Identity Identity `json:"identity"`

	// ExpectSecure is accept, reject, either, or accept-if-v3-supported, which here means accept.
	// SecureWhy is the reason.
	ExpectSecure string `json:"expectSecure"`
	SecureWhy    string `json:"secureWhy"`

	// ExpectedFingerprint is the fingerprint of the primary key of an accepted signature.
	ExpectedFingerprint string         `json:"expectedFingerprint"`
	ExpectedClaims      ExpectedClaims `json:"expectedClaims"`

	// SigstorePolicy is what a case of sigstore trusts.
	SigstorePolicy SigstorePolicy `json:"sigstorePolicy"`

	directory string
}

// SigstorePolicy names what a case of sigstore trusts: keys, Fulcio or another PKI, and the keys of
// transparency logs.
type SigstorePolicy struct {
	KeyFiles      []string `json:"keyFiles"`
	RekorKeyFiles []string `json:"rekorKeyFiles"`
	Fulcio        *struct {
		CAFile       string `json:"caFile"`
		OIDCIssuer   string `json:"oidcIssuer"`
		SubjectEmail string `json:"subjectEmail"`
	} `json:"fulcio"`
	PKI *struct {
		CARootsFile         string `json:"caRootsFile"`
		CAIntermediatesFile string `json:"caIntermediatesFile"`
		SubjectEmail        string `json:"subjectEmail"`
		SubjectHostname     string `json:"subjectHostname"`
	} `json:"pki"`
}

// Identity is a signedIdentity of containers-policy.json(5).
type Identity struct {
	Type             string `json:"type"`
	DockerReference  string `json:"dockerReference"`
	DockerRepository string `json:"dockerRepository"`
	Prefix           string `json:"prefix"`
	SignedPrefix     string `json:"signedPrefix"`
}

// Match returns the rule in the spelling that Assay uses: MatchExact for matchExact.
func (i Identity) Match() string {
	if i.Type == "" {
		return ""
	}
	return strings.ToUpper(i.Type[:1]) + i.Type[1:]
}

// ExpectedClaims are the claims of an accepted signature.
type ExpectedClaims struct {
	DockerReference string `json:"docker-reference"`
}

// OpenPGP returns the cases with atomic container signatures. Without a corpus it logs that and
// returns none, unless the environment requires one.
func OpenPGP(t testing.TB) []Case {
	t.Helper()
	return cases(t, kindOpenPGP, minOpenPGP)
}

// Sigstore returns the cases about sigstore signatures, as OpenPGP does its own.
func Sigstore(t testing.TB) []Case {
	t.Helper()
	return cases(t, kindSigstore, minSigstore)
}

// Conformance returns the folders of the cases of sigstore-conformance, which have a file
// bundle.sigstore.json each, and the folder above them, which holds what several cases share. It
// returns none without a corpus, as OpenPGP does.
func Conformance(t testing.TB) (root string, folders []string) {
	t.Helper()
	directory, ok := Directory(t)
	if !ok {
		return "", nil
	}
	root = filepath.Join(directory, "sigstore-conformance")
	bundles, err := filepath.Glob(filepath.Join(root, "bundle-verify", "*", "bundle.sigstore.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(bundles) < minConformance {
		t.Fatalf("%s has %d cases, want at least %d", root, len(bundles), minConformance)
	}
	for _, bundle := range bundles {
		folders = append(folders, filepath.Dir(bundle))
	}
	return root, folders
}

// TrustedKeyFiles are the key files of a case of any kind.
func (c *Case) TrustedKeyFiles() []string {
	if c.Kind == kindSigstore {
		return c.SigstorePolicy.KeyFiles
	}
	return c.KeyFiles
}

// SignatureType is the type by which an Image has the signature of the case.
func (c *Case) SignatureType() string {
	if c.Kind == kindSigstore {
		return "sigstore"
	}
	return "atomic"
}

// Directory returns the folder of the corpus. It returns false, and the test's log says so, when no
// corpus is beside the checkout and none was asked for.
func Directory(t testing.TB) (string, bool) {
	t.Helper()
	directory, ok := beside(t, directoryVariable, corpusFolder)
	if !ok {
		t.Log("no corpus next to this checkout; the packages have their own vectors")
		return "", false
	}
	if _, err := os.Stat(filepath.Join(directory, "cases.json")); err != nil {
		t.Fatal(err)
	}
	return directory, true
}

// beside returns the folder that a variable names, or one in the folder shared beside the checkout. It
// returns false if the variable is not set and that folder has neither the corpus nor the reports: one
// without the other is a mistake that no test should pass with.
func beside(t testing.TB, variable, name string) (string, bool) {
	t.Helper()
	if directory, ok := os.LookupEnv(variable); ok {
		return directory, true
	}
	shared := filepath.Join(checkout(t), "..", "shared")
	found := false
	for _, folder := range []string{corpusFolder, reportsFolder} {
		_, err := os.Stat(filepath.Join(shared, folder))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		found = found || err == nil
	}
	return filepath.Join(shared, name), found
}

// reportsVariable is the environment variable with the path of the inputs of public bug reports.
const reportsVariable = "ASSAY_CASES"

// Report returns the folder of a public bug report with its inputs. The reports are not part of the
// project, as the corpus is not. They are looked for at $ASSAY_CASES, or else at ../shared/cases next
// to a checkout. Where none were asked for and neither these nor the corpus are there, Report returns
// false, and the test's log says so; otherwise a report that is missing fails the test.
func Report(t testing.TB, name string) (directory string, ok bool) {
	t.Helper()
	all, ok := beside(t, reportsVariable, reportsFolder)
	if !ok {
		t.Log("no bug reports next to this checkout; the packages have their own vectors")
		return "", false
	}
	directory = filepath.Join(all, name)
	if _, err := os.Stat(directory); err != nil {
		t.Fatal(err)
	}
	return directory, true
}

func cases(t testing.TB, kind string, least int) []Case {
	t.Helper()
	directory, ok := Directory(t)
	if !ok {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(directory, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all, cases []Case
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.Kind == kind {
			c.directory = directory
			cases = append(cases, c)
		}
	}
	if len(cases) < least {
		t.Fatalf("%s has %d cases of kind %s, want at least %d", directory, len(cases), kind, least)
	}
	return cases
}

// checkout returns the root of the repository that a test runs in: the nearest folder above its own
// with a file PROJECT. Several folders have a go.mod.
func checkout(t testing.TB) string {
	t.Helper()
	directory, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(directory, "PROJECT")); err == nil {
			return directory
		}
		parent := filepath.Dir(directory)
		if parent == directory {
			t.Fatal("the tests run outside of the repository")
		}
		directory = parent
	}
}

// Path returns the path of a file that the case names.
func (c *Case) Path(name string) string { return filepath.Join(c.directory, name) }

// Read returns the content of a file that the case names.
func (c *Case) Read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(c.Path(name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// CheckVerdict compares the verdict on a signature with the expectation of the case.
func (c *Case) CheckVerdict(t *testing.T, verified bool) {
	t.Helper()
	switch c.ExpectSecure {
	case "accept", "accept-if-v3-supported":
		if !verified {
			t.Errorf("not verified, want verified: %s", c.SecureWhy)
		}
	case "reject":
		if verified {
			t.Errorf("verified, want not: %s", c.SecureWhy)
		}
	case "either":
	default:
		t.Errorf("unknown expectation %q", c.ExpectSecure)
	}
}

// CheckClaims compares the primary fingerprint and the signed name of a verified signature with the
// expectations of the case, if any.
func (c *Case) CheckClaims(t *testing.T, fingerprint, identity string) {
	t.Helper()
	if c.ExpectedFingerprint != "" && fingerprint != c.ExpectedFingerprint {
		t.Errorf("fingerprint %s, want %s", fingerprint, c.ExpectedFingerprint)
	}
	if want := c.ExpectedClaims.DockerReference; want != "" && identity != want {
		t.Errorf("identity %q, want %q", identity, want)
	}
}
