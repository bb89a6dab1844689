// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

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

	// Cost is the estimated processor time for verifying the signatures of the file, in
	// microseconds. The same file always has the same cost.
	Cost int

	// revocations are standalone key revocations, as gpg --gen-revoke writes them. They are already
	// applied to Certificates, and [NewKeyringFromFiles] applies them to those of other files.
	revocations []*signature
}

// ParseKeyFile reads the certificates of a key file of at most 1 MiB: binary, or any number of
// armor blocks with text around them. It skips and reports what it cannot read, and returns an
// error only if nothing is left or the file exceeds a limit. A file with only revocations is valid.
// ParseKeyFile verifies all self-signatures, bindings and revocations, in less than two seconds for
// any file; certificates that would take longer cannot be used. With an error, only the cost of the
// file is set.
//
// A panic in the underlying library is an error of this file alone.
func ParseKeyFile(data []byte) (file *KeyFile, err error) {
	defer func() {
		if recover() != nil {
			file, err = &KeyFile{Cost: maxKeyFileCost}, errors.New("the key file crashed the parser; please report it with the file")
		}
	}()
	if len(data) > maxKeyFileSize {
		return &KeyFile{}, errors.New("the key file is larger than 1 MiB")
	}
	r := &keyFileReader{cost: maxKeyFileCost}
	r.read(data)
	nothing := &KeyFile{Cost: maxKeyFileCost - r.cost}
	if r.tooLarge != nil {
		return nothing, r.tooLarge
	}
	file = &KeyFile{Problems: r.problems, Cost: nothing.Cost, revocations: r.revocations}
	for same := range runs(r.certificates, compareCertificates) {
		file.Certificates = append(file.Certificates, mergeCertificates(same))
	}
	if len(file.Certificates) == 0 && len(file.revocations) == 0 {
		if len(r.problems) > 0 {
			return nothing, errors.New(r.problems[0])
		}
		return nothing, errors.New("the file holds no OpenPGP public key")
	}
	file.Certificates = applyRevocations(file.Certificates, file.revocations)
	return file, nil
}

// IsKeyFile reports whether data looks like a key file: it begins with an OpenPGP key packet or
// contains an armor header. The file may still be unreadable.
func IsKeyFile(data []byte) bool {
	return startsWithKey(data) || bytes.Contains(data, []byte("-----BEGIN PGP "))
}

type keyFileReader struct {
	certificates []*Certificate
	problems     []string
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

func (r *keyFileReader) read(data []byte) {
	if startsWithKey(data) {
		r.readPackets(data)
		return
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // Editors put this mark before text.
	blocks := armorBlocks(data)
	for _, block := range blocks {
		if block.err != nil {
			r.report(block.err.Error())
			continue
		}
		r.readPackets(block.data)
	}
	switch {
	case len(blocks) == maxArmorBlocks:
		r.tooLarge = errors.New("the file has too many armor blocks: spread its keys over several files")
	case len(blocks) > 0:
	case len(data) > 12 && bytes.Equal(data[8:12], []byte("KBXf")):
		r.report("the file is a GnuPG keybox: export its keys with gpg --export")
	case len(data) > 0 && data[0]&0x80 != 0:
		r.readPackets(data)
	}
}

// startsWithKey reports whether data begins with a key packet, which distinguishes a binary file
// from text that begins with an octet above 127.
func startsWithKey(data []byte) bool {
	p, _, err := nextPacket(data)
	return err == nil && (p.tag == tagPublicKey || p.tag == tagSecretKey)
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
		if len(current) == 0 {
			r.report(reason)
			return
		}
		r.setAside(current[0], reason)
		return
	case len(current) > 0:
		r.readCertificate(current)
	}
	r.report("the key file contains data that is not an OpenPGP packet")
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
	case first == tagSecretKey:
		r.report("a private key was skipped: remove it and provide the public key (gpg --export)")
		return
	case first != tagPublicKey:
		r.report("data before the first key was skipped")
		return
	case len(packets) > maxCertificatePackets:
		r.setAside(packets[0], "a key with more than "+strconv.Itoa(maxCertificatePackets)+
			" packets was skipped: "+exportClean)
		return
	}
	c, left, err := readCertificate(packets, r.cost)
	r.cost = left
	if err != nil {
		r.report("a key was skipped: " + err.Error())
		return
	}
	if c.defect == tooManyChecks {
		r.report(tooManyChecks)
	}
	r.certificates = append(r.certificates, c)
}

// setAside keeps a certificate that was not read as an unusable one. Dropping it would be wrong:
// the part that was not read could revoke another version of it.
func (r *keyFileReader) setAside(primary rawPacket, reason string) {
	r.report(reason)
	if primary.tag != tagPublicKey {
		return
	}
	if key, err := parsePublicKey(primary.body); err == nil {
		r.certificates = append(r.certificates, &Certificate{primary: key, defect: reason})
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

// exportClean is the advice for flooded keys.
const exportClean = "export it with gpg --export-options export-clean"
