// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserverstatus

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRoundTrip(t *testing.T) {
	since := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Local())
	want := []Server{
		{Address: "10.0.0.1:6443", State: Current, Since: since},
		{Address: "[2001:db8::1]:6443", State: Unknown, Since: since, Message: "it cannot be reached"},
	}
	data, err := Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeIsBounded(t *testing.T) {
	many := "[" + strings.Repeat(`{"address":"a"},`, MaxServers+9) + `{"address":"a"}]`
	got, err := Decode(map[string]string{key: many})
	if err != nil || len(got) != MaxServers {
		t.Errorf("%d servers, error %v, want %d", len(got), err, MaxServers)
	}
	long := strings.Repeat("x", maxText+1)
	got, err = Decode(map[string]string{key: fmt.Sprintf(`[{"address":%q,"state":%q,"message":%q}]`, long, long, long)})
	if err != nil || len(got) != 1 || len(got[0].Address) > maxText || len(got[0].State) > maxText || len(got[0].Message) > maxText {
		t.Errorf("long texts: %+v, %v", got, err)
	}
	for name, data := range map[string]map[string]string{
		"nothing":     nil,
		"another key": {"servers": "[]"},
		"too large":   {key: "[" + strings.Repeat(" ", maxSize) + "]"},
		"no JSON":     {key: "Current"},
		"no list":     {key: `{"address":"a"}`},
		"deep":        {key: strings.Repeat("[", 20000)},
	} {
		if got, err := Decode(data); err == nil {
			t.Errorf("%s: decoded as %+v", name, got)
		}
	}
}
