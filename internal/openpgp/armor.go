// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/assay-project/assay/internal/safetext"
)

// keyBlock is a part of a key file that holds packets: the decoded content of one ASCII armor block
// (RFC 9580 section 6.2), or a run of binary packets. With an error, it is one that was skipped;
// lost reports whether it may have held a key.
type keyBlock struct {
	data []byte
	err  error
	lost bool
}

var (
	armorBegin = []byte("-----BEGIN ")
	armorEnd   = []byte("-----END ")
	armorDash  = []byte("-----")
)

// Labels of armor blocks, RFC 9580 section 6.2.1.
const (
	labelPublicKey  = "PGP PUBLIC KEY BLOCK"
	labelPrivateKey = "PGP PRIVATE KEY BLOCK"
	labelSignature  = "PGP SIGNATURE" // Also of a revocation.
	labelMessage    = "PGP MESSAGE"
	labelCleartext  = "PGP SIGNED MESSAGE"
)

// maxLabelSize bounds the label of an unknown block in a problem, in bytes.
const maxLabelSize = 40

// keyBlocks returns the parts of a key file that may hold public keys, and an error for each that
// was skipped. Files that were written one after the other are all read, whether armored or
// binary, and without a line break between them. Text around the blocks is ignored: real key files
// have some.
func keyBlocks(text []byte) []keyBlock {
	var blocks []keyBlock
	packets := false // The text follows binary packets.
	for len(text) > 0 && len(blocks) < maxKeyBlocks {
		if startsWithKey(text) {
			size := packetRun(text)
			blocks = append(blocks, keyBlock{data: text[:size]})
			text, packets = text[size:], true
			continue
		}
		line, rest := cutLine(text)
		block, rest, found := readArmor(line, rest)
		switch {
		case found:
			blocks = append(blocks, block)
			packets = false
		case packets && len(line) > 0:
			blocks = append(blocks, keyBlock{err: errNotPackets})
			packets = false
		}
		text = rest
	}
	return blocks
}

// errNotPackets is the problem of a file with something else between or after its packets.
var errNotPackets = errors.New("the key file contains data that is not an OpenPGP packet")

// packetRun returns the size of the packets at the beginning of data. The rest of a file that ends
// within a packet is part of the run, so that its reader notices.
func packetRun(data []byte) (size int) {
	for rest := data; len(rest) > 0; size = len(data) - len(rest) {
		_, after, err := nextPacket(rest)
		if errors.Is(err, errTruncated) {
			return len(data)
		}
		if err != nil {
			break
		}
		rest = after
	}
	return size
}

// cutLine returns the first line of a text without the white space around it. A tail line of armor
// ends at its dashes: "cat" of a file without a line break at its end puts the next file behind it.
func cutLine(text []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(text, []byte("\n"))
	if indent := len(line) - len(bytes.TrimLeft(line, " \t")); bytes.HasPrefix(line[indent:], armorEnd) {
		label := indent + len(armorEnd)
		if dash := bytes.Index(line[label:], armorDash); dash >= 0 {
			end := label + dash + len(armorDash)
			return line[indent:end], text[end:]
		}
	}
	return bytes.TrimSpace(line), rest
}

// armorLabel splits a header or tail line into its label and what stands behind it.
func armorLabel(line, prefix []byte) (label string, behind []byte, ok bool) {
	after, ok := bytes.CutPrefix(line, prefix)
	if !ok {
		return "", nil, false
	}
	before, behind, ok := bytes.Cut(after, armorDash)
	return string(before), behind, ok
}

// readArmor reads the armor block that a line begins, and returns the text behind it.
func readArmor(line, text []byte) (block keyBlock, rest []byte, found bool) {
	label, behind, ok := armorLabel(line, armorBegin)
	if !ok {
		err := hiddenArmor(line)
		return keyBlock{err: err, lost: err != nil && !errors.Is(err, errColon)}, text, err != nil
	}
	if label == labelCleartext {
		text = skipCleartext(text)
	}
	body, rest, ended := armorBody(text, label)
	if err := checkArmor(label, behind, ended); err != nil {
		return keyBlock{err: err, lost: label == labelPublicKey || label == labelPrivateKey}, rest, true
	}
	return decodeArmor(body), rest, true
}

