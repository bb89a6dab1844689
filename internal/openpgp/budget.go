// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package openpgp

import "math/bits"

// budget is what may still be spent on verifying signatures. Operations differ in cost by a factor
// of 200, so limiting their number alone would bound nothing. The cost of an operation depends on
// its key and its data, never on a clock: the same file always gives the same result.
type budget struct {
	checks int // Public-key operations.
	cost   int // Microseconds, see publicKey.cost.
}

// spend deducts an operation with a key over size octets from the budget. It deducts nothing and
// returns false if the budget does not allow it.
func (b *budget) spend(k *publicKey, size int) bool {
	cost := k.cost + hashCost(size)
	if b.checks < 1 || b.cost < cost {
		return false
	}
	b.checks--
	b.cost -= cost
	return true
}

// hashCost estimates the time for hashing size octets, in microseconds: at the speed of SHA3-512,
// the slowest digest, plus a fixed overhead.
func hashCost(size int) int {
	const fixed, octetsPerMicrosecond = 2, 200
	return fixed + size/octetsPerMicrosecond
}

// Costs of verifying one signature, in microseconds, as measured on a busy machine with two cores.
// The standard library has assembly for P-256 only, and the curves from secp256k1 on are computed
// with math/big.
const (
	costEd25519         = 60
	costP256            = 90
	costEd448           = 220
	costMLDSA65         = 200
	costMLDSA87         = 450
	costP384            = 650
	costP521            = 3000
	costSecp256k1       = 3200
	costBrainpoolP256r1 = 3700
	costBrainpoolP384r1 = 7300
	costBrainpoolP512r1 = 11000
)

// rsaCost estimates the cost of verifying one RSA signature, in microseconds: a multiplication
// takes 1.2 for 1024 bits and grows with the square of the size. There is one for each bit of the
// exponent, and one more for each that is set.
func rsaCost(size, exponent int) int {
	multiplications := bits.Len(uint(exponent)) + bits.OnesCount(uint(exponent))
	return multiplications * size * size * 6 / 5 >> 20
}
