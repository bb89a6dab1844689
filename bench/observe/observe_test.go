// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPercentile(t *testing.T) {
	var list []time.Duration
	for n := range 200 {
		list = append(list, time.Duration(n+1))
	}
	for percent, want := range map[int]time.Duration{1: 2, 50: 100, 99: 198, 100: 200} {
		if got := Percentile(list, percent); got != want {
			t.Errorf("percentile %d is %d, want %d", percent, got, want)
		}
	}
	if got := Percentile(list[:1], 99); got != 1 {
		t.Errorf("of one value: %d", got)
	}
}

func TestResidentIn(t *testing.T) {
	if got, err := residentIn([]byte("Name:\tassay\nVmRSS:\t   2048 kB\nThreads:\t9\n")); err != nil || got != 2<<20 {
		t.Errorf("%v, %v; want 2 MiB", got, err)
	}
	for _, status := range []string{"", "VmRSS:\tmany kB\n"} {
		if _, err := residentIn([]byte(status)); err == nil {
			t.Errorf("%q: no error", status)
		}
	}
}

func TestMetrics(t *testing.T) {
	text := "# HELP a b\na{l=\"x y\"} 2\nb 3\n"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }))
	defer s.Close()
	got := map[string]float64{}
	add := func(series string, value float64) { got[series] = value }
	if err := Metrics(t.Context(), s.Listener.Addr().String(), add); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]float64{`a{l="x y"}`: 2, "b": 3}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text = "a many\n"
	if err := Metrics(t.Context(), s.Listener.Addr().String(), add); err == nil {
		t.Error("what is no number is taken")
	}
}
