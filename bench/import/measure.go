// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/bench/cluster"
	"github.com/assay-project/assay/bench/command"
	"github.com/assay-project/assay/bench/observe"
	"github.com/assay-project/assay/bench/team"
	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// etcdQuota lets etcd keep every version of every Image until the API server's compaction.
const etcdQuota = "--quota-backend-bytes=8589934592"

// results are all measurements. Memory is in bytes.
type results struct {
	// quiet and busy are the times from a new Deployment to its verified Image, sorted: with nothing
	// else to do, and while the backlog is fetched.
	quiet, busy []time.Duration
	// backlog is the time until every image of a healthy registry was verified, and images how many
	// there are of them.
	backlog time.Duration
	images  int
	// failed is how many images are in the registries that are not healthy.
	failed int
	// requests went to the healthy registries, limited ones to the one that limits requests, and
	// unanswered ones to the one that is down.
	requests, limited, unanswered int64
	// patches is how many patches the manager sent.
	patches                   float64
	memoryEmpty, memoryFull   float64
	restRequests, restWrites  int
	memoryRestarted, restarts float64
}

// bench is the measured cluster with its registries.
type bench struct {
	*cluster.Cluster
	site    site
	tracker *tracker
	manager *manager.Manager
	metrics string // Address of the metrics.
}

func measure(ctx context.Context, p *plan, say command.Progress) (r *results, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b := &bench{}
	if b.site, err = newSite(p.latency); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.site.close()) }()
	say("starting a control plane")
	b.Cluster, err = cluster.New(ctx, "config/default", controlplane.Options{EtcdArgs: []string{etcdQuota}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	t := team.New("bench", p.keyBits)
	if err := b.configure(ctx, t); err != nil {
		return nil, err
	}
	say("signing images")
	all := b.backlog(p.references)
	quiet, busy := b.fresh("quiet", p.fresh), b.fresh("busy", p.fresh)
	b.sign(t, append(append(append([]image{}, all...), quiet...), busy...))
	if b.tracker, err = track(ctx, b); err != nil {
		return nil, err
	}
	r = &results{}
	if err := b.measureImport(ctx, p, r, all, quiet, busy, say); err != nil {
		return nil, err
	}
	return r, b.measureRest(ctx, p, r, all, say)
}

// startManager starts the manager, with metrics.
func (b *bench) startManager() error {
	addresses, err := observe.FreeAddresses(1)
	if err != nil {
		return err
	}
	b.metrics = addresses[0]
	b.manager, err = b.StartManager("--metrics-bind-address="+b.metrics, "--metrics-secure=false", "--registry-allowed-addresses=127.0.0.0/8")
	return err
}

// measureImport measures new Deployments at rest and during the backlog, and the backlog.
func (b *bench) measureImport(ctx context.Context, p *plan, r *results, all, quiet, busy []image, say command.Progress) error {
	if err := b.startManager(); err != nil {
		return err
	}
	wait(ctx, p.settle)
	var err error
	if r.memoryEmpty, err = observe.Resident(b.manager.PID()); err != nil {
		return err
	}
	say("%d new Deployments at rest", len(quiet))
	created, err := b.deploySlowly(ctx, p, "quiet", quiet)
	if err != nil {
		return err
	}
	if err := b.await(ctx, len(quiet), 0); err != nil {
		return err
	}
	r.quiet = b.tracker.waits(created)
	for i := range all {
		if b.isHealthy(&all[i]) {
			r.images++
		}
	}
	r.failed = len(all) - r.images
	say("%d references, and %d new Deployments meanwhile", len(all), len(busy))
	begin := time.Now()
	if err := b.deploy(ctx, all); err != nil {
		return err
	}
	if created, err = b.deploySlowly(ctx, p, "busy", busy); err != nil {
		return err
	}
	r.images += len(quiet) + len(busy)
	if err := b.await(ctx, r.images, 0); err != nil {
		return err
	}
	r.backlog = time.Since(begin)
	r.busy = b.tracker.waits(created)
	say("verified after %.0f s; waiting until every failure is recorded", r.backlog.Seconds())
	if err := b.await(ctx, r.images, r.failed); err != nil {
		return err
	}
	wait(ctx, p.settle)
	r.requests, r.limited = b.site[:healthy].requests(), b.site[limits].requests.Load()
	if err := b.readMetrics(ctx, r); err != nil {
		return err
	}
	r.memoryFull, err = observe.Resident(b.manager.PID())
	return err
}

func (b *bench) readMetrics(ctx context.Context, r *results) error {
	return observe.Metrics(ctx, b.metrics, func(series string, value float64) {
		switch {
		case strings.HasPrefix(series, "rest_client_requests_total{") && strings.Contains(series, `method="PATCH"`):
			r.patches += value
		case series == `assay_registry_requests_total{status="none"}`:
			r.unanswered = int64(value)
		}
	})
}

func (b *bench) await(ctx context.Context, verified, failed int) error {
	err := b.tracker.await(ctx, b.manager.Exited(), verified, failed)
	if errors.Is(err, errExited) {
		return fmt.Errorf("%w: %w\n%s", err, b.manager.Err(), b.manager.LogTail())
	}
	return err
}

// deploySlowly creates a Deployment for each image, one after the other, in a namespace of its own.
// It returns when each was created, by the name of the Image.
func (b *bench) deploySlowly(ctx context.Context, p *plan, name string, images []image) (map[string]time.Time, error) {
	if err := b.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		return nil, err
	}
	created := map[string]time.Time{}
	for i := range images {
		created[images[i].image] = time.Now()
		if err := b.Create(ctx, deployment(name, fmt.Sprintf("app-%d", i), images[i:i+1])); err != nil {
			return nil, err
		}
		wait(ctx, p.freshEvery)
	}
	return created, ctx.Err()
}

