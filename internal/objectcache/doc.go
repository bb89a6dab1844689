// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package objectcache lists and watches the custom resources of Assay, so that no stored object
// stops the others: package objectjson decodes them. Kinds that Kubernetes defines itself need none
// of this, because they are read as protobuf, in which metadata.managedFields is a text.
package objectcache
