// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package references

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// BenchmarkMemory measures what the table takes for 100,000 Pods of 2,000 workloads in 200
// namespaces, with two images each.
func BenchmarkMemory(b *testing.B) {
	const count, perWorkload, perNamespace = 100_000, 50, 500
	for b.Loop() {
		before := heap()
		table := newTable()
		for n := range count {
			name := fmt.Sprintf("workload-%d-5d4f8c7b9-%05d", n/perWorkload, n)
			image := fmt.Sprintf("registry.example.com/team/app-%d@sha256:%064d", n/perWorkload, n/perWorkload)
			table.put(7, object(fmt.Sprintf("namespace-%d", n/perNamespace), name, false, image, "registry.example.com/mesh/proxy@sha256:"+fmt.Sprintf("%064d", 0)), true)
		}
		b.ReportMetric(float64(heap()-before)/count, "bytes/Pod")
		runtime.KeepAlive(table)
	}
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // What is interned goes with the second one.
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// BenchmarkDecode measures one event of a watch for a Pod of usual size.
func BenchmarkDecode(b *testing.B) {
	kind, _ := kindOf(b, "pods")
	event := frame(b, watch.Modified, encode(b, &corev1.Pod{ObjectMeta: meta("web-5d4f8c7b9-abcde"), Spec: podSpec("registry.example.com/team")}))
	b.SetBytes(int64(len(event)))
	src := bytes.NewReader(event)
	s := newStream(kind, src, func(string) {})
	for b.Loop() {
		src.Reset(event)
		s.src.Reset(src)
		if _, o, _, err := s.next(); err != nil || o.name == "" {
			b.Fatal(err)
		}
	}
}
