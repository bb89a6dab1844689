// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"encoding/json"
	"errors"
	"fmt"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// sigstoreRoot is what a sigstoreSigned of containers-policy.json(5) or a rootOfTrust of OpenShift trusts: one of
// keys, fulcio and pki.
type sigstoreRoot struct {
	keys   pemSource
	fulcio *fulcioRoot
	pki    *pkiRoot
	// rekor has the logs of which one must have the signature.
	rekor pemSource
}

type fulcioRoot struct {
	ca            pemSource
	issuer, email string
}

type pkiRoot struct {
	roots, intermediates pemSource
	email, hostname      string
}

// validate returns why readers of the original refuse it, and why no TrustPolicy can have it.
func (r *sigstoreRoot) validate() (invalid, cannot error) {
	switch {
	case r.fulcio != nil:
		switch {
		case r.fulcio.ca.empty():
			return errors.New("fulcio has no CA certificates"), nil
		case r.rekor.empty():
			return errors.New("fulcio needs the key of a transparency log"), nil
		case r.fulcio.issuer == "" || r.fulcio.email == "":
			return errors.New("fulcio needs an OIDC issuer and an email address"), nil
		}
		return nil, errors.Join(checkIssuer(r.fulcio.issuer), checkEmail(r.fulcio.email))
	case r.pki != nil:
		switch {
		case r.pki.roots.empty():
			return errors.New("pki has no CA certificates"), nil
		case !r.rekor.empty():
			return errors.New("pki has no transparency log"), nil
		case r.pki.email == "" && r.pki.hostname == "":
			return errors.New("pki needs an email address or a host name"), nil
		}
		if r.pki.email != "" {
			cannot = checkEmail(r.pki.email)
		}
		if r.pki.hostname != "" {
			cannot = errors.Join(cannot, checkHostname(r.pki.hostname))
		}
		return nil, cannot
	}
	if n := len(r.keys.paths) + len(r.keys.datas); n > maxKeys {
		return nil, fmt.Errorf("it has more than the %d keys of a TrustPolicy", maxKeys)
	}
	return nil, nil
}

// addRoot adds what the root trusts.
func (l *keyList) addRoot(r *sigstoreRoot) {
	switch {
	case r.fulcio != nil:
		l.addSigner("fulcio", assayv1alpha1.TrustedSigner{Fulcio: &assayv1alpha1.FulcioSigner{
			CACertificates: l.pemTrust(pemCertificates, "fulcio-ca", r.fulcio.ca, false),
			RekorKeys:      l.pemTrust(pemKeys, "rekor-keys", r.rekor, true),
			OIDCIssuer:     r.fulcio.issuer,
			Subject:        assayv1alpha1.FulcioSubject{Email: assayv1alpha1.EmailAddress(r.fulcio.email)},
		}})
	case r.pki != nil:
		signer := &assayv1alpha1.PKISigner{
			CACertificates: *l.pemTrust(pemCertificates, "ca-roots", r.pki.roots, false),
			Subject:        assayv1alpha1.PKISubject{Email: assayv1alpha1.EmailAddress(r.pki.email), Hostname: r.pki.hostname},
		}
		if !r.pki.intermediates.empty() {
			signer.Intermediates = l.pemTrust(pemCertificates, "ca-intermediates", r.pki.intermediates, false)
		}
		l.addSigner("pki", assayv1alpha1.TrustedSigner{PKI: signer})
	default:
		l.addPEMKeys(r.keys, l.rekorLog(r.rekor))
	}
}

// sigstoreSigned is the requirement as containers-policy.json(5) has it.
type sigstoreSigned struct {
	Type                string          `json:"type"`
	KeyPath             string          `json:"keyPath"`
	KeyPaths            []string        `json:"keyPaths"`
	KeyData             []byte          `json:"keyData"`
	KeyDatas            [][]byte        `json:"keyDatas"`
	Fulcio              *fulcioSigned   `json:"fulcio"`
	PKI                 *pkiSigned      `json:"pki"`
	RekorPublicKeyPath  string          `json:"rekorPublicKeyPath"`
	RekorPublicKeyPaths []string        `json:"rekorPublicKeyPaths"`
	RekorPublicKeyData  []byte          `json:"rekorPublicKeyData"`
	RekorPublicKeyDatas [][]byte        `json:"rekorPublicKeyDatas"`
	SignedIdentity      json.RawMessage `json:"signedIdentity"`
}

