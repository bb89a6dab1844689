// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-project/assay/internal/filekind"
	"github.com/assay-project/assay/internal/safetext"
)

// KeyFile is the usable content of a key file.
type KeyFile struct {
	// Certificates are the certificates of the file, sorted by fingerprint; several versions of one
	// are merged. They may be unusable: see [Certificate.Check].
	Certificates []*Certificate

	// Problems list what was skipped: at most 16 sentences of at most 256 bytes, without
	// duplicates, in the order of the file.
	Problems []string

	// KeysSkipped reports whether something that was skipped was a key, or may have been one.
	KeysSkipped bool

	// Cost is the estimated processor time for verifying the signatures of the file, in
	// microseconds. The same file always has the same cost.
	Cost int

	// revocations are standalone key revocations, as gpg --gen-revoke writes them. They are already
	// applied to Certificates, and [NewKeyringFromFiles] applies them to those of other files.
	revocations []*signature
}

// ParseKeyFile reads the certificates of a key file of at most 1 MiB: any number of armor blocks and
// runs of binary packets, with text around them. It skips and reports what it cannot read, and
// returns an error only if nothing is left or the file exceeds a limit; the error names what the
// file is, if that can be told. A file with only revocations is valid. ParseKeyFile verifies all
// self-signatures, bindings and revocations, in less than two seconds for any file; certificates
// that would take longer cannot be used. With an error, only the cost of the file is set.
//
// A panic in the underlying library is an error of this file alone.
func ParseKeyFile(data []byte) (file *KeyFile, err error) {
	defer func() {
		if recover() != nil {
			file, err = &KeyFile{Cost: maxKeyFileCost}, errors.New("the key file crashed the parser; please report it with the file")
		}
	}()
	if len(data) > maxKeyFileSize {
		return &KeyFile{}, errors.New(cmp.Or(filekind.NotAKey(data), "the key file is larger than 1 MiB"))
	}
	r := &keyFileReader{cost: maxKeyFileCost}
	r.read(data)
	nothing := &KeyFile{Cost: maxKeyFileCost - r.cost}
	if r.tooLarge != nil {
		return nothing, r.tooLarge
	}
	file = &KeyFile{Problems: r.problems, KeysSkipped: r.keysSkipped, Cost: nothing.Cost, revocations: r.revocations}
	for same := range runs(r.certificates, compareCertificates) {
		file.Certificates = append(file.Certificates, mergeCertificates(same))
	}
	if len(file.Certificates) == 0 && len(file.revocations) == 0 {
		return nothing, errors.New(cmp.Or(filekind.NotAKey(data),
			safetext.TruncateWithEllipsis(strings.Join(r.problems, "; "), maxProblemSize),
			"the file holds no OpenPGP public key"))
	}
	file.Certificates = applyRevocations(file.Certificates, file.revocations)
	return file, nil
}

// IsKeyFile reports whether data looks like a key file: it begins with an OpenPGP key packet or
// contains an armor header. The file may still be unreadable.
func IsKeyFile(data []byte) bool {
	return startsWithKey(data) || bytes.Contains(data, []byte("-----BEGIN PGP "))
}

// Rearmor returns the public keys and revocations of a key file as armor blocks. Everything else
// in the file is left out, private keys among it. ParseKeyFile finds the same in the result as in
// the file; where the result could differ, because the file is damaged, Rearmor returns an error.
func Rearmor(data []byte) ([]byte, error) {
	if _, err := ParseKeyFile(data); err != nil {
		return nil, err
	}
	var text []byte
	for _, block := range readableBlocks(data) {
		public, err := publicPackets(block.data)
		if err != nil {
			return nil, err
		}
		if len(public) > 0 {
			text = encodeArmor(text, public)
		}
	}
	return text, nil
}

// publicPackets returns the certificates among packets and the standalone revocations, as
// readPackets and readRevocations tell them from the rest.
func publicPackets(data []byte) (public []byte, err error) {
	var group packetTag // Of the first packet of a certificate.
	for rest := data; len(rest) > 0; {
		p, after, err := nextPacket(rest)
		if err != nil {
			return nil, errors.New("the key file is damaged")
		}
		if len(rest) == len(data) || p.tag == tagPublicKey || p.tag == tagSecretKey {
			group = p.tag
		}
		keep := group == tagPublicKey
		if group == tagSignature {
			_, err := readRevocation(p)
			keep = err == nil
		}
		if keep && p.tag == tagSecretSubkey {
			return nil, errors.New("a private subkey is among the public keys")
		}
		if keep {
			public = append(public, rest[:len(rest)-len(after)]...)
		}
		rest = after
	}
	return public, nil
}

