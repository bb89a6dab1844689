// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/verify"
)

// signerOptions are the options for signatures of type sigstore: the logs of keys, and identities that
// a certificate authority vouches for.
type signerOptions struct {
	trustedRoot string
	rekorKeys   []string

	issuer    string
	fulcioCA  string
	email     string
	uri       string
	uriPrefix string
	username  string
	claims    []string

	caRoots         string
	caIntermediates string
	hostname        string

	unnamed string
}

func (o *signerOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.trustedRoot, "trusted-root", "", "`FILE` trusted_root.json of sigstore, with transparency logs for --trusted-key, and authorities for --certificate-oidc-issuer")
	flags.StringArrayVar(&o.rekorKeys, "rekor-key", nil, "`FILE` with public keys of transparency logs in PEM, in place of --trusted-root; may be repeated")
	flags.StringVar(&o.fulcioCA, "fulcio-ca", "", "`FILE` with CA certificates of a private Fulcio in PEM, in place of --trusted-root; needs --rekor-key")
	flags.StringVar(&o.issuer, "certificate-oidc-issuer", "", "`URL` of the OIDC issuer in a certificate by Fulcio")
	flags.StringVar(&o.email, "certificate-email", "", "email `ADDRESS` in the certificate")
	flags.StringVar(&o.uri, "certificate-uri", "", "`URI` in the certificate by Fulcio")
	flags.StringVar(&o.uriPrefix, "certificate-uri-prefix", "", "`PREFIX` of the URI in the certificate by Fulcio, up to and including a slash or an @")
	flags.StringVar(&o.username, "certificate-username", "", "`NAME` that Fulcio certifies for a username")
	flags.StringArrayVar(&o.claims, "certificate-claim", nil, "`NAME=VALUE` in the certificate by Fulcio, such as sourceRepositoryRef=refs/heads/main; may be repeated")
	flags.StringVar(&o.caRoots, "ca-roots", "", "`FILE` with CA certificates in PEM, for certificates by another CA than Fulcio")
	flags.StringVar(&o.caIntermediates, "ca-intermediates", "", "`FILE` with intermediate CA certificates in PEM, for --ca-roots")
	flags.StringVar(&o.hostname, "certificate-hostname", "", "`HOST` name in the certificate, for --ca-roots")
	flags.StringVar(&o.unnamed, "unnamed-signatures", string(assayv1alpha1.UnnamedSignaturesReject),
		"`POLICY` for signatures that state no name of an image: Reject or Accept")
}

// hasSigner reports whether the options name an identity.
func (o *signerOptions) hasSigner() bool { return o.issuer != "" || o.caRoots != "" }

// validate reports options that contradict each other or lack another one, or have no effect.
func (o *signerOptions) validate(signatureType string, hasKeys bool) error {
	if !slices.Contains([]string{string(assayv1alpha1.UnnamedSignaturesReject), string(assayv1alpha1.UnnamedSignaturesAccept)}, o.unnamed) {
		return usagef("--unnamed-signatures must be Reject or Accept, and is %q", o.unnamed)
	}
	if err := o.needs(); err != nil {
		return err
	}
	hasLog := o.trustedRoot != "" || len(o.rekorKeys) > 0
	switch {
	case (hasLog || o.hasSigner()) && signatureType != imagev1.SignatureTypeSigstore:
		return usagef("transparency logs and certificates are for --type sigstore")
	case o.issuer != "" && o.caRoots != "":
		return usagef("give --certificate-oidc-issuer or --ca-roots, not both")
	case o.trustedRoot != "" && (len(o.rekorKeys) > 0 || o.fulcioCA != ""):
		return usagef("give --trusted-root, or --rekor-key and --fulcio-ca, not both")
	case hasLog && !hasKeys && o.issuer == "":
		return usagef("--trusted-root and --rekor-key need --trusted-key or --certificate-oidc-issuer")
	case o.issuer != "":
		return o.validateFulcio()
	case o.caRoots != "" && o.email == "" && o.hostname == "":
		return usagef("--ca-roots needs --certificate-email or --certificate-hostname")
	}
	return nil
}