// errColon is the problem of a revocation as GnuPG writes it in advance, so that it is not used by
// accident.
var errColon = errors.New("a revocation was skipped because there is a colon before its BEGIN line: " +
	"remove the colon to revoke the key")

// hiddenArmor returns why a line that ends like the header line of a key or a revocation does not
// begin an armor block: there is other text before it.
func hiddenArmor(line []byte) error {
	at := bytes.LastIndex(line, armorBegin)
	if at < 1 {
		return nil
	}
	label, behind, ok := armorLabel(line[at:], armorBegin)
	switch {
	case !ok, len(behind) > 0, label != labelPublicKey && label != labelSignature:
		return nil
	case string(line[:at]) == ":":
		return errColon
	default:
		return errors.New("an armor block was skipped because there is other text before its BEGIN line")
	}
}

// skipCleartext returns the signature of a cleartext signed message (RFC 9580 section 7), which
// follows the text, or the whole text if another block comes first.
func skipCleartext(text []byte) []byte {
	for rest := text; len(rest) > 0; {
		line, after := cutLine(rest)
		if label, _, ok := armorLabel(line, armorBegin); ok {
			if label == labelSignature {
				return after
			}
			break
		}
		rest = after
	}
	return text
}

// armorBody returns the lines up to the tail line of the label. Without one it returns the whole
// text as the rest, so that blocks after a broken one are still found.
func armorBody(text []byte, label string) (body, rest []byte, ended bool) {
	want := label
	if label == labelCleartext {
		want = labelSignature
	}
	for at := 0; at < len(text); {
		line, after := cutLine(text[at:])
		if end, _, ok := armorLabel(line, armorEnd); ok {
			return text[:at], after, end == want
		}
		if bytes.Contains(line, armorBegin) {
			break
		}
		at = len(text) - len(after)
	}
	return nil, text, false
}

// checkArmor returns why a block is skipped, or nil for one that may hold keys or revocations.
// behind is what stands behind its label, in the same line.
func checkArmor(label string, behind []byte, ended bool) error {
	switch {
	case label == labelPrivateKey:
		return errors.New("a private key block was skipped: remove it and provide the public key (gpg --export --armor)")
	case label == labelMessage:
		return errors.New("an armored message was skipped: it is encrypted or signed, and not a public key")
	case label == labelCleartext:
		return errors.New("a cleartext signed message was skipped: gpg --decrypt writes the text that it holds")
	case strings.HasSuffix(label, "PRIVATE KEY"):
		return errors.New("a private key in PEM was skipped: remove it")
	case label == "PUBLIC KEY", label == "RSA PUBLIC KEY", label == "CERTIFICATE":
		return errors.New("a PEM block was skipped because OpenPGP keys are beside it: put it into a file of its own")
	case label != labelPublicKey && label != labelSignature:
		return errors.New("an armor block " + safetext.Quote(label, maxLabelSize) + " was skipped: it is not an OpenPGP public key")
	case bytes.HasPrefix(behind, []byte(`\n`)):
		return errors.New(`an armor block was skipped because its line breaks are written as \n: write them as line breaks`)
	case len(behind) > 0:
		return errors.New("an armor block was skipped because it has lost its line breaks: write it on several lines, in YAML behind | instead of >")
	case !ended:
		return errors.New("an armor block was skipped because it has no END line: the file is truncated")
	default:
		return nil
	}
}

// decodeArmor decodes the lines between the header and tail lines. It ignores the checksum: RFC
// 9580 section 6.1 forbids refusing a key because of it.
func decodeArmor(body []byte) keyBlock {
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
		return keyBlock{err: errors.New("an armor block was skipped because it is not valid base64"), lost: true}
	}
	return keyBlock{data: data[:n]}
}

// encodeArmor appends an armor block with public keys to text, without the checksum that RFC 9580
// section 6.1 advises against.
func encodeArmor(text, data []byte) []byte {
	const lineSize = 64
	text = append(text, "-----BEGIN "+labelPublicKey+"-----\n\n"...)
	for encoded := base64.StdEncoding.EncodeToString(data); encoded != ""; {
		n := min(len(encoded), lineSize)
		text = append(append(text, encoded[:n]...), '\n')
		encoded = encoded[n:]
	}
	return append(text, "-----END "+labelPublicKey+"-----\n"...)
}
