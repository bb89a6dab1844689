// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package filekind names what a file is that is not what it should be: an HTML page in place of a
// key, a key in place of a signature, a file that was encoded in base64 twice. Its messages say
// what the file is and what belongs there, or where the file belongs.
//
// The package explains and decides nothing: it is asked about a file after the parser that the
// file is for has refused it. It looks at the beginning of a file, at most at 64 KiB, and guesses.
package filekind
