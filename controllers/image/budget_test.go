// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"testing"
	"time"
)

// TestWriteBudget checks that large Images are written at the rate beyond the burst, each at the
// time that it was given, and that others never wait.
func TestWriteBudget(t *testing.T) {
	var b writeBudget
	const size = 1 << 20
	const burst = largeWriteBurst / (writesOfVerdict * size)
	for i := range burst {
		if wait := b.wait(fmt.Sprint("burst-", i), size, testNow); wait != 0 {
			t.Fatalf("Image %d waits %s", i, wait)
		}
	}
	each := time.Duration(writesOfVerdict*size) * time.Second / largeWriteRate
	for i := range 10 {
		if got, want := b.wait(fmt.Sprint(i), size, testNow), time.Duration(i+1)*each; got != want {
			t.Errorf("Image %d waits %s, want %s", i, got, want)
		}
	}
	if got := b.wait("9", size, testNow.Add(each)); got != 9*each {
		t.Errorf("an Image that asks again waits %s, want the rest of its time, %s", got, 9*each)
	}
	if got := b.wait("usual", largeObject-1, testNow); got != 0 {
		t.Errorf("a usual Image waits %s", got)
	}
	if got := b.wait("0", size, testNow.Add(each)); got != 0 {
		t.Errorf("an Image waits %s at its time", got)
	}
	if got := b.wait("0", size, testNow.Add(each)); got == 0 {
		t.Error("an Image is written twice at its time")
	}
	b.forget("1")
	if len(b.turns) != 9 {
		t.Errorf("%d Images are remembered, want those that wait", len(b.turns))
	}
}
