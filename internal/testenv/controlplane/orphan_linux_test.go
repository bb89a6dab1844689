// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// orphanEnv makes the test binary a program that starts a control plane and waits to
// be killed.
const orphanEnv = "ASSAY_TEST_ORPHAN"

func TestMain(m *testing.M) {
	if os.Getenv(orphanEnv) != "" {
		os.Exit(startAndWait())
	}
	os.Exit(m.Run())
}

func startAndWait() int {
	c, err := Start(context.Background(), Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, pid := range pids(c) {
		fmt.Println(pid)
	}
	fmt.Println(c.dir.path)
	select {} // the goroutines that wait for the processes keep this from being a deadlock
}

// TestKilledOwner kills a program that runs a control plane. The kernel ends its
// processes, and the next Start removes its directory.
func TestKilledOwner(t *testing.T) {
	tmp := ownTempDir(t)
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), orphanEnv+"=1")
	owner.Stderr = os.Stderr
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Process.Kill() })
	var etcd, apiServer int
	var dir string
	if _, err := fmt.Fscan(bufio.NewReader(out), &etcd, &apiServer, &dir); err != nil {
		t.Fatal(err)
	}

	if err := sweep(tmp); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("the sweep removed the directory of a living owner: %v", err)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait() // reports the kill
	for _, pid := range []int{etcd, apiServer} {
		eventually(t, func() error {
			if alive(pid) {
				return fmt.Errorf("process %d outlives its owner", pid)
			}
			return nil
		})
	}
	next, err := newDataDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	if err := next.remove(); err != nil {
		t.Fatal(err)
	}
	wantGone(t, dir, []int{etcd, apiServer})
}