// needs reports the first option whose other one is missing.
func (o *signerOptions) needs() error {
	for _, option := range []struct {
		flag  string
		given bool
		needs string
		met   bool
	}{
		{"--fulcio-ca", o.fulcioCA != "", "--certificate-oidc-issuer", o.issuer != ""},
		{"--certificate-email", o.email != "", "--certificate-oidc-issuer or --ca-roots", o.hasSigner()},
		{"--certificate-uri", o.uri != "", "--certificate-oidc-issuer", o.issuer != ""},
		{"--certificate-uri-prefix", o.uriPrefix != "", "--certificate-oidc-issuer", o.issuer != ""},
		{"--certificate-username", o.username != "", "--certificate-oidc-issuer", o.issuer != ""},
		{"--certificate-claim", len(o.claims) > 0, "--certificate-oidc-issuer", o.issuer != ""},
		{"--ca-intermediates", o.caIntermediates != "", "--ca-roots", o.caRoots != ""},
		{"--certificate-hostname", o.hostname != "", "--ca-roots", o.caRoots != ""},
	} {
		if option.given && !option.met {
			return usagef("%s needs %s", option.flag, option.needs)
		}
	}
	return nil
}

func (o *signerOptions) validateFulcio() error {
	subjects := 0
	for _, name := range []string{o.email, o.uri, o.uriPrefix, o.username} {
		if name != "" {
			subjects++
		}
	}
	switch {
	case subjects != 1:
		return usagef("--certificate-oidc-issuer needs one of --certificate-email, --certificate-uri, --certificate-uri-prefix and --certificate-username")
	case o.trustedRoot == "" && (o.fulcioCA == "" || len(o.rekorKeys) == 0):
		return usagef("--certificate-oidc-issuer needs --trusted-root, or --fulcio-ca and --rekor-key")
	}
	return nil
}

// material reads the files beside those of keys.
func (o *signerOptions) material() (signature.Material, error) {
	material := signature.Material{}
	for _, option := range []struct {
		flag  string
		kind  signature.RootsKind
		files []string
	}{
		{"--trusted-root", signature.TrustedRoot, []string{o.trustedRoot}},
		{"--rekor-key", signature.RekorKeys, o.rekorKeys},
		{"--fulcio-ca", signature.CACertificates, []string{o.fulcioCA}},
		{"--ca-roots", signature.CACertificates, []string{o.caRoots}},
		{"--ca-intermediates", signature.Intermediates, []string{o.caIntermediates}},
	} {
		for _, name := range option.files {
			if name == "" {
				continue
			}
			data, err := readFile(name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", option.flag, err)
			}
			parsed, err := signature.ParseRoots(option.kind, data)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", option.flag, name, err)
			}
			material[option.kind] = append(material[option.kind], parsed)
		}
	}
	return material, nil
}

// log returns the part of the material that keys need, nil if they need no log.
func (o *signerOptions) log(material signature.Material) signature.Material {
	log := signature.Material{}
	for _, kind := range []signature.RootsKind{signature.TrustedRoot, signature.RekorKeys} {
		if len(material[kind]) > 0 {
			log[kind] = material[kind]
		}
	}
	if len(log) == 0 {
		return nil
	}
	return log
}

// signer returns the entry that the options describe, nil for none.
func (o *signerOptions) signer(material signature.Material) (verify.KeyFile, error) {
	signer := &assayv1alpha1.TrustedSigner{}
	switch {
	case o.issuer != "":
		signer.Fulcio = &assayv1alpha1.FulcioSigner{
			OIDCIssuer: o.issuer,
			Subject: assayv1alpha1.FulcioSubject{
				Email: assayv1alpha1.EmailAddress(o.email), URI: o.uri, URIPrefix: o.uriPrefix, Username: o.username,
			},
		}
		for _, claim := range o.claims {
			name, value, ok := strings.Cut(claim, "=")
			if !ok || value == "" {
				return nil, usagef("--certificate-claim must be NAME=VALUE, and is %q", claim)
			}
			signer.Fulcio.Claims = append(signer.Fulcio.Claims, assayv1alpha1.CertificateClaim{Name: assayv1alpha1.ClaimName(name), Value: value})
		}
	case o.caRoots != "":
		signer.PKI = &assayv1alpha1.PKISigner{
			Subject: assayv1alpha1.PKISubject{Email: assayv1alpha1.EmailAddress(o.email), Hostname: o.hostname},
		}
	default:
		return nil, nil
	}
	file, err := signature.NewSigner(signer, material)
	if err != nil {
		return nil, usageError{err}
	}
	return file, nil
}

// label is what messages call the policy.
func (o *signerOptions) label(hasKeys bool) string {
	var options []string
	if hasKeys {
		options = append(options, "--trusted-key")
	}
	switch {
	case o.issuer != "":
		options = append(options, "--certificate-oidc-issuer")
	case o.caRoots != "":
		options = append(options, "--ca-roots")
	}
	return strings.Join(options, " and ")
}
