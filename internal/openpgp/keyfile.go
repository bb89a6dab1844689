// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
)

// KeyFile is what could be read from a key file.
type KeyFile struct {
	// Certificates are the certificates of the file, sorted by fingerprint,
	// several versions of one merged. They may be unusable: see
	// [Certificate.Check].
	Certificates []*Certificate

	// Problems say what was skipped: at most 16 sentences of at most 256 bytes,
	// each once, in the order of the file.
	Problems []string

	// Cost is the processor time that the signatures of the file took to verify, in
	// microseconds by the estimate of the budget: the same for the same file.
	Cost int

	// revocations are key revocations that stand by themselves, as gpg
	// --gen-revoke writes them. They have been applied to Certificates already,
	// and count for those of other files in [NewKeyringFromFiles].
	revocations []*signature
}

// ParseKeyFile reads the certificates of a key file of at most 1 MiB: binary, or
// any number of armor blocks with text around them. What cannot be read is
// skipped and reported; an error is returned only if nothing is left, or if the
// file holds more than is read, and says why. A file with nothing but revocations
// is one without an error. All self-signatures, bindings and revocations are
// verified here, in less than two seconds whatever the file is; certificates for
// which that is too short cannot be used. With an error, the file holds nothing but
// its cost.
//
// A panic of the library below it is an error of this file alone.
func ParseKeyFile(data []byte) (file *KeyFile, err error) {
	defer func() {
		if recover() != nil {
			file, err = &KeyFile{Cost: maxKeyFileCost}, errors.New("the key file made the reader fail; please report it with the file")
		}
	}()
	if len(data) > maxKeyFileSize {
		return &KeyFile{}, errors.New("the key file is larger than 1 MiB")
	}
	r := &keyFileReader{cost: maxKeyFileCost}
	r.read(data)
	nothing := &KeyFile{Cost: maxKeyFileCost - r.cost}
	if r.tooLarge != "" {
		return nothing, errors.New(r.tooLarge)
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

// IsKeyFile reports whether data begins like a key file: with an OpenPGP packet of a key, or
// with text that has an armor header anywhere. It does not say that the file can be read.
func IsKeyFile(data []byte) bool {
	return startsWithKey(data) || bytes.Contains(data, []byte("-----BEGIN PGP "))
}

type keyFileReader struct {
	certificates []*Certificate
	problems     []string
	cost         int // What may still be spent on signatures, in microseconds.
	count        int // Certificates seen.

	// tooLarge is why the file is refused as a whole: it holds more than is read, and
	// what was not read could be the revocation of what was.
	tooLarge string

	// revocations are key revocations that stand before any key: gpg
	// --gen-revoke writes one into an armor block of its own.
	revocations []*signature
}

// report keeps a problem, once.
func (r *keyFileReader) report(problem string) {
	switch {
	case slices.Contains(r.problems, problem):
	case len(r.problems) == maxProblems:
		r.problems[maxProblems-1] = "there are more problems than are reported"
	default:
		r.problems = append(r.problems, problem[:min(len(problem), maxProblemSize)])
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
		if block.problem != "" {
			r.report(block.problem)
			continue
		}
		r.readPackets(block.data)
	}
	switch {
	case len(blocks) == maxArmorBlocks:
		r.tooLarge = "the file has more armor blocks than are read: spread its keys over several files"
	case len(blocks) > 0:
	case len(data) > 12 && bytes.Equal(data[8:12], []byte("KBXf")):
		r.report("the file is a GnuPG keybox: export its keys with gpg --export")
	case len(data) > 0 && data[0]&0x80 != 0:
		r.readPackets(data)
	}
}

// startsWithKey says whether data begins with a key packet, which tells a
// binary file from text that begins with an octet above 127.
func startsWithKey(data []byte) bool {
	p, _, err := nextPacket(data)
	return err == nil && (p.tag == tagPublicKey || p.tag == tagSecretKey)
}

// readPackets splits a sequence of certificates (RFC 9580 section 10.1) at its
// primary keys.
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
		// One packet more than is accepted tells that there were more.
		if len(current) <= maxCertificatePackets {
			current = append(current, p)
		}
		data = rest
	}
	if len(current) > 0 {
		r.readCertificate(current)
	}
}

// readBroken handles what precedes a fault of framing. A certificate that is
// cut inside of a packet may lack its revocation and is left out; other data
// behind its last packet does it no harm.
func (r *keyFileReader) readBroken(current []rawPacket, err error) {
	switch {
	case errors.Is(err, errTruncated):
		const reason = "the key file is cut short: its last key was skipped"
		if len(current) == 0 {
			r.report(reason)
			return
		}
		r.setAside(current[0], reason)
		return
	case len(current) > 0:
		r.readCertificate(current)
	}
	r.report("the key file holds data that is no OpenPGP packet")
}

// readCertificate reads the packets of one certificate, or signatures without
// one.
func (r *keyFileReader) readCertificate(packets []rawPacket) {
	first := packets[0].tag
	if first == tagSignature {
		r.readRevocations(packets)
		return
	}
	r.count++
	switch {
	case r.count > maxCertificates:
		r.tooLarge = "the file has more than " + strconv.Itoa(maxCertificates) + " keys: spread them over several files"
		return
	case first == tagSecretKey:
		r.report("a private key was skipped: remove it, and give the public key (gpg --export)")
		return
	case first != tagPublicKey:
		r.report("data before the first key was skipped")
		return
	case len(packets) > maxCertificatePackets:
		r.setAside(packets[0], "a key with more than "+strconv.Itoa(maxCertificatePackets)+
			" packets was skipped: "+exportClean)
		return
	}
	c, left, problem := readCertificate(packets, r.cost)
	r.cost = left
	if problem != "" {
		r.report("a key was skipped: " + problem)
		return
	}
	if c.defect == tooManyChecks {
		r.report(tooManyChecks)
	}
	r.certificates = append(r.certificates, c)
}

// setAside keeps a certificate that was not read as one that cannot be used. It must not
// just be left out: what was not read could be the revocation of another version of it.
func (r *keyFileReader) setAside(primary rawPacket, reason string) {
	r.report(reason)
	if primary.tag != tagPublicKey {
		return
	}
	if key, problem := parsePublicKey(primary.body); problem == "" {
		r.certificates = append(r.certificates, &Certificate{primary: key, defect: reason})
	}
}

// readRevocations keeps the key revocations among signatures that stand before
// any key.
func (r *keyFileReader) readRevocations(packets []rawPacket) {
	for _, p := range packets {
		if revocation, problem := readRevocation(p); problem != "" {
			r.report(problem)
		} else {
			r.revocations = append(r.revocations, revocation)
		}
		if len(r.revocations) > maxRevocations {
			r.tooLarge = "the file has more than " + strconv.Itoa(maxRevocations) +
				" revocations without their keys: spread them over several files"
			return
		}
	}
}

// tooManyChecks is the problem of a file, and of its certificates that suffer
// from it, on whose signatures no more may be spent.
const tooManyChecks = "the file has more self-signatures than are checked: spread its keys over several files, or " +
	exportClean

// exportClean is the advice for flooded keys.
const exportClean = "export it with gpg --export-options export-clean"
