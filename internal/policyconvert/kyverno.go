// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// kyvernoGroup is the API group of Kyverno's ClusterPolicy.
const kyvernoGroup = "kyverno.io/"

// kyvernoImages is an element of verifyImages. Members that say how Kyverno fetches and caches change nothing.
type kyvernoImages struct {
	Type                     string            `json:"type"`
	FailureAction            string            `json:"failureAction"`
	ImageReferences          []string          `json:"imageReferences"`
	SkipImageReferences      []string          `json:"skipImageReferences"`
	Attestors                []kyvernoSet      `json:"attestors"`
	Attestations             []json.RawMessage `json:"attestations"`
	Annotations              map[string]string `json:"annotations"`
	Repository               string            `json:"repository"`
	MutateDigest             *bool             `json:"mutateDigest"`
	VerifyDigest             *bool             `json:"verifyDigest"`
	Required                 *bool             `json:"required"`
	ImageRegistryCredentials json.RawMessage   `json:"imageRegistryCredentials"`
	UseCache                 *bool             `json:"useCache"`
	CosignOCI11              *bool             `json:"cosignOCI11"`
	Validate                 json.RawMessage   `json:"validate"`
}

type kyvernoSet struct {
	Count   *int           `json:"count"`
	Entries []kyvernoEntry `json:"entries"`
}

type kyvernoEntry struct {
	Keys         *kyvernoKeys      `json:"keys"`
	Keyless      *kyvernoKeyless   `json:"keyless"`
	Certificates json.RawMessage   `json:"certificates"`
	Attestor     json.RawMessage   `json:"attestor"`
	Annotations  map[string]string `json:"annotations"`
	Repository   string            `json:"repository"`
}

