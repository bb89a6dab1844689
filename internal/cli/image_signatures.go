// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/openpgp"
	"github.com/assay-project/assay/internal/registry"
	"github.com/assay-project/assay/internal/simplesigning"
	"github.com/assay-project/assay/internal/verify"
)

// foundSignature is a signature that goes into an Image.
type foundSignature struct {
	kind    string // Of the Image's signature.
	content []byte
}

// signatureCollector collects the signatures of an Image from files. What is no signature is named
// and left out, so that it hides no other.
type signatureCollector struct {
	image  reference.Named
	digest digest.Digest
	stderr io.Writer

	found []foundSignature
	size  int
	// leftOut counts the files that are no signatures.
	leftOut int
}

// note prints a note. There is no way to report an error on standard error.
func (c *signatureCollector) note(format string, values ...any) {
	_, _ = fmt.Fprintf(c.stderr, "assay: "+format+"\n", values...)
}

// skip names a file that is left out. An error means that there are too many of them.
func (c *signatureCollector) skip(where string, why error) error {
	c.note("%s is left out: %v", where, why)
	c.leftOut++
	if c.leftOut > maxSignatures {
		return fmt.Errorf("more than %d files are not signatures", maxSignatures)
	}
	return nil
}

// addFetched adds the signatures of the registry and the lookaside store.
func (c *signatureCollector) addFetched(ctx context.Context, f *fetcher) error {
	if f.asksNothing() {
		return nil
	}
	sources, err := f.signatures(ctx, c.digest)
	if err != nil {
		return err
	}
	for _, source := range sources {
		for _, problem := range source.found.Skipped {
			c.leftOut++
			if problem.Host == "" {
				c.note("%s %v; it is left out", source.name, problem)
			} else {
				c.note("%s: %v; it is left out", source.name, problem)
			}
		}
		for i := range source.found.Signatures {
			s := &source.found.Signatures[i]
			if s.Type == registry.TypeNotation {
				c.note("a signature of %s is left out: it is of notation, which is not verified", source.name)
				continue
			}
			if err := c.add("a signature of "+source.name, s.Content); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds the content of a file, unless it is there already. An error means that the Image cannot
// hold the signatures.
func (c *signatureCollector) add(where string, content []byte) error {
	kind, err := signatureType(content)
	if err != nil {
		return c.skip(where, err)
	}
	if slices.ContainsFunc(c.found, func(other foundSignature) bool { return bytes.Equal(other.content, content) }) {
		return nil
	}
	c.found, c.size = append(c.found, foundSignature{kind, content}), c.size+len(content)
	switch {
	case len(c.found) > maxSignatures:
		return fmt.Errorf("%s: an Image has at most %d signatures", where, maxSignatures)
	case c.size > maxSignatureContent:
		return fmt.Errorf("%s: the signatures of an Image have at most %d KiB together", where, maxSignatureContent>>10)
	}
	c.compare(where, content)
	return nil
}

// signatureType returns the type of a signature by its content: what sigstore writes begins with a
// NUL or a brace, and an OpenPGP message never does.
func signatureType(content []byte) (kind string, err error) {
	kind = imagev1.SignatureTypeAtomicImageV1
	if len(content) > 0 && (content[0] == 0 || content[0] == '{') {
		kind = imagev1.SignatureTypeSigstore
	}
	for _, format := range formats {
		if slices.Contains(format.Types(), kind) {
			_, err = format.Parse(content, verify.NewBudget())
		}
	}
	return kind, err
}

// compare notes what the signature itself says that does not fit the image. Nothing has verified
// it: the Image gets the signature all the same.
func (c *signatureCollector) compare(where string, content []byte) {
	message, err := openpgp.ParseMessage(content)
	if err != nil {
		return // Of another format.
	}
	payload, err := simplesigning.Parse(message.UnverifiedPayload())
	if err != nil {
		c.note("%s cannot be verified for any image: %v", where, err)
		return
	}
	if payload.ManifestDigest != c.digest {
		c.note("%s is for another image: %s, and this is %s", where, payload.ManifestDigest, c.digest)
	}
	matcher, err := imageref.NewMatcher(imageref.Rule{})
	if err == nil {
		err = matcher.Match(c.image, payload.DockerReference)
	}
	if err != nil {
		c.note("%s: %v; a TrustPolicy with another rule in signedIdentity may accept it", where, err)
	}
}
