// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assay-project/assay/internal/testenv/manager"
	"github.com/assay-project/assay/test/admission/shards"
)

// outcome is what happens to a Pod.
type outcome string

const (
	admitted outcome = "admitted"
	noted    outcome = "an audit annotation"
	warned   outcome = "a warning"
	denied   outcome = "denied"
)

// outcomes are what happens to a Pod whose image is not verified, by the name of the image.
type outcomes map[string]outcome

// Repositories by what TrustPolicies ask for them.
const (
	enforceScope = "registry.example.com/shop"
	warnScope    = "registry.example.com/staging"
	auditScope   = "registry.example.com/labs"
	unlisted     = "elsewhere.example.com"
)

// signed is an image that is verified in every scope.
var signed = "/app@sha256:" + strings.Repeat("1a", 32)

// writeAllowlist writes what the operator would: the scopes, and signed images of the given repositories.
func (c *cluster) writeAllowlist(t *testing.T, verified ...string) {
	t.Helper()
	state := shards.State{Images: map[string]bool{}, Scopes: map[string]string{
		enforceScope: "Enforce", warnScope: "Warn", auditScope: "Audit",
	}}
	for _, repository := range verified {
		state.Images[repository+signed] = true
	}
	ctx := context.WithoutCancel(t.Context())
	for _, object := range shards.Fence(manager.Namespace) {
		if err := c.client.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	for _, shard := range shards.Encode(t, state, manager.Namespace, 1) {
		err := c.client.Update(ctx, shard.DeepCopy())
		if apierrors.IsNotFound(err) {
			err = c.client.Create(ctx, shard)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// wantOutcomes waits until Pods in a namespace whose images are not verified fare as wanted: the
// API server acts on a change a moment later.
func (c *cluster) wantOutcomes(t *testing.T, namespace string, want outcomes) {
	t.Helper()
	var got outcomes
	err := wait.PollUntilContextTimeout(context.WithoutCancel(t.Context()), 50*time.Millisecond, settleTimeout, true,
		func(ctx context.Context) (bool, error) {
			got = outcomes{}
			for repository := range want {
				outcome, err := c.tryPod(ctx, namespace, repository+"/app:v1")
				if err != nil {
					return false, err
				}
				got[repository] = outcome
			}
			return maps.Equal(got, want), nil
		})
	if err != nil {
		t.Fatalf("outcomes are %v, want %v: %v", got, want, err)
	}
}

// wantSigned waits until the signed image of the scope that is enforced fares as wanted.
func (c *cluster) wantSigned(t *testing.T, want outcome) {
	t.Helper()
	waitFor(t, "the signed image to be: "+string(want), func(ctx context.Context) (bool, error) {
		got, err := c.tryPod(ctx, "default", enforceScope+signed)
		return got == want, err
	})
}

// pods numbers the Pods, to find them in the audit log.
var pods int

// tryPod returns what would happen to a Pod.
func (c *cluster) tryPod(ctx context.Context, namespace, image string) (outcome, error) {
	pods++
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("tried-%d", pods)},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: image}}},
	}
	c.warnings.take()
	err := c.client.Create(ctx, pod, client.DryRunAll)
	about := "image " + image + " "
	switch said := c.warnings.take(); {
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err):
		return denied, nil
	case err != nil:
		return "", err
	case strings.Contains(said, about):
		return warned, nil
	}
	failure, err := c.auditedFailure(pod.Name)
	if strings.Contains(failure, about) {
		return noted, err
	}
	return admitted, err
}

// auditedFailure returns the annotation of the admission policies on the creation of an object.
func (c *cluster) auditedFailure(name string) (string, error) {
	file, err := os.Open(c.auditLog)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !strings.Contains(lines.Text(), name) {
			continue
		}
		var event struct {
			Stage       string
			ObjectRef   struct{ Name string }
			Annotations map[string]string
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return "", err
		}
		if event.Stage == "ResponseComplete" && event.ObjectRef.Name == name {
			return event.Annotations["validation.policy.admission.k8s.io/validation_failure"], nil
		}
	}
	return "", lines.Err()
}