type fulcioSigned struct {
	CAPath       string `json:"caPath"`
	CAData       []byte `json:"caData"`
	OIDCIssuer   string `json:"oidcIssuer"`
	SubjectEmail string `json:"subjectEmail"`
}

type pkiSigned struct {
	CARootsPath         string `json:"caRootsPath"`
	CARootsData         []byte `json:"caRootsData"`
	CAIntermediatesPath string `json:"caIntermediatesPath"`
	CAIntermediatesData []byte `json:"caIntermediatesData"`
	SubjectEmail        string `json:"subjectEmail"`
	SubjectHostname     string `json:"subjectHostname"`
}

func readSigstoreSigned(m members, text string) (requirement, error) {
	r := requirement{kind: "sigstoreSigned"}
	var in sigstoreSigned
	if err := (members{r.kind: {text: text}}).decode(r.kind, &in); err != nil {
		return r, err
	}
	root, err := in.root()
	if err != nil {
		return r, err
	}
	invalid, cannot := root.validate()
	if invalid != nil {
		return r, invalid
	}
	signed, invalid, cannotMatch := readIdentity(m)
	if invalid != nil {
		return r, invalid
	}
	r.sigstore, r.identity = root, signed
	if err := errors.Join(cannot, cannotMatch); err != nil {
		r.cannot = "sigstoreSigned is not carried over: " + quote(err.Error())
	}
	return r, nil
}

// root checks that the members agree with each other.
func (in *sigstoreSigned) root() (*sigstoreRoot, error) {
	sources := count(in.KeyPath != "", len(in.KeyPaths) > 0, len(in.KeyData) > 0, len(in.KeyDatas) > 0, in.Fulcio != nil, in.PKI != nil)
	if sources != 1 {
		return nil, errors.New("exactly one of keyPath, keyPaths, keyData, keyDatas, fulcio and pki is needed")
	}
	if count(in.RekorPublicKeyPath != "", len(in.RekorPublicKeyPaths) > 0, len(in.RekorPublicKeyData) > 0, len(in.RekorPublicKeyDatas) > 0) > 1 {
		return nil, errors.New("at most one of rekorPublicKeyPath, rekorPublicKeyPaths, rekorPublicKeyData and rekorPublicKeyDatas is possible")
	}
	root := &sigstoreRoot{keys: newPEMSource(in.KeyPath, in.KeyData), rekor: newPEMSource(in.RekorPublicKeyPath, in.RekorPublicKeyData)}
	root.keys.paths = append(root.keys.paths, in.KeyPaths...)
	root.keys.datas = append(root.keys.datas, in.KeyDatas...)
	root.rekor.paths = append(root.rekor.paths, in.RekorPublicKeyPaths...)
	root.rekor.datas = append(root.rekor.datas, in.RekorPublicKeyDatas...)
	if f := in.Fulcio; f != nil {
		root.fulcio = &fulcioRoot{ca: newPEMSource(f.CAPath, f.CAData), issuer: f.OIDCIssuer, email: f.SubjectEmail}
		if f.CAPath != "" && len(f.CAData) > 0 {
			return nil, errors.New("fulcio: caPath and caData exclude each other")
		}
	}
	if p := in.PKI; p != nil {
		root.pki = &pkiRoot{
			roots: newPEMSource(p.CARootsPath, p.CARootsData), intermediates: newPEMSource(p.CAIntermediatesPath, p.CAIntermediatesData),
			email: p.SubjectEmail, hostname: p.SubjectHostname,
		}
		if p.CARootsPath != "" && len(p.CARootsData) > 0 || p.CAIntermediatesPath != "" && len(p.CAIntermediatesData) > 0 {
			return nil, errors.New("pki: a path and data of the same certificates exclude each other")
		}
	}
	return root, nil
}

func count(conditions ...bool) int {
	n := 0
	for _, condition := range conditions {
		if condition {
			n++
		}
	}
	return n
}
