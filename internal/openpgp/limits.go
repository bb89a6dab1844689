// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import "time"

// All bounds of the package, each with its reason. Sizes are in bytes unless the name states
// another unit.
const (
	// maxContentSize bounds the blob. Real signatures are smaller than 2 KiB. An uncompressed
	// message holds a payload of at most 128 KiB, the bound of simplesigning.
	maxContentSize = 256 << 10

	// maxCompressionLevels is one more than any signer uses.
	maxCompressionLevels = 2

	// maxDecompressedSize bounds the output of each compression level: a payload of 128 KiB with
	// its packets. It also bounds the work: empty deflate blocks cost time per octet read, not per
	// octet written, and an inner level reads at most what the outer one wrote. A refused bomb
	// allocates less than 1 MiB of output. The BZIP2 decompressor allocates 4 MiB more per level
	// (18 MiB for consecutive streams with ever larger blocks).
	maxDecompressedSize = 160 << 10

	// maxLightSize is how much of a message is decompressed without asking the caller's budget.
	// Usual messages have less than 2 KiB; 128 of this size take 6 ms.
	maxLightSize = 16 << 10

	// maxKeptBuffer is the largest decompression buffer that is kept for the next message: real
	// messages fit, and one large message does not pin a megabyte forever.
	maxKeptBuffer = 64 << 10

	// maxSignatureSize bounds the signature packet of a message. An RSA-4096 signature with all
	// usual subpackets has about 700 bytes.
	maxSignatureSize = 16 << 10

	// maxSubpackets bounds the subpackets of one area of a signature. GnuPG writes about a dozen
	// into a self-signature.
	maxSubpackets = 128

	// maxKeyFileSize bounds a key file. A Secret or ConfigMap cannot hold more; all keys of a Linux
	// distribution fit.
	maxKeyFileSize = 1 << 20

	// maxKeyBlocks bounds the armor blocks and runs of binary packets of a key file. A bundle with
	// one key per block is bounded by maxCertificates as well.
	maxKeyBlocks = maxCertificates

	// maxCertificates bounds the certificates of a key file.
	maxCertificates = 512

	// maxCertificatePackets bounds the packets of one certificate, third-party signatures included;
	// a key with more has been flooded on a key server.
	maxCertificatePackets = 2048

	// maxCertificateChecks bounds the public-key operations spent on one certificate. Ten user IDs
	// renewed yearly for a decade, with subkeys, stay below it. A certificate with more
	// self-signatures is refused as a whole, because an unchecked one could be a revocation.
	maxCertificateChecks = 256

	// maxKeyFileCost bounds the time spent on verifying the signatures of a key file, in
	// microseconds as budget estimates them. Including everything else, parsing the worst files
	// takes 1.1 s (go test -bench Hostile); limiting the number of operations alone would allow 11
	// s. The budget allows 5 operations for each of maxCertificates with RSA-4096, 8 with Ed448,
	// and 90 in total on the slowest curve, where a key with a few user IDs has about 10.
	maxKeyFileCost = 1_000_000

	// maxRevocations bounds the standalone revocations of a key file. People keep one for each key.
	// A file with more is refused as a whole, because no revocation may be ignored silently.
	maxRevocations = 256

	// maxKeyringCost bounds the time spent on applying such revocations to a keyring, as
	// maxKeyFileCost: one operation for each of 600 RSA-4096 keys, or 22 on the slowest curve. A
	// certificate named by an unchecked revocation is refused.
	maxKeyringCost = 250_000

	// maxCandidates bounds the keys that are tried for one message. Key IDs are 64 bits long: more
	// than one match is an attack or a shared subkey.
	maxCandidates = 16

	// maxUserIDSize bounds a user ID after escaping. RFC 9580 has no limit, GnuPG writes up to 2048
	// bytes; the value ends up in status fields.
	maxUserIDSize = 256

	// maxProblems and maxProblemSize bound the report on a key file, which also ends up in status
	// fields.
	maxProblems    = 16
	maxProblemSize = 256

	// maxFingerprintSize is the size for a version 6 key (RFC 9580 section 5.5.4.3).
	maxFingerprintSize = 32

	// minRSABits is the minimum of NIST SP 800-131A, and maxRSABits is GnuPG's maximum: an MPI
	// could have 65,535 bits, which take 0.1 s to verify.
	minRSABits = 2048
	maxRSABits = 16384

	// clockSkew is how far a creation time may lie in the future. Build hosts and replicas of the
	// operator differ by seconds; without an allowance, the verdict on a fresh signature would
	// depend on which replica evaluates it.
	clockSkew = 5 * time.Minute
)
