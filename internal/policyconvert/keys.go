// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"fmt"
	"path"
	"strings"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/openpgp"
)

// Bounds of keys that are written into a TrustPolicy, in bytes: that of the API for one, and for all of a policy so
// much that the object is far below what etcd takes.
const (
	maxInline    = 64 << 10
	maxInlineAll = 512 << 10
)

// keyList makes the keys and signers of one TrustPolicy.
type keyList struct {
	converter *Converter
	where     string
	taken     map[string]bool
	keys      []assayv1alpha1.TrustedKey
	signers   []assayv1alpha1.TrustedSigner
	inline    int
}

func (c *Converter) newKeyList(where string) *keyList {
	return &keyList{converter: c, where: where, taken: map[string]bool{}}
}

// addPath adds the file that the original names.
func (l *keyList) addPath(file string) {
	name := l.keyName(file)
	if l.converter.options.ReadFile == nil {
		l.refer(name, file)
		return
	}
	data, err := l.converter.options.ReadFile(file)
	if err == nil {
		err = l.addInline(name, "key file "+quote(file), data)
	}
	if err == nil {
		return
	}
	secret := l.refer(name, file)
	l.converter.note(true, l.where, "key file %s is not inline: %v; put the public key into Secret %s", quote(file), err, secret)
}

// addData adds keys that the original holds itself.
func (l *keyList) addData(scope string, data []byte) {
	name := unique(l.taken, "key", maxKeyName)
	err := l.addInline(name, "keyData", data)
	if err == nil {
		return
	}
	secret := l.secretName("keydata:"+scope, scope+"-key")
	l.keys = append(l.keys, assayv1alpha1.TrustedKey{Name: assayv1alpha1.EntryName(name), SecretRef: &assayv1alpha1.KeySourceRef{Name: secret}})
	l.converter.note(true, l.where, "keyData is not inline: %v; put the public key into Secret %s of namespace %s",
		err, secret, l.converter.options.Namespace)
}

// addInline adds the keys of a file, and a note for each thing in it that is left out.
func (l *keyList) addInline(name, what string, data []byte) error {
	text, file, err := l.armored(data)
	if err != nil {
		return err
	}
	l.inline += len(text)
	l.keys = append(l.keys, assayv1alpha1.TrustedKey{Name: assayv1alpha1.EntryName(name), Inline: text})
	for _, problem := range file.Problems {
		// What is no key says nothing to the original's readers either.
		l.converter.note(file.KeysSkipped, l.where, "%s is inline without some of it: %s", what, problem)
	}
	return nil
}

// refer adds a reference to a Secret for a file, and says how to make it.
func (l *keyList) refer(name, file string) (secret string) {
	base := path.Base(file)
	secret = l.secretName(file, base)
	l.keys = append(l.keys, assayv1alpha1.TrustedKey{Name: assayv1alpha1.EntryName(name), SecretRef: &assayv1alpha1.KeySourceRef{Name: secret}})
	l.converter.note(false, l.where, "to create Secret %s: kubectl -n %s create secret generic %s --from-file=%s",
		secret, l.converter.options.Namespace, secret, shellQuote(file))
	return secret
}

// secretName returns the name of the Secret for a source of keys, the same each time.
func (l *keyList) secretName(source, text string) string {
	if name, ok := l.converter.secrets[source]; ok {
		return name
	}
	taken := map[string]bool{}
	for _, name := range l.converter.secrets {
		taken[name] = true
	}
	name := unique(taken, objectName(text), maxObjectName)
	l.converter.secrets[source] = name
	return name
}

// keyName names a key after its file.
func (l *keyList) keyName(file string) string {
	base := path.Base(file)
	return unique(l.taken, objectName(strings.TrimSuffix(base, path.Ext(base))), maxKeyName)
}

// shellQuote quotes a word for a shell.
func shellQuote(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:@%") == "" {
		return word
	}
	// What is not printable is for no shell to see.
	if quoted := quote(word); strings.Contains(quoted, `\`) || strings.HasSuffix(quoted, "…") {
		return "FILE"
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// armored returns the public keys and revocations of a key file as armor blocks, and what else the
// file holds. Private keys are never copied, and neither is anything else.
func (l *keyList) armored(data []byte) (text string, file *openpgp.KeyFile, err error) {
	if file, err = openpgp.ParseKeyFile(data); err != nil {
		return "", nil, err
	}
	blocks, err := openpgp.Rearmor(data)
	if err != nil {
		return "", nil, err
	}
	if len(blocks) > maxInline || l.inline+len(blocks) > maxInlineAll {
		return "", nil, fmt.Errorf("more than %d KiB are too much for a TrustPolicy", maxInline>>10)
	}
	return string(blocks), file, nil
}
