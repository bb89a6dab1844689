// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// requirement is one requirement of a scope, read.
type requirement struct {
	kind string
	// signedBy alone: where the keys are.
	keyPaths []string
	keyData  []byte
	// sigstoreSigned alone: what is trusted.
	sigstore *sigstoreRoot
	// The accepted identity.
	identity *assayv1alpha1.SignedIdentity
	// never says why the original accepts no image, empty when it may.
	never string
	// cannot says why no TrustPolicy can ask for this, empty when one can.
	cannot string
}

// addContainersPolicy converts the file of containers-policy.json(5).
func (c *Converter) addContainersPolicy(m members) error {
	if err := m.onlyKnown("default", "transports"); err != nil {
		return err
	}
	if _, ok := m["default"]; !ok {
		return errors.New("default is missing: the file is neither a policy of containers-policy.json(5) nor an object of Kubernetes")
	}
	fallback, err := readRequirements(m, "default")
	if err != nil {
		return err
	}
	transports, err := m.object("transports")
	if err != nil {
		return err
	}
	where := "default"
	for _, name := range transports.names() {
		scopes, err := transports.object(name)
		if err != nil {
			return inside("transports", err)
		}
		all := map[string][]requirement{}
		for _, scope := range scopes.names() {
			if all[scope], err = readRequirements(scopes, scope); err != nil {
				return inside("transports", inside(name, err))
			}
		}
		if name != "docker" {
			c.note(false, "transports."+printable(name), "left out: a cluster pulls its images from registries, which is the transport docker")
			continue
		}
		if requirements, ok := all[""]; ok {
			fallback, where = requirements, `transports.docker.""`
		}
		c.addScopes(scopes.names(), all)
	}
	c.addDefault(where, fallback)
	return nil
}

// addDefault says what becomes of images that no scope covers.
func (c *Converter) addDefault(where string, requirements []requirement) {
	for _, r := range requirements {
		if r.kind != "insecureAcceptAnything" {
			c.note(true, where, "%s is not carried over: a TrustPolicy has scopes, and admission lets images pass that none covers", r.kind)
			return
		}
	}
}

func (c *Converter) addScopes(names []string, all map[string][]requirement) {
	for _, text := range names {
		if text == "" {
			continue
		}
		where := "transports.docker." + quote(text)
		scope, respelt, err := readScope(text)
		if err != nil {
			// What applied to nothing and asked for nothing is no loss.
			c.note(!errors.Is(err, errNoImage) || !acceptsAnything(all[text]), where, "left out: %v", err)
			continue
		}
		if respelt != "" {
			c.note(false, where, "written as %s: the scope covers every spelling of the registry", quote(respelt))
		}
		c.addScope(where, scope, all[text])
	}
}

// acceptsAnything reports whether every requirement is insecureAcceptAnything.
func acceptsAnything(requirements []requirement) bool {
	return !slices.ContainsFunc(requirements, func(r requirement) bool { return r.kind != "insecureAcceptAnything" })
}

// addScope converts the requirements of a scope, all of which have to be satisfied.
func (c *Converter) addScope(where, scope string, requirements []requirement) {
	var signed []requirement
	var cannot []string
	accepts := acceptsAnything(requirements)
	for _, r := range requirements {
		switch {
		case r.never != "":
			c.leaveOpen(where, scope, r.never, false)
			return
		case r.cannot != "":
			cannot = append(cannot, r.cannot)
		case r.kind != "insecureAcceptAnything":
			signed = append(signed, r)
		}
	}
	if len(signed) == 0 {
		why := "insecureAcceptAnything is not carried over: a TrustPolicy asks for signatures"
		if !accepts {
			why = strings.Join(cannot, "; ")
		}
		c.leaveOpen(where, scope, why, accepts)
		return
	}
	for _, why := range cannot {
		c.note(true, where, "%s; the other requirements of the scope are carried over", why)
	}
	for _, r := range signed {
		c.addSigned(where, scope, r)
	}
}

func (c *Converter) leaveOpen(where, scope, why string, accepts bool) {
	c.open = append(c.open, openScope{where: c.file + ": " + where, scope: scope, why: why, accepts: accepts})
}

