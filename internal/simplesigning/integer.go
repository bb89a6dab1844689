// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package simplesigning

import (
	"strconv"
	"strings"
)

// maxDigits is the number of decimal digits of the largest signed 64-bit integer.
const maxDigits = 19

// integer returns the exact value of a JSON number if it is a signed 64-bit integer. The value
// counts, not the spelling: 1.0, 10e-1 and 0.1e1 are 1. Conversion through float64 would round
// values beyond 2^53; arbitrary precision would let the exponent determine the memory use.
func integer(literal string) (int64, bool) {
	number, negative := strings.CutPrefix(literal, "-")
	mantissa, power := number, "0"
	if e := strings.IndexAny(number, "eE"); e >= 0 {
		mantissa, power = number[:e], number[e+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return 0, true // with any exponent
	}
	exponent, err := strconv.Atoi(power)
	if err != nil || exponent < -MaxSize || exponent > MaxSize {
		return 0, false // the digits of a payload cannot compensate this
	}
	significant := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(significant) - len(fraction)
	if exponent < 0 || len(significant)+exponent > maxDigits {
		return 0, false
	}
	text := significant + strings.Repeat("0", exponent)
	if negative {
		text = "-" + text
	}
	v, err := strconv.ParseInt(text, 10, 64)
	return v, err == nil
}
