// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"errors"
	"fmt"
	"strings"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
)

// openShiftGroup is the API group of OpenShift's image policies; their versions are alike.
const openShiftGroup = "config.openshift.io/"

// maxScopes is how many scopes a TrustPolicy has at most.
const maxScopes = 256

// addObject converts a ClusterImagePolicy or ImagePolicy, or a list of them.
func (c *Converter) addObject(m members) error {
	kind, err := m.text("kind")
	if err != nil {
		return err
	}
	version, err := m.text("apiVersion")
	if err != nil {
		return err
	}
	isList := version == "v1" && kind == "List" || strings.HasPrefix(version, openShiftGroup) && strings.HasSuffix(kind, "ImagePolicyList")
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
	case strings.HasPrefix(version, openShiftGroup) && (kind == "ClusterImagePolicy" || kind == "ImagePolicy"):
		return c.addImagePolicy(m, kind)
	default:
		return fmt.Errorf("kind %s of %s is not converted: ClusterImagePolicy and ImagePolicy of %sv1 are", quote(kind), quote(version), openShiftGroup)
	}
}

func (c *Converter) addImagePolicy(m members, kind string) error {
	metadata, err := m.object("metadata")
	if err != nil {
		return err
	}
	name, err := metadata.text("name")
	if err != nil {
		return err
	}
	namespace, err := metadata.text("namespace")
	if err != nil {
		return err
	}
	if name == "" {
		return errors.New("metadata.name is missing")
	}
	if namespace != "" {
		name = namespace + "-" + name
	}
	where := kind + " " + printable(name)
	spec, err := m.object("spec")
	if err == nil {
		err = c.addImagePolicySpec(where, name, spec)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	if kind == "ImagePolicy" {
		c.note(true, where, "an ImagePolicy is for the Pods of its namespace, and a TrustPolicy for those of all")
	}
	return nil
}

func (c *Converter) addImagePolicySpec(where, name string, spec members) error {
	if err := spec.onlyKnown("scopes", "policy"); err != nil {
		return err
	}
	policy, err := spec.object("policy")
	if err != nil {
		return err
	}
	if err := policy.onlyKnown("rootOfTrust", "signedIdentity"); err != nil {
		return inside("policy", err)
	}
	signed, err := readOpenShiftIdentity(policy)
	if err != nil {
		return err
	}
	root, err := policy.object("rootOfTrust")
	if err != nil {
		return err
	}
	policyType, err := root.text("policyType")
	if err != nil {
		return err
	}
	texts, err := spec.texts("scopes")
	if err != nil {
		return err
	}
	if len(texts) == 0 || len(texts) > maxScopes {
		return fmt.Errorf("scopes: between 1 and %d are needed", maxScopes)
	}
	scopes := c.readScopes(where, texts)
	if len(scopes) == 0 {
		return nil
	}
	secret := unique(map[string]bool{}, objectName(name)+"-openpgp-keys", maxObjectName)
	switch policyType {
	case "PublicKey", "FulcioCAWithRekor", "PKI":
		c.note(true, where, "the scopes and the signed identity are carried over; the %s of sigstore is not, because Assay verifies OpenPGP signatures: "+
			"put OpenPGP keys into Secret %s of namespace %s, without which the images cannot be checked", policyType, secret, c.options.Namespace)
	default:
		return fmt.Errorf("policy.rootOfTrust: policyType %s is not known", quote(policyType))
	}
	c.addPolicy(name, assayv1alpha1.TrustPolicySpec{
		Scopes:         scopes,
		SignedIdentity: signed,
		Keys:           []assayv1alpha1.TrustedKey{{Name: "openpgp", SecretRef: &assayv1alpha1.KeySourceRef{Name: secret}}},
	})
	return nil
}

// readScopes returns the scopes that a TrustPolicy can have, each once.
func (c *Converter) readScopes(where string, texts []string) []string {
	var scopes []string
	seen := map[string]bool{}
	for _, text := range texts {
		scope, respelt, err := readScope(text)
		switch {
		case err != nil:
			c.note(true, where, "scope %s is left out: %v", quote(text), err)
			continue
		case respelt != "":
			c.note(false, where, "scope %s is written as %s: it covers every spelling of the host", quote(text), quote(respelt))
		}
		if !seen[scope] {
			scopes = append(scopes, scope)
		}
		seen[scope] = true
	}
	return scopes
}

// readOpenShiftIdentity reads a signedIdentity in OpenShift's form, which the API of TrustPolicies shares.
func readOpenShiftIdentity(policy members) (*assayv1alpha1.SignedIdentity, error) {
	object, err := policy.object("signedIdentity")
	if err != nil {
		return nil, err
	}
	if err := object.onlyKnown("matchPolicy", "exactRepository", "remapIdentity"); err != nil {
		return nil, inside("signedIdentity", err)
	}
	match, err := object.text("matchPolicy")
	if err != nil {
		return nil, inside("signedIdentity", err)
	}
	rule := imageref.Rule{Match: imageref.Match(match)}
	if match == "" {
		rule.Match = imageref.MatchRepoDigestOrExact
	}
	repository, err := object.object("exactRepository")
	if err != nil {
		return nil, inside("signedIdentity", err)
	}
	if rule.DockerRepository, err = repository.text("repository"); err != nil {
		return nil, inside("signedIdentity", err)
	}
	remap, err := object.object("remapIdentity")
	if err != nil {
		return nil, inside("signedIdentity", err)
	}
	if rule.Prefix, err = remap.text("prefix"); err != nil {
		return nil, inside("signedIdentity", err)
	}
	if rule.SignedPrefix, err = remap.text("signedPrefix"); err != nil {
		return nil, inside("signedIdentity", err)
	}
	signed, err := signedIdentity(rule)
	return signed, inside("signedIdentity", err)
}
