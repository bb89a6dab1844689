// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// policyControllerGroup is the API group of sigstore's policy-controller.
const policyControllerGroup = "policy.sigstore.dev/"

// Namespace of policy-controller's keys.
const policyControllerNamespace = "cosign-system"

// controllerSpec is the spec of a ClusterImagePolicy of policy-controller.
type controllerSpec struct {
	Images []struct {
		Glob string `json:"glob"`
	} `json:"images"`
	Authorities []controllerAuthority `json:"authorities"`
	Policy      json.RawMessage       `json:"policy"`
	Mode        string                `json:"mode"`
	Match       []json.RawMessage     `json:"match"`
}

type controllerAuthority struct {
	Name             string             `json:"name"`
	Key              *controllerKey     `json:"key"`
	Keyless          *controllerKeyless `json:"keyless"`
	Static           *controllerStatic  `json:"static"`
	Sources          json.RawMessage    `json:"source"`
	CTLog            *controllerLog     `json:"ctlog"`
	Attestations     []json.RawMessage  `json:"attestations"`
	RFC3161Timestamp json.RawMessage    `json:"rfc3161timestamp"`
	SignatureFormat  string             `json:"signatureFormat"`
}

type controllerKey struct {
	SecretRef *struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"secretRef"`
	Data          string `json:"data"`
	KMS           string `json:"kms"`
	HashAlgorithm string `json:"hashAlgorithm"`
}

type controllerKeyless struct {
	URL        string `json:"url"`
	Identities []struct {
		Issuer        string `json:"issuer"`
		Subject       string `json:"subject"`
		IssuerRegExp  string `json:"issuerRegExp"`
		SubjectRegExp string `json:"subjectRegExp"`
	} `json:"identities"`
	CACert            *controllerKey `json:"ca-cert"`
	TrustRootRef      string         `json:"trustRootRef"`
	InsecureIgnoreSCT *bool          `json:"insecureIgnoreSCT"`
}

type controllerStatic struct {
	Action  string `json:"action"`
	Message string `json:"message"`
}

type controllerLog struct {
	URL          string `json:"url"`
	TrustRootRef string `json:"trustRootRef"`
}

// addControllerPolicy converts a ClusterImagePolicy of policy-controller. One authority suffices, and every policy
// whose pattern matches an image must be satisfied.
func (c *Converter) addControllerPolicy(m members) error {
	var metadata metav1.ObjectMeta
	var spec controllerSpec
	if err := errors.Join(m.decode("metadata", &metadata), m.decode("spec", &spec)); err != nil {
		return err
	}
	if metadata.Name == "" {
		return errors.New("metadata.name is missing")
	}
	p := c.newPatternPolicy("ClusterImagePolicy "+printable(metadata.Name), metadata.Name)
	var patterns []string
	for _, image := range spec.Images {
		pattern := image.Glob
		switch pattern {
		case "*":
			pattern = "index.docker.io/library/*"
		case "*/*":
			pattern = "index.docker.io/*/*"
		}
		patterns = append(patterns, pattern)
	}
	if len(patterns) == 0 {
		return fmt.Errorf("%s: images is empty", p.where)
	}
	p.addPatterns(patterns, false)
	if len(spec.Policy) > 0 {
		p.leaveOpen("policy is not carried over: a TrustPolicy has no CUE and no Rego")
		return nil
	}
	if len(spec.Match) > 0 {
		c.note(true, p.where, "match is not carried over: a TrustPolicy is for the Pods of all namespaces")
	}
	if spec.Mode == "warn" {
		c.note(false, p.where, "its mode is warn: --enforcement Warn does the same")
	}
	accepts := false
	for i := range spec.Authorities {
		authority := &spec.Authorities[i]
		authority.Name = cmp.Or(authority.Name, fmt.Sprintf("authority-%d", i))
		accepts = accepts || authority.Static != nil && authority.Static.Action == "pass"
	}
	if accepts {
		for _, scope := range p.scopes {
			c.leaveOpen(p.where, string(scope), "static is not carried over: a TrustPolicy asks for signatures", true)
		}
		return nil
	}
	for i := range spec.Authorities {
		if err := p.addAuthority(&spec.Authorities[i]); err != nil {
			c.note(true, p.where, "authority %s is left out: %v", quote(spec.Authorities[i].Name), err)
		}
	}
	p.finish(1)
	return nil
}

// addAuthority adds one way to satisfy the policy.
func (p *patternPolicy) addAuthority(a *controllerAuthority) error {
	switch {
	case count(a.Key != nil, a.Keyless != nil, a.Static != nil) != 1:
		return errors.New("exactly one of key, keyless and static is needed")
	case a.Static != nil:
		return errors.New("it accepts no image")
	case len(a.Attestations) > 0:
		return errors.New("it asks for attestations, which Assay does not verify")
	case len(a.RFC3161Timestamp) > 0:
		return errors.New("it asks for timestamps by an authority, and a TrustPolicy cannot ask for one")
	}
	if len(a.Sources) > 0 {
		p.converter.note(false, p.where, "authority %s has sources of its own: import its signatures from there", quote(a.Name))
	}
	if a.Key != nil {
		return p.addControllerKey(a)
	}
	return p.addControllerKeyless(a)
}

func (p *patternPolicy) addControllerKey(a *controllerAuthority) error {
	key := a.Key
	switch {
	case key.KMS != "":
		return fmt.Errorf("its key is in a KMS; export the public key of %s and add it to keys", quote(key.KMS))
	case key.HashAlgorithm != "" && key.HashAlgorithm != "sha256":
		return fmt.Errorf("its hash algorithm is %s, and cosign signs SHA-256", quote(key.HashAlgorithm))
	}
	log := p.controllerLog(a.CTLog)
	switch {
	case key.SecretRef != nil && key.Data == "":
		p.secretKey(cmp.Or(key.SecretRef.Namespace, policyControllerNamespace), key.SecretRef.Name, "", log)
	case key.Data != "":
		p.keys.addPEMKey(unique(p.keys.taken, objectName(a.Name), maxKeyName), newPEMSource("", []byte(key.Data)), log)
	default:
		return errors.New("its key has neither data nor a secretRef")
	}
	return nil
}

// controllerLog returns the log that a key's signatures must be in. An empty ctlog asks for none, and none at all is
// taken for the public one, which asks for more.
func (p *patternPolicy) controllerLog(log *controllerLog) *assayv1alpha1.TransparencyLog {
	switch {
	case log == nil:
		return &assayv1alpha1.TransparencyLog{TrustedRoot: p.controllerRoot("")}
	case log.TrustRootRef == "" && log.URL == "":
		return nil
	case log.TrustRootRef != "":
		return &assayv1alpha1.TransparencyLog{TrustedRoot: p.rootOf(log.TrustRootRef)}
	default:
		return &assayv1alpha1.TransparencyLog{TrustedRoot: p.controllerRoot(log.URL)}
	}
}

// rootOf returns the trusted root that a TrustRoot of policy-controller stands for.
func (p *patternPolicy) rootOf(name string) *assayv1alpha1.TrustSource {
	return p.root(unique(map[string]bool{}, "trustroot-"+objectName(name), maxObjectName), "TrustRoot "+printable(name))
}

// controllerRoot returns the trusted root of the instance with a URL, empty for the public one.
func (p *patternPolicy) controllerRoot(address string) *assayv1alpha1.TrustSource {
	host := address
	if parsed, err := url.Parse(address); err == nil && parsed.Host != "" {
		host = parsed.Host
	}
	if host == "" || strings.HasSuffix(host, ".sigstore.dev") {
		return p.root(publicRoot, "sigstore's public instance")
	}
	return p.root(unique(map[string]bool{}, objectName(host)+"-root", maxObjectName), quote(address))
}

func (p *patternPolicy) addControllerKeyless(a *controllerAuthority) error {
	keyless := a.Keyless
	if len(keyless.Identities) == 0 {
		return errors.New("it accepts everyone for whom Fulcio certifies a key, and a TrustPolicy names who signs")
	}
	if keyless.CACert != nil {
		return errors.New("its CA certificate stands alone; make a trusted_root.json of it and the key of the log")
	}
	var signers []*assayv1alpha1.FulcioSigner
	for _, id := range keyless.Identities {
		signer, err := identity{issuer: id.Issuer, subject: id.Subject, issuerRegExp: id.IssuerRegExp, subjectRegExp: id.SubjectRegExp}.signer()
		if err != nil {
			p.converter.note(true, p.where, "an identity of authority %s is left out: %v", quote(a.Name), err)
			continue
		}
		signers = append(signers, signer)
	}
	if len(signers) == 0 {
		return errors.New("none of its identities is exact")
	}
	var root *assayv1alpha1.TrustSource
	if keyless.TrustRootRef != "" {
		root = p.rootOf(keyless.TrustRootRef)
	} else {
		root = p.controllerRoot(keyless.URL)
	}
	if keyless.InsecureIgnoreSCT != nil && *keyless.InsecureIgnoreSCT {
		p.converter.note(true, p.where, "insecureIgnoreSCT of authority %s is not carried over: with a trusted root, certificates have to be in a log", quote(a.Name))
	}
	for _, signer := range signers {
		signer.TrustedRoot = root
		p.keys.addSigner(a.Name, assayv1alpha1.TrustedSigner{Fulcio: signer})
	}
	return nil
}