func (c *Converter) addSigned(where, scope string, r requirement) {
	spec := assayv1alpha1.TrustPolicySpec{Scopes: []assayv1alpha1.Scope{assayv1alpha1.Scope(scope)}, SignedIdentity: r.identity}
	keys := c.newKeyList(where)
	if r.sigstore != nil {
		keys.addRoot(r.sigstore)
	}
	if r.keyData != nil {
		keys.addData(scope, r.keyData)
	}
	for _, path := range r.keyPaths {
		keys.addPath(path)
	}
	spec.Keys, spec.Signers = keys.keys, keys.signers
	c.addPolicy(scope, spec)
}

// readRequirements reads the list of requirements that is a member.
func readRequirements(m members, name string) ([]requirement, error) {
	elements, err := m.list(name)
	if err != nil {
		return nil, err
	}
	if len(elements) == 0 {
		return nil, fmt.Errorf("%s: the list of requirements is empty", quote(name))
	}
	requirements := make([]requirement, 0, len(elements))
	for i, element := range elements {
		object, err := readObject(element)
		if err == nil {
			var r requirement
			r, err = readRequirement(object, element)
			requirements = append(requirements, r)
		}
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", quote(name), i, err)
		}
	}
	return requirements, nil
}

func readRequirement(m members, text string) (requirement, error) {
	kind, err := m.text("type")
	if err != nil {
		return requirement{}, err
	}
	r := requirement{kind: kind}
	switch kind {
	case "insecureAcceptAnything":
		return r, m.onlyKnown("type")
	case "reject":
		r.never = "reject is not carried over: a TrustPolicy says whose signatures count, not that none does"
		return r, m.onlyKnown("type")
	case "signedBaseLayer":
		r.never = "signedBaseLayer is not carried over: no program implements it, and every image is refused"
		return r, m.onlyKnown("type", "baseLayerIdentity")
	case "sigstoreSigned":
		return readSigstoreSigned(m, text)
	case "signedBy":
		return readSignedBy(m)
	default:
		return r, fmt.Errorf("type %s is not known", quote(kind))
	}
}

// maxKeys is how many keys a TrustPolicy has at most.
const maxKeys = 64

func readSignedBy(m members) (requirement, error) {
	r := requirement{kind: "signedBy"}
	if err := m.onlyKnown("type", "keyType", "keyPath", "keyPaths", "keyData", "signedIdentity"); err != nil {
		return r, err
	}
	keyType, err := m.text("keyType")
	if err != nil {
		return r, err
	}
	switch keyType {
	case "GPGKeys":
	case "signedByGPGKeys", "X509Certificates", "signedByX509CAs":
		r.never = fmt.Sprintf("keyType %s is not carried over: no program implements it, and every image is refused", keyType)
	default:
		return r, fmt.Errorf("keyType %s is not known", quote(keyType))
	}
	if err := r.readKeys(m); err != nil {
		return r, err
	}
	signed, invalid, cannot := readIdentity(m)
	if invalid != nil {
		return r, invalid
	}
	r.identity = signed
	switch {
	case cannot != nil:
		r.cannot = "signedBy is not carried over: " + cannot.Error()
	case len(r.keyPaths) > maxKeys:
		r.cannot = fmt.Sprintf("signedBy is not carried over: keyPaths has more than the %d keys of a TrustPolicy", maxKeys)
	}
	return r, nil
}

// readKeys reads the one member that says where the keys are.
func (r *requirement) readKeys(m members) error {
	sources := 0
	for _, name := range []string{"keyPath", "keyPaths", "keyData"} {
		if _, ok := m[name]; ok {
			sources++
		}
	}
	if sources != 1 {
		return errors.New("exactly one of keyPath, keyPaths and keyData is needed")
	}
	paths, err := m.texts("keyPaths")
	if err != nil {
		return err
	}
	path, err := m.text("keyPath")
	if err != nil {
		return err
	}
	if path != "" {
		paths = []string{path}
	}
	data, err := m.text("keyData")
	if err != nil {
		return err
	}
	if data != "" {
		if r.keyData, err = base64.StdEncoding.DecodeString(data); err != nil {
			return errors.New("keyData is not base64")
		}
	}
	for _, path := range paths {
		if path == "" || strings.ContainsRune(path, 0) {
			return errors.New("a path of a key is empty or holds a NUL")
		}
	}
	if len(paths) == 0 && len(r.keyData) == 0 {
		return errors.New("keyPath, keyPaths or keyData is empty")
	}
	r.keyPaths = paths
	return nil
}

// printable returns a name as it is where it needs no quotation marks.
func printable(name string) string {
	if quoted := quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}
