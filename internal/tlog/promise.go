// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"encoding/base64"
	"strconv"
)

// promised returns what a signed entry timestamp signs: the canonical JSON (RFC 8785) of four
// members. Base64, decimal and hexadecimal digits need no escape, and the names are in order.
func (e *Entry) promised() []byte {
	b := make([]byte, 0, base64.StdEncoding.EncodedLen(len(e.Body.raw))+160)
	b = append(b, `{"body":"`...)
	b = base64.StdEncoding.AppendEncode(b, e.Body.raw)
	b = append(b, `","integratedTime":`...)
	b = strconv.AppendInt(b, e.IntegratedTime, 10)
	b = append(b, `,"logID":"`...)
	b = append(b, e.LogID.String()...)
	b = append(b, `","logIndex":`...)
	b = strconv.AppendInt(b, e.Index, 10)
	return append(b, '}')
}
