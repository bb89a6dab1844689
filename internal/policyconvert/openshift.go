// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"errors"
	"fmt"
	"strings"

	configv1 "github.com/openshift/api/config/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
)

// openShiftGroup is the API group of OpenShift's image policies; their versions are alike.
const openShiftGroup = "config.openshift.io/"

// maxScopes is how many scopes a TrustPolicy has at most.
const maxScopes = 256

// addObject converts an object of Kubernetes, or a list of them.
func (c *Converter) addObject(m members) error {
	kind, err := m.text("kind")
	if err != nil {
		return err
	}
	version, err := m.text("apiVersion")
	if err != nil {
		return err
	}
	group, _, _ := strings.Cut(version, "/")
	group += "/"
	isGroup := group == openShiftGroup || group == policyControllerGroup || group == kyvernoGroup
	isList := version == "v1" && kind == "List" || isGroup && strings.HasSuffix(kind, "PolicyList")
	switch {
	case isList:
		items, err := m.list("items")
		if err != nil {
			return err
		}
		for i, item := range items {
			object, err := readObject(item)
			if err == nil {
				err = c.addObject(object)
			}
			if err != nil {
				return fmt.Errorf("items[%d]: %w", i, err)
			}
		}
		return nil
	case group == openShiftGroup && (kind == "ClusterImagePolicy" || kind == "ImagePolicy"):
		return c.addImagePolicy(m, kind)
	case group == policyControllerGroup && kind == "ClusterImagePolicy":
		return c.addControllerPolicy(m)
	case group == kyvernoGroup && (kind == "ClusterPolicy" || kind == "Policy"):
		return c.addKyvernoPolicy(m, kind)
	default:
		return fmt.Errorf("kind %s of %s is not converted: ClusterImagePolicy and ImagePolicy of %sv1, ClusterImagePolicy of %sv1beta1, "+
			"and ClusterPolicy and Policy of %sv1 are", quote(kind), quote(version), openShiftGroup, policyControllerGroup, kyvernoGroup)
	}
}

