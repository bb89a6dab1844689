// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/openpgp"
)

// Bounds of keys that are written into a TrustPolicy, in bytes: that of the API for one, and for all of a policy so
// much that the object is far below what etcd takes.
const (
	maxInline    = 64 << 10
	maxInlineAll = 512 << 10
)

// keyList makes the keys of one TrustPolicy.
type keyList struct {
	converter *Converter
	where     string
	taken     map[string]bool
	keys      []assayv1alpha1.TrustedKey
	inline    int
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
		var text string
		if text, err = l.armored(data); err == nil {
			l.add(name, text)
			return
		}
	}
	secret := l.refer(name, file)
	l.converter.note(true, l.where, "key file %s is not inline: %v; put the public key into Secret %s", quote(file), err, secret)
}

// addData adds keys that the original holds itself.
func (l *keyList) addData(scope string, data []byte) {
	name := unique(l.taken, "key", maxKeyName)
	text, err := l.armored(data)
	if err == nil {
		l.add(name, text)
		return
	}
	secret := l.secretName("keydata:"+scope, scope+"-key")
	l.keys = append(l.keys, assayv1alpha1.TrustedKey{Name: assayv1alpha1.EntryName(name), SecretRef: &assayv1alpha1.KeySourceRef{Name: secret}})
	l.converter.note(true, l.where, "keyData is not inline: %v; put the public key into Secret %s of namespace %s",
		err, secret, l.converter.options.Namespace)
}

func (l *keyList) add(name, text string) {
	l.inline += len(text)
	l.keys = append(l.keys, assayv1alpha1.TrustedKey{Name: assayv1alpha1.EntryName(name), Inline: text})
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

// armored returns the public keys and revocations of a key file as armor blocks. Private keys are never copied, and
// neither is anything else that the file holds.
func (l *keyList) armored(data []byte) (string, error) {
	before, err := openpgp.ParseKeyFile(data)
	if err != nil {
		return "", err
	}
	blocks, err := keyBlocks(data)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	for _, block := range blocks {
		if err := writeBlock(&text, block); err != nil {
			return "", err
		}
	}
	if text.Len() > maxInline || l.inline+text.Len() > maxInlineAll {
		return "", fmt.Errorf("more than %d KiB are too much for a TrustPolicy", maxInline>>10)
	}
	// The copy must say exactly what the file says: it could lack a revocation else.
	after, err := openpgp.ParseKeyFile(text.Bytes())
	if err != nil || !slices.Equal(fingerprints(before), fingerprints(after)) || len(before.Problems) != len(after.Problems) {
		return "", errors.New("it holds something beside public keys that can be read")
	}
	return text.String(), nil
}

func fingerprints(file *openpgp.KeyFile) []string {
	var list []string
	for _, certificate := range file.Certificates {
		list = append(list, certificate.Fingerprint())
	}
	return list
}

// keyBlock is the content of an armor block, or a binary file.
type keyBlock struct {
	label string
	data  []byte
}

const (
	publicKeyLabel  = "PGP PUBLIC KEY BLOCK"
	revocationLabel = "PGP SIGNATURE"
)

// keyBlocks takes a key file apart.
func keyBlocks(data []byte) ([]keyBlock, error) {
	if len(data) > 0 && data[0]&0x80 != 0 {
		block := keyBlock{publicKeyLabel, data}
		return []keyBlock{block}, block.onlyPublic()
	}
	var blocks []keyBlock
	rest := bytes.NewReader(data)
	for {
		decoded, err := armor.Decode(rest)
		if errors.Is(err, io.EOF) {
			return blocks, nil
		}
		if err != nil {
			return nil, fmt.Errorf("an armor block cannot be read")
		}
		if decoded.Type != publicKeyLabel && decoded.Type != revocationLabel {
			return nil, fmt.Errorf("it holds an armor block %s", quote(decoded.Type))
		}
		content, err := io.ReadAll(decoded.Body)
		if err != nil {
			return nil, fmt.Errorf("an armor block cannot be read")
		}
		block := keyBlock{decoded.Type, content}
		if err := block.onlyPublic(); err != nil {
			return nil, err
		}
		blocks = append(blocks, block)
	}
}

// Packet types of private keys (RFC 9580 sections 5.5.1.3 and 5.5.1.4).
const (
	tagSecretKey    = 5
	tagSecretSubkey = 7
)

// onlyPublic refuses private keys, whatever the label says.
func (b keyBlock) onlyPublic() error {
	packets := packet.NewOpaqueReader(bytes.NewReader(b.data))
	for {
		p, err := packets.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.New("it holds data that is no OpenPGP packet")
		}
		if p.Tag == tagSecretKey || p.Tag == tagSecretSubkey {
			return errors.New("it holds a private key")
		}
	}
}

func writeBlock(w io.Writer, block keyBlock) error {
	encoder, err := armor.Encode(w, block.label, nil)
	if err != nil {
		return err
	}
	if _, err := encoder.Write(block.data); err != nil {
		return err
	}
	if err := encoder.Close(); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n")
	return err
}
