// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/bench/cluster"
	"github.com/assay-project/assay/bench/command"
	"github.com/assay-project/assay/internal/testenv/controlplane"
)

const (
	// kustomization is config/default with the component enforce.
	kustomization = "test/admission/testdata/enforce"
	namespace     = "rollout"
	// appLabel is the label of a Deployment's Pods.
	appLabel = "app"
	// settleTimeout bounds the wait until admission enforces a scope, and each rollout.
	settleTimeout = 2 * time.Minute
	lookEvery     = 10 * time.Millisecond
)

// row has the durations of Deployments of one kind, sorted: until the Image is verified, and until the
// Pod exists. An index that counts because of its images is never verified itself.
type row struct {
	kind           string
	verified, pods []time.Duration
}

// bench is the measured cluster.
type bench struct{ *cluster.Cluster }

func measure(ctx context.Context, p plan, say command.Progress) (rows []row, err error) {
	say("starting a control plane and registries")
	c, err := cluster.New(ctx, kustomization, controlplane.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	dir, err := os.MkdirTemp("", "assay-bench-registries-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{c}
	if err := c.ControllerManager.Start(ctx); err != nil {
		return nil, err
	}
	if err := b.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return nil, err
	}
	// As in the Deployment, but that the registries are on this machine.
	m, err := b.StartManager("--leader-elect", "--registry-allowed-addresses=127.0.0.0/8")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Stop()) }()
	for _, private := range []bool{false, true} {
		of, err := b.measureSite(ctx, p, dir, private, say)
		if err != nil {
			return nil, fmt.Errorf("%w\nthe end of the operator's log:\n%s", err, m.LogTail())
		}
		rows = append(rows, of...)
	}
	return rows, nil
}

// measureSite measures with images and with indexes of one registry.
func (b *bench) measureSite(ctx context.Context, p plan, dir string, private bool, say command.Progress) (rows []row, err error) {
	s, err := newSite(ctx, dir, private)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, object := range s.objects() {
		if err := b.Create(ctx, object); err != nil {
			return nil, err
		}
	}
	if err := b.awaitEnforced(ctx, s.registry.Host); err != nil {
		return nil, err
	}
	for _, k := range s.kinds() {
		r, err := b.measureKind(ctx, p, s, k, say)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// measureKind rolls out Deployments of one kind.
func (b *bench) measureKind(ctx context.Context, p plan, s *site, k kind, say command.Progress) (row, error) {
	r := row{kind: k.name + ", " + s.name}
	say("%s: rolling out %d Deployments", r.kind, p.deployments)
	for n := range p.deployments {
		name := fmt.Sprintf("%s-%d", slug(r.kind), n)
		reference, err := s.push(ctx, "team/"+name, k)
		if err != nil {
			return row{}, err
		}
		verified, pod, err := b.rollOut(ctx, name, reference, !k.derived)
		if err != nil {
			return row{}, err
		}
		if r.pods = append(r.pods, pod); !k.derived {
			r.verified = append(r.verified, verified)
		}
	}
	slices.Sort(r.verified)
	slices.Sort(r.pods)
	return r, nil
}

// slug is the name of a kind without commas and spaces.
func slug(kind string) string {
	return strings.ReplaceAll(strings.ReplaceAll(kind, ", ", "-"), " ", "-")
}

// awaitEnforced waits until the API server refuses Pods with images of a registry that are not
// verified. Before that, a Pod would be there at once.
func (b *bench) awaitEnforced(ctx context.Context, host string) error {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tried"}}
	pod.Spec.Containers = []corev1.Container{{Name: "main", Image: fmt.Sprintf("%s/unknown@sha256:%064x", host, 1)}}
	var last error
	err := wait.PollUntilContextTimeout(ctx, lookEvery, settleTimeout, true, func(ctx context.Context) (bool, error) {
		last = b.Create(ctx, pod.DeepCopy(), client.DryRunAll)
		return apierrors.IsForbidden(last) && strings.Contains(last.Error(), "is not verified"), nil
	})
	if err != nil {
		return fmt.Errorf("waiting for images of %s to be refused: %w (%w)", host, err, last)
	}
	return nil
}

// rollOut applies a Deployment and returns the time until its Image is verified, if it will be, and until
// its Pod exists.
func (b *bench) rollOut(ctx context.Context, name, reference string, willBeVerified bool) (verified, pod time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	pods, err := b.Watch(ctx, &corev1.PodList{}, client.InNamespace(namespace), client.MatchingLabels{appLabel: name})
	if err != nil {
		return 0, 0, err
	}
	defer pods.Stop()
	_, digits, _ := strings.Cut(reference, "@sha256:")
	images, err := b.Watch(ctx, &imagev1.ImageList{}, client.MatchingFields{"metadata.name": "sha256-" + digits})
	if err != nil {
		return 0, 0, err
	}
	defer images.Stop()
	begin := time.Now()
	if err := b.apply(ctx, deployment(name, reference)); err != nil {
		return 0, 0, err
	}
	for willBeVerified && verified == 0 || pod == 0 {
		select {
		case <-ctx.Done():
			return 0, 0, fmt.Errorf("waiting for the Pod of %s: %w", name, ctx.Err())
		case event, open := <-images.ResultChan():
			if !open {
				return 0, 0, fmt.Errorf("the watch of the Image of %s has ended", name)
			}
			if image, ok := event.Object.(*imagev1.Image); ok && verified == 0 && image.Status.Verified == metav1.ConditionTrue {
				verified = time.Since(begin)
			}
		case event, open := <-pods.ResultChan():
			if !open {
				return 0, 0, fmt.Errorf("the watch of the Pods of %s has ended", name)
			}
			if event.Type == watch.Added {
				pod = time.Since(begin)
			}
		}
	}
	return verified, pod, nil
}

// apply does what kubectl apply --server-side does.
func (b *bench) apply(ctx context.Context, d *appsv1.Deployment) error {
	return b.Patch(ctx, d, client.Apply, client.FieldOwner("bench")) //nolint:staticcheck // The typed form has a type for each field.
}

func deployment(name, image string) *appsv1.Deployment {
	labels := map[string]string{appLabel: name}
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: image}}},
			},
		},
	}
}