type kyvernoKeys struct {
	PublicKeys string `json:"publicKeys"`
	KMS        string `json:"kms"`
	Secret     *struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"secret"`
	SignatureAlgorithm string          `json:"signatureAlgorithm"`
	Rekor              *kyvernoRekor   `json:"rekor"`
	CTLog              json.RawMessage `json:"ctlog"`
}

type kyvernoKeyless struct {
	Issuer               string            `json:"issuer"`
	IssuerRegExp         string            `json:"issuerRegExp"`
	Subject              string            `json:"subject"`
	SubjectRegExp        string            `json:"subjectRegExp"`
	Roots                string            `json:"roots"`
	AdditionalExtensions map[string]string `json:"additionalExtensions"`
	Rekor                *kyvernoRekor     `json:"rekor"`
	CTLog                *kyvernoCTLog     `json:"ctlog"`
}

type kyvernoCTLog struct {
	IgnoreSCT bool   `json:"ignoreSCT"`
	PubKey    string `json:"pubkey"`
	TSACerts  string `json:"tsaCertChain"`
}

type kyvernoRekor struct {
	URL        string `json:"url"`
	PubKey     string `json:"pubkey"`
	IgnoreTlog bool   `json:"ignoreTlog"`
}

// kyvernoClaims are the names that Kyverno has for extensions of a certificate.
var kyvernoClaims = map[string]assayv1alpha1.ClaimName{
	"githubWorkflowTrigger": "githubWorkflowTrigger", "githubWorkflowSha": "githubWorkflowSHA", "githubWorkflowName": "githubWorkflowName",
	"githubWorkflowRepository": "githubWorkflowRepository", "githubWorkflowRef": "githubWorkflowRef",
}

// addKyvernoPolicy converts the rules of a ClusterPolicy or Policy that verify images.
func (c *Converter) addKyvernoPolicy(m members, kind string) error {
	var metadata metav1.ObjectMeta
	if err := m.decode("metadata", &metadata); err != nil {
		return err
	}
	if metadata.Name == "" {
		return errors.New("metadata.name is missing")
	}
	name := strings.Trim(metadata.Namespace+"-"+metadata.Name, "-")
	where := kind + " " + printable(name)
	spec, err := m.object("spec")
	if err != nil {
		return inside(where, err)
	}
	if kind == "Policy" {
		c.note(true, where, "a Policy is for the Pods of its namespace, and a TrustPolicy for those of all")
	}
	rules, err := spec.list("rules")
	if err != nil {
		return inside(where, err)
	}
	for i, text := range rules {
		rule, err := readObject(text)
		if err == nil {
			err = c.addKyvernoRule(where, name, rule)
		}
		if err != nil {
			return fmt.Errorf("%s: rules[%d]: %w", where, i, err)
		}
	}
	return nil
}

func (c *Converter) addKyvernoRule(where, policy string, rule members) error {
	name, err := rule.text("name")
	if err != nil {
		return err
	}
	where += ", rule " + printable(name)
	if _, ok := rule["verifyImages"]; !ok {
		c.note(false, where, "left out: it verifies no images")
		return nil
	}
	for _, condition := range []string{"exclude", "preconditions", "celPreconditions"} {
		if _, ok := rule[condition]; ok {
			c.note(true, where, "%s is not carried over: a TrustPolicy is for all Pods", condition)
		}
	}
	if !matchesKindsAlone(rule) {
		c.note(true, where, "match is not carried over: a TrustPolicy is for the Pods of all namespaces")
	}
	var images []kyvernoImages
	if err := rule.decode("verifyImages", &images); err != nil {
		return err
	}
	for i := range images {
		c.addKyvernoImages(where, policy+"-"+name, &images[i])
	}
	return nil
}

// matchesKindsAlone reports whether a rule is for all objects of some kinds.
func matchesKindsAlone(rule members) bool {
	type filter struct {
		Resources struct {
			Kinds []string `json:"kinds"`
		} `json:"resources"`
	}
	var match struct {
		filter
		Any []filter `json:"any"`
		All []filter `json:"all"`
	}
	return rule.decode("match", &match) == nil
}

// addKyvernoImages adds a TrustPolicy for each set of attestors: all of them have to be satisfied.
func (c *Converter) addKyvernoImages(where, name string, images *kyvernoImages) {
	if len(images.SkipImageReferences) > 0 {
		c.note(true, where, "skipImageReferences is not carried over: the images that it names need signatures too")
	}
	if len(images.Attestations) > 0 {
		c.note(true, where, "attestations is not carried over: Assay verifies signatures of images, not attestations")
	}
	if len(images.Validate) > 0 {
		c.note(true, where, "validate is not carried over: a TrustPolicy has no conditions")
	}
	if images.FailureAction == "Audit" {
		c.note(false, where, "its failureAction is Audit: --enforcement Audit does the same")
	}
	if images.Required != nil && !*images.Required {
		c.note(true, where, "required: false is not carried over")
	}
	if images.Repository != "" {
		c.note(false, where, "import the signatures from %s", quote(images.Repository))
	}
	scopes := c.newPatternPolicy(where, name)
	scopes.addPatterns(images.ImageReferences, true)
	for i := range images.Attestors {
		p := c.newPatternPolicy(where, name)
		p.scopes = scopes.scopes
		switch {
		case images.Type == "Notary":
			p.leaveOpen("signatures of Notary are not carried over")
		case len(images.Annotations) > 0:
			p.leaveOpen("annotations are not carried over: a TrustPolicy cannot ask for them")
		default:
			p.addSet(&images.Attestors[i])
		}
	}
}

// addSet adds a set, of which as many entries as its count says must have signed, and all without a count.
func (p *patternPolicy) addSet(set *kyvernoSet) {
	lost := 0
	for i := range set.Entries {
		if err := p.addEntry(&set.Entries[i]); err != nil {
			p.converter.note(true, p.where, "entry %d is left out: %v", i+1, err)
			lost++
		}
	}
	required := len(p.keys.keys) + len(p.keys.signers) + lost
	if set.Count != nil && *set.Count > 0 {
		required = *set.Count
	}
	p.finish(required)
}

func (p *patternPolicy) addEntry(e *kyvernoEntry) error {
	switch {
	case count(e.Keys != nil, e.Keyless != nil, len(e.Certificates) > 0, len(e.Attestor) > 0) != 1:
		return errors.New("exactly one of keys, keyless, certificates and attestor is needed")
	case len(e.Annotations) > 0:
		return errors.New("a TrustPolicy cannot ask for annotations")
	case len(e.Certificates) > 0:
		return errors.New("it names a certificate; add its public key to keys, or its CA to signers")
	case len(e.Attestor) > 0:
		return errors.New("attestors in one another cannot be carried over")
	case e.Keys != nil:
		return p.addKyvernoKeys(e.Keys)
	default:
		return p.addKyvernoKeyless(e.Keyless)
	}
}

func (p *patternPolicy) addKyvernoKeys(k *kyvernoKeys) error {
	switch {
	case strings.Contains(k.PublicKeys+k.KMS, "{{"):
		return errors.New("it has variables; replace them by what they stand for")
	case k.KMS != "":
		return fmt.Errorf("its key is in a KMS; export the public key of %s and add it to keys", quote(k.KMS))
	case k.SignatureAlgorithm != "" && k.SignatureAlgorithm != "sha256":
		return fmt.Errorf("its signature algorithm is %s, and cosign signs SHA-256", quote(k.SignatureAlgorithm))
	case k.Secret != nil:
		p.secretKey(k.Secret.Namespace, k.Secret.Name, "cosign.pub", p.kyvernoLog(k.Rekor))
		return nil
	}
	if reference, ok := strings.CutPrefix(strings.TrimSpace(k.PublicKeys), "k8s://"); ok {
		namespace, name, ok := strings.Cut(reference, "/")
		if !ok || strings.Contains(name, "/") {
			return fmt.Errorf("%s names no Secret", quote(reference))
		}
		p.secretKey(namespace, name, "cosign.pub", p.kyvernoLog(k.Rekor))
		return nil
	}
	blocks, err := onlyPEM(pemKeys, []byte(k.PublicKeys))
	if err != nil {
		return err
	}
	log := p.kyvernoLog(k.Rekor)
	for _, block := range blocks {
		p.keys.addPEMKey(unique(p.keys.taken, "key", maxKeyName), newPEMSource("", []byte(block)), log)
	}
	return nil
}

// kyvernoLog returns the log that signatures by a key must be in: the public one if nothing else is said.
func (p *patternPolicy) kyvernoLog(rekor *kyvernoRekor) *assayv1alpha1.TransparencyLog {
	switch {
	case rekor != nil && rekor.IgnoreTlog:
		return nil
	case rekor != nil && rekor.PubKey != "":
		return p.keys.rekorLog(newPEMSource("", []byte(rekor.PubKey)))
	case rekor != nil:
		return &assayv1alpha1.TransparencyLog{TrustedRoot: p.controllerRoot(rekor.URL)}
	default:
		return &assayv1alpha1.TransparencyLog{TrustedRoot: p.controllerRoot("")}
	}
}

func (p *patternPolicy) addKyvernoKeyless(k *kyvernoKeyless) error {
	if strings.Contains(k.Issuer+k.Subject+k.Roots, "{{") {
		return errors.New("it has variables; replace them by what they stand for")
	}
	signer, err := identity{issuer: k.Issuer, subject: k.Subject, issuerRegExp: k.IssuerRegExp, subjectRegExp: k.SubjectRegExp, wildcards: true}.signer()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(k.AdditionalExtensions)) {
		claim, ok := kyvernoClaims[name]
		if value := k.AdditionalExtensions[name]; !ok || value == "" || strings.ContainsAny(value, "*?") || strings.Contains(value, "{{") {
			return fmt.Errorf("the extension %s cannot be asked for", quote(name))
		}
		signer.Claims = append(signer.Claims, assayv1alpha1.CertificateClaim{Name: claim, Value: k.AdditionalExtensions[name]})
	}
	hasKey := k.Rekor != nil && k.Rekor.PubKey != ""
	switch {
	case k.Roots == "" && !hasKey:
		address := ""
		if k.Rekor != nil {
			address = k.Rekor.URL
		}
		signer.TrustedRoot = p.controllerRoot(address)
	case k.Roots != "" && hasKey:
		signer.CACertificates = p.keys.pemTrust(pemCertificates, "fulcio-ca", newPEMSource("", []byte(k.Roots)), false)
		signer.RekorKeys = p.keys.pemTrust(pemKeys, "rekor-keys", newPEMSource("", []byte(k.Rekor.PubKey)), true)
	default:
		return errors.New("only one of its roots and the key of its log is given; a TrustPolicy needs both, or a trusted_root.json")
	}
	if signer.TrustedRoot != nil && k.CTLog != nil && k.CTLog.IgnoreSCT {
		p.converter.note(true, p.where, "ignoreSCT is not carried over: with a trusted root, certificates have to be in a log")
	}
	p.keys.addSigner("keyless", assayv1alpha1.TrustedSigner{Fulcio: signer})
	return nil
}
