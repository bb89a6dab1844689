// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"encoding/base64"
	"errors"
)

// armorBlock is the decoded content of one ASCII armor block (RFC 9580 section 6.2), or the reason
// why it was skipped.
type armorBlock struct {
	data []byte
	err  error
}

var (
	armorBegin = []byte("-----BEGIN ")
	armorEnd   = []byte("-----END ")
	armorDash  = []byte("-----")
)

// armorBlocks returns the blocks of a text that may hold public keys, and an error for every other
// block. It skips text around the blocks: real key files begin with it.
func armorBlocks(text []byte) []armorBlock {
	var blocks []armorBlock
	for len(text) > 0 && len(blocks) < maxArmorBlocks {
		var line []byte
		line, text = cutLine(text)
		label, ok := armorLabel(line, armorBegin)
		if !ok {
			// GnuPG writes revocations in advance like this, so that none is used by accident.
			if _, off := armorLabel(line, append([]byte(":"), armorBegin...)); off {
				blocks = append(blocks, armorBlock{err: errors.New("a revocation was skipped because there is " +
					"a colon before its BEGIN line: remove the colon to revoke the key")})
			}
			continue
		}
		body, rest, ended := armorBody(text, label)
		if err := checkArmor(label, ended); err != nil {
			blocks = append(blocks, armorBlock{err: err})
		} else {
			blocks = append(blocks, decodeArmor(body))
		}
		text = rest
	}
	return blocks
}

func cutLine(text []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(text, []byte("\n"))
	return bytes.TrimSpace(line), rest
}

// armorLabel returns the label of a header or tail line.
func armorLabel(line, prefix []byte) (label string, ok bool) {
	if !bytes.HasPrefix(line, prefix) || !bytes.HasSuffix(line, armorDash) || len(line) < len(prefix)+len(armorDash) {
		return "", false
	}
	return string(line[len(prefix) : len(line)-len(armorDash)]), true
}

// armorBody returns the lines up to the tail line of the label. Without one it returns the whole
// text as the rest, so that blocks after a broken one are still found.
func armorBody(text []byte, label string) (body, rest []byte, ended bool) {
	for at := 0; at < len(text); {
		line, after := cutLine(text[at:])
		if end, ok := armorLabel(line, armorEnd); ok {
			return text[:at], after, end == label
		}
		if _, ok := armorLabel(line, armorBegin); ok {
			break
		}
		at = len(text) - len(after)
	}
	return nil, text, false
}

// checkArmor returns why a block is skipped, or nil for one that may hold keys or revocations.
func checkArmor(label string, ended bool) error {
	switch {
	case label == "PGP PRIVATE KEY BLOCK":
		return errors.New("a private key block was skipped: remove it and provide the public key (gpg --export --armor)")
	case label == "PGP MESSAGE", label == "PGP SIGNED MESSAGE":
		return errors.New("an armor block without a key was skipped")
	case label == "PUBLIC KEY", label == "RSA PUBLIC KEY", label == "CERTIFICATE":
		return errors.New("a PEM block was skipped: it is not an OpenPGP key")
	case label != "PGP PUBLIC KEY BLOCK" && label != "PGP SIGNATURE": // Of a revocation.
		return errors.New("an armor block of an unknown kind was skipped")
	case !ended:
		return errors.New("an armor block was skipped because it has no END line: the file is truncated")
	default:
		return nil
	}
}

// decodeArmor decodes the lines between the header and tail lines. It ignores the checksum: RFC
// 9580 section 6.1 forbids refusing a key because of it.
func decodeArmor(body []byte) armorBlock {
	encoded := make([]byte, 0, len(body))
	const checksumLine = 5
	headers := true
	for len(body) > 0 {
		var line []byte
		line, body = cutLine(body)
		switch {
		case headers && (len(line) == 0 || bytes.Contains(line, []byte(":"))):
			headers = len(line) > 0
			continue
		case len(line) == checksumLine && line[0] == '=':
			continue
		}
		headers = false
		encoded = append(encoded, line...)
	}
	data := make([]byte, base64.StdEncoding.DecodedLen(len(encoded)))
	n, err := base64.StdEncoding.Decode(data, encoded)
	if err != nil {
		return armorBlock{err: errors.New("an armor block was skipped because it is not valid base64")}
	}
	return armorBlock{data: data[:n]}
}
