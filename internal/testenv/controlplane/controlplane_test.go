// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	rbacv1client "k8s.io/client-go/kubernetes/typed/rbac/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/assay-project/assay/internal/testenv/controlplane/assets"
)

// start starts a control plane with its data in a directory of the test.
func start(t *testing.T, ctx context.Context, opts Options) *ControlPlane {
	t.Helper()
	ownTempDir(t)
	c, err := Start(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return c
}

// ownTempDir sets TMPDIR to an empty directory. The path of t.TempDir is too long for a socket.
func ownTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("TMPDIR", dir)
	return dir
}

func configMaps(t *testing.T, config *rest.Config) corev1client.ConfigMapInterface {
	t.Helper()
	client, err := corev1client.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client.ConfigMaps("default")
}

func createConfigMap(t *testing.T, c *ControlPlane, name string) {
	t.Helper()
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"name": name}}
	if _, err := configMaps(t, c.Config()).Create(t.Context(), cm, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func wantConfigMap(t *testing.T, config *rest.Config, name string) {
	t.Helper()
	got, err := configMaps(t, config).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Data["name"] != name {
		t.Errorf("ConfigMap %s has data %v", name, got.Data)
	}
}

func pids(c *ControlPlane) []int {
	ids := []int{c.Etcd.current.PID(), c.APIServer.current.PID()}
	for _, server := range c.additional {
		ids = append(ids, server.current.PID())
	}
	return ids
}

func alive(pid int) bool {
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

func wantGone(t *testing.T, dir string, pids []int) {
	t.Helper()
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d is still there", pid)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("data directory %s is still there (stat: %v)", dir, err)
	}
}

// TestLifecycle follows one control plane from start to stop. The steps share it because a start
// takes seconds.
func TestLifecycle(t *testing.T) {
	audit := filepath.Join(t.TempDir(), "audit.log")
	logs := filepath.Join(t.TempDir(), "logs")
	c := start(t, t.Context(), Options{AuditLog: audit, LogDir: logs})
	createConfigMap(t, c, "one")
	config := c.Config()

	t.Run("restart of the API server keeps data, port and certificates", func(t *testing.T) {
		if err := c.APIServer.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantConfigMap(t, config, "one")
	})
	t.Run("killed components come back with their data", func(t *testing.T) {
		if err := errors.Join(c.APIServer.Kill(), c.Etcd.Kill()); err != nil {
			t.Fatal(err)
		}
		if _, err := configMaps(t, config).Get(t.Context(), "one", metav1.GetOptions{}); err == nil {
			t.Error("the API server answers although it was killed")
		}
		if err := errors.Join(c.Etcd.Start(t.Context()), c.APIServer.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		wantConfigMap(t, config, "one")
	})
	t.Run("the API server outlives a restart of etcd", func(t *testing.T) {
		if err := c.Etcd.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantConfigMap(t, config, "one")
	})
	t.Run("another API server has the same data", func(t *testing.T) { testAdditional(t, c) })
	t.Run("a component that runs is not started twice", func(t *testing.T) {
		if err := c.Etcd.Start(t.Context()); !errors.Is(err, errRunning) {
			t.Errorf("Start = %v, want %v", err, errRunning)
		}
	})
	t.Run("kubeconfig of the administrator", func(t *testing.T) {
		wantPrivate(t, c.Kubeconfig())
		config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
		if err != nil {
			t.Fatal(err)
		}
		wantConfigMap(t, config, "one")
	})
	t.Run("RBAC holds for a service account", func(t *testing.T) { testServiceAccount(t, c) })
	t.Run("RBAC holds for a user", func(t *testing.T) { testUser(t, c) })
	t.Run("audit log", func(t *testing.T) { testAuditLog(t, audit) })

	dir, processes := c.dir.path, pids(c)
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	wantGone(t, dir, processes)
	if err := c.APIServer.Start(t.Context()); !errors.Is(err, errRetired) {
		t.Errorf("Start after Stop = %v, want %v", err, errRetired)
	}
	for _, name := range []string{"etcd.log", "kube-apiserver.log"} {
		if _, err := os.Stat(filepath.Join(logs, name)); err != nil {
			t.Error(err)
		}
	}
}

func testAdditional(t *testing.T, c *ControlPlane) {
	server, address, err := c.AddAPIServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	config := c.Config()
	if config.Host != "https://"+c.Address() || address == c.Address() {
		t.Errorf("the API servers are at %s and %s, and clients connect to %s", c.Address(), address, config.Host)
	}
	config.Host = "https://" + address
	wantConfigMap(t, config, "one")
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	wantConfigMap(t, c.Config(), "one")
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantConfigMap(t, config, "one")
}

func wantPrivate(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %v, want 0600", path, info.Mode())
	}
}

func testServiceAccount(t *testing.T, c *ControlPlane) {
	core := corev1client.NewForConfigOrDie(c.Config())
	if _, err := c.KubeconfigFor(t.Context(), "default", "reader"); !apierrors.IsNotFound(err) {
		t.Errorf("KubeconfigFor a missing service account = %v, want not found", err)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "reader"}}
	if _, err := core.ServiceAccounts("default").Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	path, err := c.KubeconfigFor(t.Context(), "default", "reader")
	if err != nil {
		t.Fatal(err)
	}
	wantPrivate(t, path)
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	wantForbidden(t, config, "system:serviceaccount:default:reader")
	allowReading(t, c, config, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "reader"})
	wantConfigMap(t, config, "one")
	if err := configMaps(t, config).Delete(t.Context(), "one", metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("Delete by a reader = %v, want forbidden", err)
	}
}