// measureRest removes what cannot be fetched, starts the manager again and counts what it does.
func (b *bench) measureRest(ctx context.Context, p *plan, r *results, all []image, say command.Progress) error {
	say("removing what cannot be fetched")
	if err := b.manager.Stop(); err != nil {
		return err
	}
	if err := b.removeFailed(ctx, all); err != nil {
		return err
	}
	// The counts of the objects that are gone are written once.
	for range 2 {
		say("starting over what is verified")
		before, err := b.versions(ctx)
		if err != nil {
			return err
		}
		requests := b.site.requests()
		if err := b.startManager(); err != nil {
			return err
		}
		begin := time.Now()
		if err := b.idle(ctx, r.images); err != nil {
			return err
		}
		r.restarts = time.Since(begin).Seconds()
		wait(ctx, p.settle)
		if r.memoryRestarted, err = observe.Resident(b.manager.PID()); err != nil {
			return err
		}
		after, err := b.versions(ctx)
		if err != nil {
			return err
		}
		r.restRequests = int(b.site.requests() - requests)
		r.restWrites = 0
		for name, version := range after {
			if before[name] != version {
				r.restWrites++
			}
		}
		if err := b.manager.Stop(); err != nil {
			return err
		}
	}
	return nil
}

// removeFailed deletes the Deployments and Images of the registries that are not healthy. Those of
// the backlog have images of all registries, so that they are made anew without them.
func (b *bench) removeFailed(ctx context.Context, all []image) error {
	deployments := (len(all) + perDeployment - 1) / perDeployment
	err := observe.InParallel(creators, deployments, func(n int) error {
		first := n * perDeployment
		var part []image
		for _, i := range all[first:min(first+perDeployment, len(all))] {
			if b.isHealthy(&i) {
				part = append(part, i)
			}
		}
		next := deployment(fmt.Sprintf("backlog-%d", first/perNamespace), fmt.Sprintf("app-%d", n), part)
		return b.Update(ctx, next)
	})
	if err != nil {
		return err
	}
	return observe.InParallel(creators, len(all), func(n int) error {
		if b.isHealthy(&all[n]) {
			return nil
		}
		return b.Delete(ctx, &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: all[n].image}})
	})
}

// idle waits until the manager has every Image in its cache, with nothing left to do.
func (b *bench) idle(ctx context.Context, images int) error {
	const lookEvery = 200 * time.Millisecond
	for ctx.Err() == nil {
		var known, queued float64
		err := observe.Metrics(ctx, b.metrics, func(series string, value float64) {
			switch {
			case strings.HasPrefix(series, "assay_images{"):
				known += value
			case strings.HasPrefix(series, "workqueue_depth{"), strings.HasPrefix(series, "assay_imports_pending"):
				queued += value
			}
		})
		// Right after the start the server does not answer yet.
		if err == nil && int(known) >= images && queued == 0 {
			return nil
		}
		select {
		case <-b.manager.Exited():
			return fmt.Errorf("%w: %w\n%s", errExited, b.manager.Err(), b.manager.LogTail())
		default:
			wait(ctx, lookEvery)
		}
	}
	return ctx.Err()
}

// versions returns the resource versions of everything that the manager writes.
func (b *bench) versions(ctx context.Context) (map[string]string, error) {
	versions := map[string]string{}
	for kind, gvk := range map[string]schema.GroupVersionKind{
		"Image": imagev1.GroupVersion.WithKind("ImageList"), "TrustPolicy": assayv1alpha1.GroupVersion.WithKind("TrustPolicyList"),
		"RegistryConfig": assayv1alpha1.GroupVersion.WithKind("RegistryConfigList"), "ConfigMap": corev1.SchemeGroupVersion.WithKind("ConfigMapList"),
	} {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(gvk)
		var options []client.ListOption
		if kind == "ConfigMap" {
			options = append(options, client.InNamespace(manager.Namespace))
		}
		if err := b.List(ctx, list, options...); err != nil {
			return nil, err
		}
		for i := range list.Items {
			versions[kind+"/"+list.Items[i].Name] = list.Items[i].ResourceVersion
		}
	}
	return versions, nil
}
