// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"strings"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/pubkey"
	"github.com/assay-project/assay/internal/sigstore"
)

// pemKind is what a file of PEM blocks holds, by the label of its blocks.
type pemKind string

const (
	pemKeys         pemKind = "PUBLIC KEY"
	pemCertificates pemKind = "CERTIFICATE"
)

// pemSource is where an original has PEM blocks: in files, or in itself.
type pemSource struct {
	paths []string
	datas [][]byte
}

func (s pemSource) empty() bool { return len(s.paths)+len(s.datas) == 0 }

// newPEMSource returns the source that two members of an original make up.
func newPEMSource(path string, data []byte) pemSource {
	var s pemSource
	if path != "" {
		s.paths = []string{path}
	}
	if len(data) > 0 {
		s.datas = [][]byte{data}
	}
	return s
}

// addPEMKeys adds the public keys of a source, each file as an entry. Of a file with several keys only the first
// counts in the originals.
func (l *keyList) addPEMKeys(source pemSource, log *assayv1alpha1.TransparencyLog) {
	for _, path := range source.paths {
		l.addPEMKey(l.keyName(path), pemSource{paths: []string{path}}, log)
	}
	for _, data := range source.datas {
		l.addPEMKey(unique(l.taken, "key", maxKeyName), pemSource{datas: [][]byte{data}}, log)
	}
}

func (l *keyList) addPEMKey(name string, source pemSource, log *assayv1alpha1.TransparencyLog) {
	from := l.pemTrust(pemKeys, name, source, true)
	l.keys = append(l.keys, assayv1alpha1.TrustedKey{
		Name: assayv1alpha1.EntryName(name), SecretRef: from.SecretRef, ConfigMapRef: from.ConfigMapRef, Inline: from.Inline,
		TransparencyLog: log,
	})
}

// addSigner adds an identity under a name of its own.
func (l *keyList) addSigner(name string, signer assayv1alpha1.TrustedSigner) {
	signer.Name = assayv1alpha1.EntryName(unique(l.taken, objectName(name), maxKeyName))
	l.signers = append(l.signers, signer)
}

// rekorLog returns the log whose keys are in a source, nil where the original asks for none.
func (l *keyList) rekorLog(source pemSource) *assayv1alpha1.TransparencyLog {
	if source.empty() {
		return nil
	}
	return &assayv1alpha1.TransparencyLog{RekorKeys: l.pemTrust(pemKeys, "rekor-keys", source, true)}
}

// pemTrust returns a source as the API has it: inline where that is possible, or a Secret. firstOnly keeps one key
// of each file.
func (l *keyList) pemTrust(kind pemKind, name string, source pemSource, firstOnly bool) *assayv1alpha1.TrustSource {
	datas := source.datas
	if len(source.paths) > 0 {
		var err error
		if datas, err = l.readAll(source.paths); err != nil || datas == nil {
			return l.pemSecret(kind, name, source, err, firstOnly)
		}
	}
	var text strings.Builder
	for _, data := range datas {
		blocks, err := onlyPEM(kind, data)
		if err != nil {
			return l.pemSecret(kind, name, source, err, firstOnly)
		}
		if firstOnly && len(blocks) > 1 {
			l.converter.note(false, l.where, "of %s only the first public key is written: the original reads no other", name)
			blocks = blocks[:1]
		}
		text.WriteString(strings.Join(blocks, ""))
	}
	if text.Len() > maxInline || l.inline+text.Len() > maxInlineAll {
		return l.pemSecret(kind, name, source, fmt.Errorf("more than %d KiB are too much for a TrustPolicy", maxInline>>10), firstOnly)
	}
	l.inline += text.Len()
	return &assayv1alpha1.TrustSource{Inline: text.String()}
}

// readAll reads files; nil without an error when none may be read.
func (l *keyList) readAll(paths []string) ([][]byte, error) {
	if l.converter.options.ReadFile == nil {
		return nil, nil
	}
	var datas [][]byte
	for _, path := range paths {
		data, err := l.converter.options.ReadFile(path)
		if err != nil {
			return nil, err
		}
		datas = append(datas, data)
	}
	return datas, nil
}

// pemSecret refers to a Secret in place of content that is not inline, and says how to make it.
func (l *keyList) pemSecret(kind pemKind, name string, source pemSource, reason error, firstOnly bool) *assayv1alpha1.TrustSource {
	key := strings.Join(source.paths, "\x00")
	if key == "" {
		key = "pem:" + l.where + ":" + name
	}
	secret := l.secretName(key, name)
	namespace := l.converter.options.Namespace
	if len(source.paths) > 0 {
		var command strings.Builder
		for _, path := range source.paths {
			command.WriteString(" --from-file=" + shellQuote(path))
		}
		more := ""
		if firstOnly {
			more = " (every key of a file counts in a TrustPolicy, and only the first one in the original)"
		}
		l.converter.note(false, l.where, "to create Secret %s%s: kubectl -n %s create secret generic %s%s", secret, more, namespace, secret, command.String())
	}
	if reason != nil {
		l.converter.note(true, l.where, "%s is not inline: %v; put the PEM blocks %s into Secret %s of namespace %s", name, reason, kind, secret, namespace)
	}
	return &assayv1alpha1.TrustSource{SecretRef: &assayv1alpha1.KeySourceRef{Name: secret}}
}

// onlyPEM returns the blocks of PEM text, written anew: nothing else that the text holds is copied.
func onlyPEM(kind pemKind, data []byte) ([]string, error) {
	var contents [][]byte
	switch kind {
	case pemKeys:
		keys, err := pubkey.ParsePEM(data)
		if err != nil {
			return nil, err
		}
		for _, key := range keys {
			contents = append(contents, key.SPKI())
		}
	case pemCertificates:
		certificates, err := sigstore.ParseCertificates(data)
		if err != nil {
			return nil, err
		}
		for _, c := range certificates {
			contents = append(contents, c.Raw)
		}
	}
	blocks := make([]string, len(contents))
	for i, content := range contents {
		var text bytes.Buffer
		if err := pem.Encode(&text, &pem.Block{Type: string(kind), Bytes: content}); err != nil {
			return nil, err
		}
		blocks[i] = text.String()
	}
	return blocks, nil
}
