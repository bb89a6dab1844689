// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Machine describes the machine, which the times depend on.
type Machine struct {
	Description string
	Load        string // Over one minute: other work on the machine makes the times longer.
}

// ReadMachine describes the machine. Missing information is "unknown".
func ReadMachine() Machine {
	return Machine{
		Description: fmt.Sprintf("%s, %s/%s, GOMAXPROCS %d, %s",
			runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), processor(readFile("/proc/cpuinfo"))),
		Load: firstWord(readFile("/proc/loadavg")),
	}
}

// readFile returns nothing if the system has no such file.
func readFile(name string) []byte {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	return data
}

const unknown = "unknown"

// processor finds the model name in /proc/cpuinfo.
func processor(cpuinfo []byte) string {
	lines := bufio.NewScanner(bytes.NewReader(cpuinfo))
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), ":")
		if ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "processor " + unknown
}

func firstWord(data []byte) string {
	if words := bytes.Fields(data); len(words) > 0 {
		return string(words[0])
	}
	return unknown
}
