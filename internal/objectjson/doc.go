// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package objectjson reads small custom resources, such as TrustPolicies, from the JSON of an API
// server's lists and watches, so that no stored object is an error.
//
// An API server stores what a typed client cannot read: metadata.managedFields of 10,000 levels,
// or values of an older or newer version of the schema. The decoder of a typed client ends the
// whole list or watch with an error then, and all objects of the kind are unknown. Here, an object
// is read member by member:
//
//   - metadata.managedFields is skipped, whatever is in it. Nobody reads it.
//   - Of spec, everything is kept that can be read. What cannot is a fault of that object, which
//     FaultOf returns. Who reads the object must not rely on a spec with a fault.
//   - Of status and the rest of the metadata, what can be read is kept. It is written anew.
//
// Errors are left for what no stored object can cause: a connection that breaks, and text that is
// not JSON at all. Package imagejson does the same for Images, which are large and many.
package objectjson
