// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/bench/observe"
	"github.com/assay-project/assay/bench/team"
)

const (
	// perNamespace is how many images a namespace refers to. Discovery makes Images for 500 that
	// are not verified.
	perNamespace = 250
	// perDeployment is how many of them are in one Deployment of the backlog.
	perDeployment = 10
	// creators is the number of concurrent requests that create the backlog.
	creators = 8
	// requestsPerSecond lets the latency of the registries be what limits the rate.
	requestsPerSecond = 1000
)

// configure creates what fetches and verifies the images of all registries: one RegistryConfig for
// each, and a TrustPolicy.
func (b *bench) configure(ctx context.Context, t *team.Team) error {
	policy := t.Policy()
	policy.Spec.Scopes = nil
	for n, r := range b.site {
		scope := r.address + "/" + namespacePath
		policy.Spec.Scopes = append(policy.Spec.Scopes, assayv1alpha1.Scope(scope))
		config := &assayv1alpha1.RegistryConfig{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("registry-%d", n)}}
		config.Spec.Scopes = []assayv1alpha1.RegistryScope{assayv1alpha1.RegistryScope(scope)}
		config.Spec.Lookaside = assayv1alpha1.StoreURL("http://" + r.address + "/sigstore")
		config.Spec.Insecure, config.Spec.RequestsPerSecond = true, requestsPerSecond
		if err := b.Create(ctx, config); err != nil {
			return err
		}
	}
	if err := b.Create(ctx, t.Secret(false)); err != nil {
		return err
	}
	return b.Create(ctx, policy)
}

// backlog returns so many images, spread over all registries.
func (b *bench) backlog(count int) []image {
	images := make([]image, count)
	for n := range images {
		images[n] = b.site[n%registries].newImage(fmt.Sprintf("app-%d", n))
	}
	return images
}

// fresh returns so many images of registries that are healthy.
func (b *bench) fresh(name string, count int) []image {
	images := make([]image, count)
	for n := range images {
		images[n] = b.site[n%healthy].newImage(fmt.Sprintf("%s-%d", name, n))
	}
	return images
}

// isHealthy reports whether the registry of an image answers.
func (b *bench) isHealthy(i *image) bool {
	for _, r := range b.site[:healthy] {
		if r == i.registry {
			return true
		}
	}
	return false
}

// sign signs the images of the registries that are healthy.
func (b *bench) sign(t *team.Team, images []image) {
	_ = observe.InParallel(signers, len(images), func(n int) error {
		if b.isHealthy(&images[n]) {
			images[n].sign(t)
		}
		return nil
	})
}

// deploy creates the Deployments of the backlog, in namespaces of perNamespace images.
func (b *bench) deploy(ctx context.Context, images []image) error {
	for first := 0; first < len(images); first += perNamespace {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("backlog-%d", first/perNamespace)}}
		if err := b.Create(ctx, namespace); err != nil {
			return err
		}
	}
	deployments := (len(images) + perDeployment - 1) / perDeployment
	return observe.InParallel(creators, deployments, func(n int) error {
		first := n * perDeployment
		part := images[first:min(first+perDeployment, len(images))]
		return b.Create(ctx, deployment(fmt.Sprintf("backlog-%d", first/perNamespace), fmt.Sprintf("app-%d", n), part))
	})
}

// deployment returns a Deployment with a container for each image.
func deployment(namespace, name string, images []image) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	d.Spec.Template.Labels = labels
	for i := range images {
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{
			Name: fmt.Sprintf("c-%d", i), Image: images[i].reference(),
		})
	}
	return d
}
