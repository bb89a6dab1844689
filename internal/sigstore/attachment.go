// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import "encoding/json"

// BlobFromAttachment returns the content for a layer of cosign's ".sig" attachment: the layer's media
// type, bytes and annotations in the form of containers/image. The same layer gives the same content.
func BlobFromAttachment(mediaType string, payload []byte, annotations map[string]string) ([]byte, error) {
	document, err := json.Marshal(struct {
		MIMEType    string            `json:"mimeType"`
		Payload     []byte            `json:"payload"`
		Annotations map[string]string `json:"annotations"`
	}{mediaType, payload, annotations})
	return append([]byte(blobPrefix), document...), err
}
