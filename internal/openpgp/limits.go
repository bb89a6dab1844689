// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import "time"

// All bounds of the package, each with its reason. Sizes are in bytes unless
// the name says otherwise.
const (
	// maxContentSize bounds the blob. Real signatures are smaller than 2 KiB, and what is
	// not compressed holds a payload of at most 128 KiB, the bound of simplesigning.
	maxContentSize = 256 << 10

	// maxCompressionLevels is one more than any signer uses.
	maxCompressionLevels = 2

	// maxDecompressedSize bounds what each compression level may grow to: a payload of
	// 128 KiB with its packets. It also bounds the work: a level of empty deflate blocks
	// costs time for what it reads and not for what it writes, and what an inner level
	// reads is what the outer one has written. A refused bomb allocates less than
	// 1 MiB for it, and the decompressor of BZIP2 4 MiB more at each level (18 MiB if
	// streams with ever larger blocks follow one another).
	maxDecompressedSize = 160 << 10

	// maxKeptBuffer is the largest decompression buffer that is kept for the
	// next message: real messages fit, and one large message does not pin a
	// megabyte for ever.
	maxKeptBuffer = 64 << 10

	// maxSignatureSize bounds the signature packet of a message. An RSA-4096
	// signature with all usual subpackets has about 700 bytes.
	maxSignatureSize = 16 << 10

	// maxSubpackets bounds the subpackets of one area of a signature. GnuPG
	// writes about a dozen into a self-signature.
	maxSubpackets = 128

	// maxKeyFileSize bounds a key file. A Secret or ConfigMap cannot hold
	// more; all keys of a Linux distribution fit.
	maxKeyFileSize = 1 << 20

	// maxArmorBlocks bounds the armor blocks of a key file. A bundle with one
	// key a block stays under maxCertificates as well.
	maxArmorBlocks = maxCertificates

	// maxCertificates bounds the certificates of a key file.
	maxCertificates = 512

	// maxCertificatePackets bounds the packets of one certificate, third-party
	// signatures included; a key with more was flooded on a key server.
	maxCertificatePackets = 2048

	// maxCertificateChecks bounds the public-key operations spent on one
	// certificate. Ten user IDs renewed yearly for a decade, with subkeys, stay
	// under it; a certificate with more self-signatures is refused as a whole,
	// because what was not checked could be a revocation.
	maxCertificateChecks = 256

	// maxKeyFileCost bounds the time spent on verifying the signatures of a key
	// file, in microseconds as budget estimates them. With all the rest, the
	// worst files are parsed in 1.1 s (go test -bench Hostile); a number of
	// operations alone would allow 11 s. It allows 5 operations for each
	// of maxCertificates with RSA-4096, 8 with Ed448, and 90 in all on the
	// slowest curve, where a key with a few user IDs has about 10.
	maxKeyFileCost = 1_000_000

	// maxRevocations bounds the revocations of a key file that stand by
	// themselves. People keep one for each key; a file with more is refused as a
	// whole, because a revocation must not be passed over in silence.
	maxRevocations = 256

	// maxKeyringCost bounds the time spent on applying such revocations to a
	// keyring, as maxKeyFileCost: one operation for each of 600 RSA-4096 keys,
	// 22 on the slowest curve. A certificate that a revocation names which was
	// not checked is refused.
	maxKeyringCost = 250_000

	// maxCandidates bounds the keys that are tried for one message. Key IDs
	// are 64 bits long: more than one match is an attack or a shared subkey.
	maxCandidates = 16

	// maxUserIDSize bounds a user ID after escaping. RFC 9580 has no limit,
	// GnuPG writes up to 2048 bytes; the value ends up in status fields.
	maxUserIDSize = 256

	// maxProblems and maxProblemSize bound what a key file reports, because
	// that ends up in status fields, too.
	maxProblems    = 16
	maxProblemSize = 256

	// maxFingerprintSize is that of a version 6 key (RFC 9580 section 5.5.4.3).
	maxFingerprintSize = 32

	// minRSABits is the floor of NIST SP 800-131A, and maxRSABits GnuPG's
	// ceiling: an MPI could claim 65,535 bits, which take 0.1 s to verify.
	minRSABits = 2048
	maxRSABits = 16384

	// clockSkew is how far a creation time may lie in the future. Build hosts
	// and replicas of the operator differ by seconds; without an allowance the
	// verdict on a fresh signature would depend on who judges it.
	clockSkew = 5 * time.Minute
)
