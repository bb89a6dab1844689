// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package rfc3161

import (
	"bytes"
	"encoding/asn1"
	"testing"
)

// FuzzToDER expects DER to stay as it is, and what comes out to be stable.
func FuzzToDER(f *testing.F) {
	for _, seed := range []string{
		"\x30\x00", "\x30\x80\x00\x00", "\x24\x80\x04\x01a\x04\x01b\x00\x00", "\x30\x81\x03\x02\x01\x00",
		"\x30\x82\x00\x03\x02\x01\x00", "\x24\x05\x04\x01a\x04\x00", "\x30\x80\x30\x80\x00\x00\x04\x01x\x00\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, ber []byte) {
		der, err := toDER(ber)
		if (err == nil) != (len(der) > 0) {
			t.Fatalf("%d bytes and %v", len(der), err)
		}
		if err != nil {
			return
		}
		again, err := toDER(der)
		if err != nil || !bytes.Equal(again, der) {
			t.Errorf("%x becomes %x: %v", der, again, err)
		}
		var element asn1.RawValue
		if rest, err := asn1.Unmarshal(der, &element); err != nil || len(rest) != 0 {
			t.Errorf("%x is not DER: %v", der, err)
		}
	})
}