func testUser(t *testing.T, c *ControlPlane) {
	config, err := c.ConfigForUser("carol", "auditors")
	if err != nil {
		t.Fatal(err)
	}
	wantForbidden(t, config, `User "carol"`)
	allowReading(t, c, config, rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "auditors"})
	wantConfigMap(t, config, "one")
}

func wantForbidden(t *testing.T, config *rest.Config, subject string) {
	t.Helper()
	_, err := configMaps(t, config).Get(t.Context(), "one", metav1.GetOptions{})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), subject) {
		t.Errorf("Get = %v, want forbidden for %s", err, subject)
	}
}

// allowReading lets subject get ConfigMaps, and waits until the API server's authorizer allows it.
// The configuration authenticates as subject.
func allowReading(t *testing.T, c *ControlPlane, config *rest.Config, subject rbacv1.Subject) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: "read-" + subject.Name}
	rules := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get"}}}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: meta,
		Subjects:   []rbacv1.Subject{subject},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
	}
	client := rbacv1client.NewForConfigOrDie(c.Config())
	if _, err := client.Roles("default").Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.RoleBindings("default").Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		_, err := configMaps(t, config).Get(t.Context(), "one", metav1.GetOptions{})
		return err
	})
}

// eventually polls until f succeeds, for at most ten seconds.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("after ten seconds: %v", err)
		case <-ticker.C:
		}
	}
}

func testAuditLog(t *testing.T, path string) {
	found := map[string]bool{}
	for event, err := range AuditEvents(path) {
		if err != nil {
			t.Fatal(err)
		}
		if ref := event.ObjectRef; ref != nil {
			found[fmt.Sprint(event.User.Username, " ", event.Verb, " ", ref.Resource, "/", ref.Name, " ", event.ResponseStatus.Code)] = true
		}
	}
	for _, want := range []string{
		"admin create configmaps/one 201",
		"carol get configmaps/one 403",
		"system:serviceaccount:default:reader get configmaps/one 200",
	} {
		if !found[want] {
			t.Errorf("the audit log lacks %q", want)
		}
	}
}

// An incomplete last line is ignored, and a malformed one is an error.
func TestAuditEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	for text, want := range map[string]string{
		"": "",
		"{\"verb\":\"get\"}\n{\"verb\":\"list\"}\n": "get list ",
		"{\"verb\":\"get\"}\n{\"ver":                "get ",
		"{\"verb\":\"get\"}\n{\n":                   "get error ",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := ""
		for event, err := range AuditEvents(path) {
			if err != nil {
				got += "error "
				continue
			}
			got += event.Verb + " "
		}
		if got != want {
			t.Errorf("%q has %q, want %q", text, got, want)
		}
	}
	for _, err := range AuditEvents(path + ".gone") {
		if err == nil {
			t.Error("a log that is not there is none")
		}
	}
}

func TestEndOfContextStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := start(t, ctx, Options{APIServerArgs: []string{"--v=1"}})
	dir, processes := c.dir.path, pids(c)
	cancel()
	if err := c.Stop(); err != nil { // waits for the ongoing stop
		t.Error(err)
	}
	wantGone(t, dir, processes)
}

func TestStopDoesNotWaitForWatches(t *testing.T) {
	c := start(t, t.Context(), Options{})
	watch, err := configMaps(t, c.Config()).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	began := time.Now()
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took >= apiServerGrace {
		t.Errorf("Stop took %s: it waited for the watch", took)
	}
}

func TestFailedStartLeavesNothing(t *testing.T) {
	broken := t.TempDir()
	for _, name := range []string{assets.Etcd, assets.APIServer} {
		if err := os.WriteFile(filepath.Join(broken, name), []byte("#!/bin/sh\necho cannot work today >&2\nexit 3\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		opts Options
		want string
	}{
		"program that ends":          {Options{AssetsDir: broken}, "cannot work today"},
		"program that is missing":    {Options{AssetsDir: filepath.Join(broken, "none")}, "start etcd"},
		"flag that the server lacks": {Options{APIServerArgs: []string{"--no-such-flag=1"}}, "unknown flag: --no-such-flag"},
		"argument that is no flag":   {Options{APIServerArgs: []string{"v=1"}}, `"v=1" is not of the form --name=value`},
		"not ready in time":          {Options{StartTimeout: time.Nanosecond}, context.DeadlineExceeded.Error()},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tmp := ownTempDir(t)
			c, err := Start(t.Context(), tc.opts)
			if err == nil {
				_ = c.Stop()
				t.Fatal("Start succeeded")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Start = %v, want %q in it", err, tc.want)
			}
			if left, _ := filepath.Glob(filepath.Join(tmp, dataDirPattern)); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestStartSaysHowToInstall(t *testing.T) {
	t.Setenv(assets.EnvDir, "")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_DATA_HOME", "")
	_, err := Start(t.Context(), Options{})
	if !errors.Is(err, assets.ErrNotFound) || !strings.Contains(err.Error(), "run make setup-envtest") {
		t.Errorf("Start = %v, want %v", err, assets.ErrNotFound)
	}
}
