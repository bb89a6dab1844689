// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package jsonscan finds the tokens of JSON from an API server while it arrives, in one pass.
//
// The decoders of encoding/json and of typed clients end at 10,000 levels of nesting, and with them
// a whole list or watch. An API server stores and sends objects that are as deep. Here, depth costs
// nothing: what nobody needs is skipped without recursion, at the speed of a search for quotation
// marks. Of what is skipped, only the strings and brackets are checked that show where it ends.
package jsonscan