func (c *Converter) addImagePolicy(m members, kind string) error {
	var metadata metav1.ObjectMeta
	if err := m.decode("metadata", &metadata); err != nil {
		return err
	}
	name := metadata.Name
	if name == "" {
		return errors.New("metadata.name is missing")
	}
	if metadata.Namespace != "" {
		name = metadata.Namespace + "-" + name
	}
	where := kind + " " + printable(name)
	// A ClusterImagePolicy has the same spec.
	var spec configv1.ImagePolicySpec
	err := m.decode("spec", &spec)
	if err == nil {
		err = c.addImagePolicySpec(where, name, &spec)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	if kind == "ImagePolicy" {
		c.note(true, where, "an ImagePolicy is for the Pods of its namespace, and a TrustPolicy for those of all")
	}
	return nil
}

func (c *Converter) addImagePolicySpec(where, name string, spec *configv1.ImagePolicySpec) error {
	signed, err := readOpenShiftIdentity(spec.Policy.SignedIdentity)
	if err != nil {
		return inside("signedIdentity", err)
	}
	if len(spec.Scopes) == 0 || len(spec.Scopes) > maxScopes {
		return fmt.Errorf("scopes: between 1 and %d are needed", maxScopes)
	}
	scopes := c.readScopes(where, spec.Scopes)
	if len(scopes) == 0 {
		return nil
	}
	root, err := readRootOfTrust(&spec.Policy.RootOfTrust)
	if err != nil {
		return inside("policy.rootOfTrust", err)
	}
	invalid, cannot := root.validate()
	if invalid != nil {
		return inside("policy.rootOfTrust", invalid)
	}
	if cannot != nil {
		c.leaveAllOpen(where, scopes, fmt.Sprintf("the root of trust is not carried over: %v", cannot))
		return nil
	}
	keys := c.newKeyList(where)
	keys.addRoot(root)
	c.addPolicy(name, assayv1alpha1.TrustPolicySpec{Scopes: scopes, SignedIdentity: signed, Keys: keys.keys, Signers: keys.signers})
	return nil
}

func (c *Converter) leaveAllOpen(where string, scopes []assayv1alpha1.Scope, why string) {
	for _, scope := range scopes {
		c.leaveOpen(where, string(scope), why, false)
	}
}

// readRootOfTrust reads the one root of trust that the type of the policy names.
func readRootOfTrust(in *configv1.PolicyRootOfTrust) (*sigstoreRoot, error) {
	if count(in.PublicKey != nil, in.FulcioCAWithRekor != nil, in.PKI != nil) > 1 {
		return nil, errors.New("exactly one of publicKey, fulcioCAWithRekor and pki is needed")
	}
	missing := fmt.Errorf("policyType %s needs its root", quote(string(in.PolicyType)))
	switch in.PolicyType {
	case configv1.PublicKeyRootOfTrust:
		if in.PublicKey == nil || len(in.PublicKey.KeyData) == 0 {
			return nil, missing
		}
		return &sigstoreRoot{keys: newPEMSource("", in.PublicKey.KeyData), rekor: newPEMSource("", in.PublicKey.RekorKeyData)}, nil
	case configv1.FulcioCAWithRekorRootOfTrust:
		f := in.FulcioCAWithRekor
		if f == nil {
			return nil, missing
		}
		return &sigstoreRoot{rekor: newPEMSource("", f.RekorKeyData), fulcio: &fulcioRoot{
			ca: newPEMSource("", f.FulcioCAData), issuer: f.FulcioSubject.OIDCIssuer, email: f.FulcioSubject.SignedEmail,
		}}, nil
	case configv1.PKIRootOfTrust:
		p := in.PKI
		if p == nil {
			return nil, missing
		}
		return &sigstoreRoot{pki: &pkiRoot{
			roots:         newPEMSource("", p.CertificateAuthorityRootsData),
			intermediates: newPEMSource("", p.CertificateAuthorityIntermediatesData),
			email:         p.PKICertificateSubject.Email, hostname: p.PKICertificateSubject.Hostname,
		}}, nil
	default:
		return nil, fmt.Errorf("policyType %s is not known", quote(string(in.PolicyType)))
	}
}

// readScopes returns the scopes that a TrustPolicy can have, each once.
func (c *Converter) readScopes(where string, imageScopes []configv1.ImageScope) []assayv1alpha1.Scope {
	var scopes []assayv1alpha1.Scope
	seen := map[string]bool{}
	for _, imageScope := range imageScopes {
		text := string(imageScope)
		scope, respelt, err := readScope(text)
		switch {
		case err != nil:
			c.note(true, where, "scope %s is left out: %v", quote(text), err)
			continue
		case respelt != "":
			c.note(false, where, "scope %s is written as %s: it covers every spelling of the registry", quote(text), quote(respelt))
		}
		if !seen[scope] {
			scopes = append(scopes, assayv1alpha1.Scope(scope))
		}
		seen[scope] = true
	}
	return scopes
}

// readOpenShiftIdentity reads a signedIdentity in OpenShift's form, which the API of TrustPolicies shares.
func readOpenShiftIdentity(original *configv1.PolicyIdentity) (*assayv1alpha1.SignedIdentity, error) {
	rule := imageref.Rule{Match: imageref.MatchRepoDigestOrExact}
	if original == nil {
		return signedIdentity(rule)
	}
	if original.MatchPolicy != "" {
		rule.Match = imageref.Match(original.MatchPolicy)
	}
	if exact := original.PolicyMatchExactRepository; exact != nil {
		rule.DockerRepository = string(exact.Repository)
	}
	if remap := original.PolicyMatchRemapIdentity; remap != nil {
		rule.Prefix, rule.SignedPrefix = string(remap.Prefix), string(remap.SignedPrefix)
	}
	return signedIdentity(rule)
}