type keyFileReader struct {
	certificates []*Certificate
	problems     []string
	keysSkipped  bool
	cost         int // Remaining budget for signatures, in microseconds.
	count        int // Certificates seen.

	// tooLarge is the reason why the whole file is refused: it exceeds a limit, and the part that
	// was not read could revoke the part that was.
	tooLarge error

	// revocations are key revocations without a key before them: gpg --gen-revoke writes one into
	// an armor block of its own.
	revocations []*signature
}

// report records a problem once.
func (r *keyFileReader) report(problem string) {
	switch {
	case slices.Contains(r.problems, problem):
	case len(r.problems) == maxProblems:
		r.problems[maxProblems-1] = "further problems are not shown"
	default:
		r.problems = append(r.problems, safetext.Truncate(problem, maxProblemSize))
	}
}

// reportKey records a problem that concerns a key.
func (r *keyFileReader) reportKey(problem string) {
	r.keysSkipped = true
	r.report(problem)
}

func (r *keyFileReader) read(data []byte) {
	blocks := readableBlocks(data)
	for _, block := range blocks {
		if block.err != nil {
			r.report(block.err.Error())
			r.keysSkipped = r.keysSkipped || block.lost
			continue
		}
		r.readPackets(block.data)
	}
	if len(blocks) >= maxKeyBlocks {
		r.tooLarge = errors.New("the file has too many armor blocks: spread its keys over several files")
	}
}

// readableBlocks returns the blocks of a key file. Without any, binary data is one.
func readableBlocks(data []byte) []keyBlock {
	if startsWithSignature(data) {
		size := packetRun(data)
		return append([]keyBlock{{data: data[:size]}}, keyBlocks(data[size:])...)
	}
	blocks := keyBlocks(bytes.TrimPrefix(data, []byte("\ufeff"))) // Editors put this mark before text.
	isBinary := len(data) > 0 && data[0]&0x80 != 0
	if len(blocks) == 0 && isBinary {
		return []keyBlock{{data: data}}
	}
	return blocks
}

// startsWithKey reports whether data begins with a key packet, which distinguishes binary packets
// from text that begins with an octet above 127.
func startsWithKey(data []byte) bool {
	p, ok := firstPacket(data, tagPublicKey, tagSecretKey)
	const oldest, newest = 2, 6 // Versions.
	return ok && len(p.body) > 0 && p.body[0] >= oldest && p.body[0] <= newest
}

// startsWithSignature reports whether data begins with a signature packet, as a binary file of
// revocations does.
func startsWithSignature(data []byte) bool {
	p, ok := firstPacket(data, tagSignature, tagSignature)
	if !ok {
		return false
	}
	_, err := parseSignature(p.body)
	return err == nil
}

// firstPacket returns the first packet of data if it is complete and of one of two types. Packets
// of other types are not read: any text may look like the beginning of a long one.
func firstPacket(data []byte, one, other packetTag) (p rawPacket, ok bool) {
	if len(data) == 0 || data[0]&0x80 == 0 {
		return p, false
	}
	tag := packetTag(data[0] & 0x3f)
	if data[0]&0x40 == 0 {
		tag = packetTag(data[0] >> 2 & 0x0f)
	}
	if tag != one && tag != other {
		return p, false
	}
	p, _, err := nextPacket(data)
	return p, err == nil
}

// readPackets splits a sequence of certificates (RFC 9580 section 10.1) at its primary keys.
func (r *keyFileReader) readPackets(data []byte) {
	var current []rawPacket
	for len(data) > 0 {
		p, rest, err := nextPacket(data)
		if err != nil {
			r.readBroken(current, err)
			return
		}
		if (p.tag == tagPublicKey || p.tag == tagSecretKey) && len(current) > 0 {
			r.readCertificate(current)
			current = nil
		}
		// One packet more than accepted shows that the limit is exceeded.
		if len(current) <= maxCertificatePackets {
			current = append(current, p)
		}
		data = rest
	}
	if len(current) > 0 {
		r.readCertificate(current)
	}
}

