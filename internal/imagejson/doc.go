// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package imagejson reads Images from the JSON of an API server's lists and watches.
//
// An Image is stored by a stranger, and an API server takes more than a typed client reads:
// 10,000 levels of dockerImageMetadata, integers that overflow, times that cannot be written
// back. A general decoder ends the whole list or watch with an error then, and with it the
// verification of every other image. Here, no stored object is an error. A value that cannot
// be read, or is too large to keep, is a Fault of its own Image; the decoder skips the rest of
// that object and goes on with the next one. Errors are left for what no stored object can
// cause: a connection that breaks, and text that is not JSON at all.
//
// The decoder passes once over the text, as it arrives, and keeps the twentieth part of it
// that a verdict depends on:
//
//   - of the metadata the name, UID, resource version, generation, times, finalizers, one label and the
//     annotations that the caller asks for;
//   - the reference, and the digest in place of the manifest;
//   - the signatures with every field, because they are written back as a whole;
//   - the status.
//
// Everything else is skipped at the speed of a search for quotation marks, without recursion,
// so that depth costs nothing.
//
// What both this package and encoding/json read, they read alike. This package is the stricter
// one: a member that occurs twice, or whose name differs from a known one in case only, is a
// Fault, because readers differ in what they make of it. Only what is skipped is not checked,
// beyond the strings and brackets that show where it ends.
package imagejson
