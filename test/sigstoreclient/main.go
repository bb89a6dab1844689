// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Command sigstoreclient verifies a sigstore bundle with Assay's code. It speaks the protocol by which
// sigstore-conformance drives clients, and is for tests: it accepts any attestation, which for Assay is
// no signature of an image.
//
//	sigstoreclient verify-bundle --bundle FILE --trusted-root FILE
//	    (--key FILE | --certificate-identity NAME --certificate-oidc-issuer URL) (FILE | sha256:HEX)
//
// It exits with 0 if the bundle is verified, and with 1 and a reason if it is not.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/assay-project/assay/internal/sigstore"
)

func main() {
	if err := run(os.Args[1:], time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options are the flags of verify-bundle.
type options struct {
	bundle, trustedRoot, key, identity, issuer string
	artifact                                   string
}

func run(args []string, now time.Time) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	authorities, err := o.authorities()
	if err != nil {
		return err
	}
	manifest, digest, err := o.content()
	if err != nil {
		return err
	}
	bundle, err := os.ReadFile(o.bundle)
	if err != nil {
		return err
	}
	signature, err := sigstore.Parse(bundle)
	if err != nil {
		return describe(err)
	}
	verified, err := signature.AuthenticateAttestation(authorities, sigstore.Input{Now: now, Manifest: manifest})
	if err != nil {
		return describe(err)
	}
	for _, statement := range verified.Statements {
		if slices.Contains(statement.Digests, digest) {
			return nil
		}
	}
	return fmt.Errorf("DigestMismatch: the bundle is not for %s", digest)
}

func describe(err error) error {
	return fmt.Errorf("%s: %w", sigstore.AsError(err).Code, err)
}

func parse(args []string) (*options, error) {
	if len(args) == 0 || args[0] != "verify-bundle" {
		return nil, errors.New("usage: sigstoreclient verify-bundle [flags] FILE")
	}
	o := &options{}
	flags := flag.NewFlagSet("verify-bundle", flag.ContinueOnError)
	flags.StringVar(&o.bundle, "bundle", "", "file with the bundle")
	flags.StringVar(&o.trustedRoot, "trusted-root", "", "trusted_root.json")
	flags.StringVar(&o.key, "key", "", "file with the signer's public key")
	flags.StringVar(&o.identity, "certificate-identity", "", "subject of the signer's certificate")
	flags.StringVar(&o.issuer, "certificate-oidc-issuer", "", "OIDC issuer of the signer's certificate")
	if err := flags.Parse(args[1:]); err != nil {
		return nil, err
	}
	if flags.NArg() != 1 {
		return nil, errors.New("name one file or digest")
	}
	o.artifact = flags.Arg(0)
	return o, nil
}

// authorities returns whose signatures are accepted. The type of a certificate's subject is not known
// to the protocol, so that there is one entry for each.
func (o *options) authorities() ([]*sigstore.Authority, error) {
	document, err := os.ReadFile(o.trustedRoot)
	if err != nil {
		return nil, err
	}
	roots, err := sigstore.ParseTrustedRoot(document)
	if err != nil {
		return nil, err
	}
	if o.key != "" {
		pem, err := os.ReadFile(o.key)
		if err != nil {
			return nil, err
		}
		keys, err := sigstore.ParseKeys(pem)
		return []*sigstore.Authority{{Name: "key", Keys: keys, Log: roots}}, err
	}
	subjects := []sigstore.Subject{{Email: o.identity}, {URI: o.identity}, {Username: o.identity}}
	authorities := make([]*sigstore.Authority, len(subjects))
	for i, subject := range subjects {
		authorities[i] = &sigstore.Authority{
			Name:   o.identity,
			Fulcio: &sigstore.Fulcio{Roots: roots, Issuer: o.issuer, Subject: subject},
		}
	}
	return authorities, nil
}

// content returns what the bundle should be for: bytes if they are at hand, and their digest.
func (o *options) content() (content []byte, digest string, err error) {
	if strings.HasPrefix(o.artifact, "sha256:") {
		return nil, o.artifact, nil
	}
	content, err = os.ReadFile(o.artifact)
	sum := sha256.Sum256(content)
	return content, "sha256:" + hex.EncodeToString(sum[:]), err
}