// readBroken handles the packets before a framing error. A certificate that is truncated inside a
// packet may lack its revocation and is skipped; other data after its last packet does no harm.
func (r *keyFileReader) readBroken(current []rawPacket, err error) {
	switch {
	case errors.Is(err, errTruncated):
		const reason = "the key file is truncated: its last key was skipped"
		r.reportKey(reason)
		if len(current) > 0 {
			r.setAside(current[0], reason)
		}
		return
	case len(current) > 0:
		r.readCertificate(current)
	}
	r.report(errNotPackets.Error())
}

// readCertificate reads the packets of one certificate, or signatures without a key.
func (r *keyFileReader) readCertificate(packets []rawPacket) {
	first := packets[0].tag
	if first == tagSignature {
		r.readRevocations(packets)
		return
	}
	r.count++
	switch {
	case r.count > maxCertificates:
		r.tooLarge = fmt.Errorf("the file has more than %d keys: spread them over several files", maxCertificates)
		return
	case first == tagSecretKey, first == tagSecretSubkey:
		r.reportKey("a private key was skipped: remove it and provide the public key (gpg --export)")
		return
	case first == tagPublicSubkey:
		r.reportKey("a subkey without its primary key was skipped: export the whole key (gpg --export)")
		return
	case first != tagPublicKey:
		r.report(notACertificate(first))
		return
	case len(packets) > maxCertificatePackets:
		r.reportKey(keyName(packets) + " was skipped: " + tooManyPackets)
		r.setAside(packets[0], tooManyPackets)
		return
	}
	c, left, err := readCertificate(packets, r.cost)
	r.cost = left
	if err != nil {
		r.reportKey(keyName(packets) + " was skipped: " + err.Error())
		return
	}
	if c.defect == tooManyChecks {
		r.reportKey(tooManyChecks)
	}
	r.certificates = append(r.certificates, c)
}

// notACertificate is the problem of packets that begin with one of another type than a key.
func notACertificate(first packetTag) string {
	switch first {
	case tagOnePass, tagCompressed, tagLiteral, tagPKESK, tagSKESK, tagEncrypted, tagEncryptedIntact, tagEncryptedOCB:
		return "a signed or encrypted message was skipped: it is not a public key"
	default:
		return "data before the first key was skipped"
	}
}

// maxNameSize bounds a user ID in a problem, in bytes before it is quoted.
const maxNameSize = 40

// keyName names a key in a problem: by its first user ID, which nothing has verified.
func keyName(packets []rawPacket) string {
	for _, p := range packets {
		if p.tag == tagUserID && len(p.body) > 0 {
			return "the key of " + safetext.Quote(string(p.body), maxNameSize)
		}
	}
	return "a key"
}

// setAside keeps a certificate that was not read as an unusable one. Dropping it would be wrong:
// the part that was not read could revoke another version of it.
func (r *keyFileReader) setAside(primary rawPacket, defect string) {
	if primary.tag != tagPublicKey {
		return
	}
	if key, err := parsePublicKey(primary.body); err == nil {
		r.certificates = append(r.certificates, &Certificate{primary: key, defect: defect})
	}
}

// readRevocations keeps the key revocations among signatures without a key before them.
func (r *keyFileReader) readRevocations(packets []rawPacket) {
	for _, p := range packets {
		if revocation, err := readRevocation(p); err != nil {
			r.report(err.Error())
		} else {
			r.revocations = append(r.revocations, revocation)
		}
		if len(r.revocations) > maxRevocations {
			r.tooLarge = fmt.Errorf("the file has more than %d revocations without their keys: "+
				"spread them over several files", maxRevocations)
			return
		}
	}
}

// tooManyChecks is the problem of a file whose signatures exceed the budget, and the defect of the
// affected certificates.
const tooManyChecks = "the file has too many self-signatures to verify: spread its keys over several files, or " +
	exportClean

// tooManyPackets is the problem and the defect of a certificate that was flooded.
var tooManyPackets = "it has more than " + strconv.Itoa(maxCertificatePackets) + " packets: " + exportClean

// exportClean is the advice for flooded keys.
const exportClean = "export it with gpg --export-options export-clean"
