// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	controller "github.com/assay-project/assay/controllers/allowlist"
	"github.com/assay-project/assay/controllers/trustchange"
	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/imagecache"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verdictcache"
)

// listed waits until a line is, or is not, on the allowlist of the running operator.
func (f *fixture) listed(line string, want bool) {
	f.Helper()
	f.eventually(fmt.Sprintf("%q on the allowlist: %v", line, want), func() (bool, string) {
		var list corev1.ConfigMapList
		if err := testClient.List(f.ctx, &list, client.InNamespace(testNamespace), client.MatchingLabels{allowlist.Label: allowlist.LabelValue}); err != nil {
			return false, err.Error()
		}
		found := false
		for i := range list.Items {
			for _, text := range list.Items[i].Data {
				found = found || strings.Contains(text, "\n"+line+"\n")
			}
		}
		return len(list.Items) > 0 && found == want, fmt.Sprintf("%d shards, found: %v", len(list.Items), found)
	})
}

func TestVerifiedImagesAreListed(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	secret := f.secret(release)
	image := f.image(release)
	image.DockerImageReference = strings.Replace(image.DockerImageReference, "registry.", "Registry.", 1)
	image.Signatures[0].Content = release.sign(digest.FromString(f.name), strings.Replace(f.repository(), "registry.", "Registry.", 1)+":v1")
	policy := f.fromSecret(f.policy())
	policy.Spec.Enforcement = assayv1alpha1.EnforcementWarn
	f.create(secret, policy, image)
	entry := f.repository() + "@" + digest.FromString(f.name).String()
	f.listed(entry, true)
	f.listed(f.repository()+" Warn", true)

	// The strictest policy of a scope decides what admission does.
	second := f.policy(release)
	second.Name += "-second"
	f.create(second)
	f.listed(f.repository()+" Enforce", true)

	update(f, secret, func(s *corev1.Secret) { s.Data = map[string][]byte{"release.asc": release.revokedKey()} })
	f.listed(entry, false)
	update(f, secret, func(s *corev1.Secret) { s.Data = f.secret(release).Data })
	f.listed(entry, true)
	if err := testClient.Delete(f.ctx, image); err != nil {
		t.Fatal(err)
	}
	f.listed(entry, false)
}

// Somebody who may write status writes one into an image that is not verified. It is
// corrected, and admission has never seen it.
func TestForgedStatusIsNotListed(t *testing.T) {
	f := newFixture(t)
	image := f.image(newSigner("stranger"))
	f.create(f.policy(newSigner("release")), image)
	got := f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonUntrustedKey)
	patch := client.MergeFrom(got.DeepCopy())
	got.Status.Conditions[0].Status, got.Status.Conditions[0].Reason = metav1.ConditionTrue, "Verified"
	if err := testClient.Status().Patch(f.ctx, got, patch); err != nil {
		t.Fatal(err)
	}
	f.verdict(f.name, metav1.ConditionFalse, assayv1alpha1.ReasonUntrustedKey)
	f.listed(f.repository()+"@"+digest.FromString(f.name).String(), false)
}

// A policy for one tag says nothing of the same digest under the rest of the repository,
// which has another policy.
func TestScopeOfATagVouchesForNothingElse(t *testing.T) {
	f := newFixture(t)
	lenient, strict := newSigner("lenient"), newSigner("strict")
	forTag := f.policy(lenient)
	forTag.Name += "-tag"
	forTag.Spec.Scopes = scopes(f.repository() + ":v1")
	d := digest.FromString(f.name)
	image := f.image(lenient)
	image.Name = "sha256-" + d.Encoded()
	image.DockerImageReference = f.repository() + ":v1"
	f.create(forTag, f.policy(strict), image)
	f.verdict(image.Name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	f.listed(f.repository()+":v1 Enforce", true)
	f.listed(f.repository()+"@"+d.String(), false)
}

// writer is an allowlist.Reconciler that a test steps through, in a namespace of its own.
type writer struct {
	*fixture
	*controller.Reconciler
	clock *clocktesting.FakePassiveClock
	// writes counts the writes, and after limit of them the process is dead; 0 is no limit.
	writes, limit int
	// shardWrites counts those of the writes that were of shards, not of the fence.
	shardWrites int
	// images are those of the cluster, of which the other tests' are none.
	images []imagecache.Image
	// requeueAfter is the wait that the last run asked for.
	requeueAfter time.Duration
}

func newWriter(t *testing.T) *writer {
	f := newFixture(t)
	f.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.name}})
	l := &writer{fixture: f, clock: clocktesting.NewFakePassiveClock(testNow)}
	direct, err := client.NewWithWatch(testConfig, client.Options{Scheme: cachedClient.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	l.Reconciler = &controller.Reconciler{
		Client:   interceptor.NewClient(direct, l.hooks()),
		Trust:    &trust.Store{Client: direct, Namespace: f.name, Formats: signature.Formats()},
		Verdicts: verdictcache.New(), Namespace: f.name, Clock: l.clock, TTL: 4 * time.Hour,
	}
	return l
}

func (l *writer) hooks() interceptor.Funcs {
	write := func(obj client.Object, do func() error) error {
		if l.limit > 0 && l.writes >= l.limit {
			return errKilled
		}
		l.writes++
		if _, ok := obj.(*corev1.ConfigMap); ok {
			l.shardWrites++
		}
		return do()
	}
	return interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if images, ok := list.(*imagecache.ImageList); ok {
				images.Items = l.images
				return nil
			}
			return c.List(ctx, list, opts...)
		},
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			return write(obj, func() error { return c.Create(ctx, obj, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			return write(obj, func() error { return c.Update(ctx, obj, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			return write(obj, func() error { return c.Delete(ctx, obj, opts...) })
		},
	}
}

// vouch makes so many images verified, whose entries together have about so many bytes.
func (l *writer) vouch(images, size int) {
	l.Verdicts = verdictcache.New()
	for n := range images {
		l.Verdicts.Record(fmt.Sprint(n), verdictcache.Verdict{Entry: l.entry(n, images, size), Scope: "a"})
	}
}

// entry is that of the image with a number, of so many that together have about so many bytes.
func (l *writer) entry(n, images, size int) string {
	return strings.Repeat("a", size/images) + "@" + digest.FromString(fmt.Sprint(n)).String()
}

// restart replaces the reconciler by that of another process with the same verdicts.
func (l *writer) restart() {
	before := l.Reconciler
	l.Reconciler = &controller.Reconciler{
		Client: before.Client, Trust: before.Trust, Verdicts: before.Verdicts,
		Namespace: before.Namespace, Clock: before.Clock, TTL: before.TTL,
	}
}

// run reconciles once, a while after the last time.
func (l *writer) run() error {
	l.clock.SetTime(l.clock.Now().Add(time.Minute))
	result, err := l.Reconcile(l.ctx, ctrl.Request{})
	l.requeueAfter = result.RequeueAfter
	return err
}

// settle reconciles until nothing is written any more.
func (l *writer) settle() {
	l.Helper()
	for quiet := 0; quiet < 2; quiet++ { // An epoch is withdrawn a while after the last write.
		before := l.writes
		if err := l.run(); err != nil {
			l.Fatal(err)
		}
		if l.writes != before {
			quiet = -1
		}
	}
}

func (l *writer) shards() map[string]*corev1.ConfigMap {
	l.Helper()
	var list corev1.ConfigMapList
	if err := testClient.List(l.ctx, &list, client.InNamespace(l.name), client.MatchingLabels{allowlist.Label: allowlist.LabelValue}); err != nil {
		l.Fatal(err)
	}
	found := map[string]*corev1.ConfigMap{}
	for i := range list.Items {
		found[list.Items[i].Name] = &list.Items[i]
	}
	return found
}

// admits is what a policy finds in the stored shards, if all their epochs count.
func (l *writer) admits(entry string) bool {
	l.Helper()
	var role rbacv1.Role
	if err := testClient.Get(l.ctx, client.ObjectKey{Namespace: l.name, Name: controller.FenceRole}, &role); err != nil {
		l.Fatal(err)
	}
	_, hex, _ := strings.Cut(entry, "@sha256:")
	asked := false
	for _, shard := range l.shards() {
		if !slices.Contains(role.Rules[0].ResourceNames, allowlist.FenceName(shard.Name, allowlist.Epoch(shard.Data))) {
			return false
		}
		if text, ok := shard.Data[hex[:2]]; ok {
			asked = true
			if !strings.Contains(text, "\n"+entry+"\n") {
				return false
			}
		}
	}
	return asked
}

// refuses is whether enforcing policies refuse an entry, wherever it is not listed: a shard whose
// epoch does not count refuses all, and one that is not there refuses nothing.
func (l *writer) refuses(entry string) bool {
	l.Helper()
	epochs := l.epochs()
	shards := l.shards()
	_, hex, _ := strings.Cut(entry, "@sha256:")
	for _, shard := range shards {
		text, own := shard.Data[hex[:2]]
		if !slices.Contains(epochs, allowlist.FenceName(shard.Name, allowlist.Epoch(shard.Data))) || own && !strings.Contains(text, "\n"+entry+"\n") {
			return true
		}
	}
	return len(shards) == 0
}

// The process dies at every single write of the first allowlist, which takes several shards.
func TestFirstListRefusesAtEveryDeath(t *testing.T) {
	l := newWriter(t)
	l.vouch(400, 3<<20)
	var unlisted []string
	for n := range 16 {
		unlisted = append(unlisted, fmt.Sprintf("b@sha256:%x%063x", n, n))
	}
	l.dieAtEveryWrite(func() {
		if l.writes == 0 {
			return
		}
		for _, entry := range unlisted {
			if !l.refuses(entry) {
				t.Fatalf("after %d writes %s is admitted", l.writes, entry)
			}
		}
	})
	if shards := l.shards(); len(shards) < 2 || !l.admits(l.entry(0, 400, 3<<20)) {
		t.Errorf("%d shards, and the first image is admitted: %v", len(shards), l.admits(l.entry(0, 400, 3<<20)))
	}
}

func TestListIsWrittenOnce(t *testing.T) {
	l := newWriter(t)
	l.vouch(3, 60)
	l.settle()
	if l.shardWrites != 1 || len(l.shards()) != 1 {
		t.Errorf("%d writes and %d shards for a small list, want one each", l.shardWrites, len(l.shards()))
	}
	// Another process, with the same verdicts.
	l.restart()
	l.settle()
	if l.shardWrites != 1 {
		t.Errorf("an unchanged list was written %d times, want once", l.shardWrites)
	}
	// Verdicts that come quickly one after the other are written together.
	for n := range 10 {
		l.vouch(n+4, 200)
		if _, err := l.Reconcile(l.ctx, ctrl.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	l.settle()
	if l.shardWrites > 3 {
		t.Errorf("ten changes at the same time took %d writes, want two", l.shardWrites-1)
	}
}

func TestListIsRenewed(t *testing.T) {
	l := newWriter(t)
	l.settle()
	name := allowlist.Name(1, 0)
	first := allowlist.ValidUntil(l.shards()[name].Data)
	if want := l.clock.Now().Add(l.TTL); first.After(want) || want.Sub(first) > 10*time.Minute {
		t.Errorf("valid until %s, want about %s", first, want)
	}
	l.clock.SetTime(l.clock.Now().Add(l.TTL / 3))
	l.settle()
	if l.shardWrites != 1 {
		t.Errorf("%d writes with more than half of the time left, want one", l.shardWrites)
	}
	l.clock.SetTime(l.clock.Now().Add(l.TTL / 4))
	l.settle()
	if second := allowlist.ValidUntil(l.shards()[name].Data); l.shardWrites != 2 || !second.After(first) {
		t.Errorf("%d writes with less than half of the time left, valid until %s", l.shardWrites, second)
	}
	l.TTL = 0
	l.settle()
	if data := l.shards()[name].Data; data["validUntil"] != "" {
		t.Errorf("valid until %s, want no end", data["validUntil"])
	}
}

func TestListIsRestored(t *testing.T) {
	l := newWriter(t)
	l.vouch(3, 60)
	l.settle()
	name := allowlist.Name(1, 0)
	want := l.shards()[name]
	for what, spoil := range map[string]func(*corev1.ConfigMap) error{
		"deleted": func(c *corev1.ConfigMap) error { return testClient.Delete(l.ctx, c) },
		"emptied": func(c *corev1.ConfigMap) error { c.Data = nil; return testClient.Update(l.ctx, c) },
		"extended": func(c *corev1.ConfigMap) error {
			c.Data["07"] += "registry.example.com/evil@sha256:07\n"
			return testClient.Update(l.ctx, c)
		},
		"valid for ever": func(c *corev1.ConfigMap) error {
			c.Data["validUntil"] = "2999-01-01T00:00:00Z"
			return testClient.Update(l.ctx, c)
		},
		"unlabelled": func(c *corev1.ConfigMap) error { c.Labels = nil; return testClient.Update(l.ctx, c) },
		"made immutable": func(c *corev1.ConfigMap) error {
			c.Data["07"], c.Immutable = "", ptr.To(true)
			return testClient.Update(l.ctx, c)
		},
		"said to have scopes of a level": func(c *corev1.ConfigMap) error {
			c.Labels[allowlist.LevelLabel(allowlist.Audit)] = "true"
			return testClient.Update(l.ctx, c)
		},
	} {
		if err := spoil(l.shards()[name]); err != nil {
			t.Fatal(err)
		}
		l.settle()
		got := l.shards()[name]
		if got == nil {
			t.Fatalf("%s: not restored", what)
		}
		got.Data["validUntil"] = want.Data["validUntil"] // Renewed with each write.
		got.Data["epoch"] = want.Data["epoch"]           // Another one when the shard was lost.
		if !maps.Equal(got.Data, want.Data) || !maps.Equal(got.Labels, want.Labels) {
			t.Errorf("%s: not restored", what)
		}
	}
}

// The process dies at every single write of a change of the number of shards, in both
// directions, and another one goes on. What is verified before and after is admitted at
// every moment, and what never was is not.
func TestReshardingSurvivesEveryDeath(t *testing.T) {
	l := newWriter(t)
	l.vouch(200, 100<<10)
	l.settle()
	kept := []string{l.entry(0, 200, 100<<10), l.entry(199, 200, 100<<10)}
	for _, size := range []int{3 << 20, 100 << 10} {
		l.vouch(400, size)
		for n, entry := range kept {
			l.Verdicts.Record(fmt.Sprint("kept-", n), verdictcache.Verdict{Entry: entry, Scope: "a"})
		}
		l.dieAtEveryWrite(func() {
			for _, entry := range kept {
				if !l.admits(entry) {
					t.Fatalf("%.40s… is refused in the middle", entry)
				}
			}
			if l.admits("b@" + digest.FromString("0").String()) {
				t.Fatal("an image that nobody vouched for is admitted in the middle")
			}
		})
		shards := l.shards()
		for name := range shards {
			if count, ok := allowlist.CountOf(name); !ok || len(shards) != count || (size > 1<<20) != (count > 1) {
				t.Errorf("%d shards, one of a set of %d, for %d bytes", len(shards), count, size)
			}
		}
	}
}

// One of several shards that was made immutable is deleted and made anew. Until it is back, nothing
// is admitted that nobody vouched for, at whichever write the process dies.
func TestImmutableShardAmongSeveral(t *testing.T) {
	l := newWriter(t)
	l.vouch(400, 3<<20)
	l.settle()
	want := len(l.shards())
	if want < 2 {
		t.Fatalf("%d shards, want several", want)
	}
	for name := range l.shards() {
		shard := l.shards()[name]
		shard.Immutable = ptr.To(true)
		if err := testClient.Update(l.ctx, shard); err != nil {
			t.Fatal(err)
		}
		l.dieAtEveryWrite(func() {
			for i := range 16 {
				if !l.refuses("b@" + digest.FromString(fmt.Sprint(i)).String()) {
					t.Fatalf("%s was made immutable: an image that nobody vouched for is admitted", name)
				}
			}
		})
		if got := l.shards(); got[name] == nil || ptr.Deref(got[name].Immutable, false) || len(got) != want {
			t.Errorf("%s is not restored: %d shards", name, len(got))
		}
	}
}

// dieAtEveryWrite lets every reconciliation do one write and fail at the next.
func (l *writer) dieAtEveryWrite(check func()) {
	l.Helper()
	for {
		before := l.writes
		l.limit = before + 1
		err := l.run()
		check()
		if err == nil && l.writes == before {
			l.limit = 0
			return
		}
		if err != nil && !errors.Is(err, errKilled) {
			l.Fatal(err)
		}
	}
}

func cachedImage(name string, uid types.UID) imagecache.Image {
	return imagecache.Image{Image: imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid}}}
}

// The allowlist of the previous process stays until every image has been evaluated.
func TestAllowlistWaitsForAllVerdicts(t *testing.T) {
	l := newWriter(t)
	l.images = []imagecache.Image{cachedImage("first", "1"), cachedImage("second", "2")}
	l.Verdicts.Record("first", verdictcache.Verdict{UID: "1"})
	l.Verdicts.Record("second", verdictcache.Verdict{UID: "an earlier image of that name"})
	if l.settle(); l.writes != 0 {
		t.Fatal("the allowlist was written before the second image was evaluated")
	}
	// An image that is created meanwhile is not waited for: it is not on the allowlist, and that is all.
	l.images = append(l.images, cachedImage("late", "4"))
	l.Verdicts.Record("second", verdictcache.Verdict{UID: "2"})
	l.settle()
	if l.shardWrites != 1 {
		t.Fatalf("%d writes while an image that came late is not evaluated, want one", l.shardWrites)
	}
	// Neither is one that is created later.
	l.images = append(l.images, cachedImage("third", "3"))
	l.Verdicts.Record("first", verdictcache.Verdict{UID: "1", Entry: "a@" + digest.FromString("first").String(), Scope: "a"})
	l.settle()
	if l.shardWrites != 2 {
		t.Errorf("%d writes, want the allowlist and its change", l.shardWrites)
	}
}

// A process that waits for verdicts withdraws what an earlier one has superseded.
func TestEpochsAreWithdrawnBeforeAllVerdicts(t *testing.T) {
	l := newWriter(t)
	l.vouch(3, 60)
	l.settle()
	name := allowlist.Name(1, 0)
	before := allowlist.FenceName(name, allowlist.Epoch(l.shards()[name].Data))
	l.vouch(2, 40)
	for writes := l.shardWrites; l.shardWrites == writes; {
		if err := l.run(); err != nil {
			t.Fatal(err)
		}
	}
	l.restart()
	l.images = []imagecache.Image{cachedImage("never evaluated", "1")}
	if !slices.Contains(l.epochs(), before) {
		t.Fatalf("epochs %v, want still %s", l.epochs(), before)
	}
	l.settle()
	if want := []string{allowlist.FenceName(name, allowlist.Epoch(l.shards()[name].Data))}; !slices.Equal(l.epochs(), want) {
		t.Errorf("epochs %v, want %v", l.epochs(), want)
	}
}

// A process that no longer leads writes nothing, whatever it believes, until it leads again.
func TestListIsTheLeaders(t *testing.T) {
	l := newWriter(t)
	l.vouch(3, 60)
	l.settle()
	leads, unknown := false, error(nil)
	l.Leads = func(context.Context) (bool, error) { return leads, unknown }
	l.vouch(2, 40)
	before := l.writes
	for range 3 {
		if err := l.run(); err != nil || l.writes != before || l.requeueAfter <= 0 {
			t.Fatalf("%d writes while another process leads, another look after %s, %v", l.writes-before, l.requeueAfter, err)
		}
	}
	l.TTL = 0 // Each shard needs a write.
	l.vouch(3, 60)
	if err := l.run(); err != nil || l.writes != before {
		t.Fatalf("%d writes while another process leads, %v", l.writes-before, err)
	}
	unknown = errors.New("no answer")
	if err := l.run(); !errors.Is(err, unknown) || l.writes != before {
		t.Fatalf("%d writes while nobody knows who leads, %v", l.writes-before, err)
	}
	leads, unknown = true, nil
	l.settle()
	if l.writes == before {
		t.Error("nothing is written by the process that leads again")
	}
}

// epochs returns the names in the fence.
func (l *writer) epochs() []string {
	l.Helper()
	var role rbacv1.Role
	if err := testClient.Get(l.ctx, client.ObjectKey{Namespace: l.name, Name: controller.FenceRole}, &role); err != nil {
		l.Fatal(err)
	}
	return role.Rules[0].ResourceNames
}

// The metric shows the allowlist's expiry before this process can write it. Other reconcilers
// of these tests set it, too, now and then.
func TestExpiryIsExportedBeforeTheFirstWrite(t *testing.T) {
	l := newWriter(t)
	l.TTL = 1000 * time.Hour
	l.settle()
	l.restart()
	l.images = []imagecache.Image{cachedImage("never evaluated", "1")}
	want := float64(allowlist.ValidUntil(l.shards()[allowlist.Name(1, 0)].Data).Unix())
	var last float64
	for range 10 {
		l.settle()
		if last = validUntil(t); last == want {
			return
		}
	}
	t.Errorf("the allowlist is valid until %v by the metric, want %v", last, want)
}

// validUntil returns the metric of the allowlist's expiry.
func validUntil(t *testing.T) float64 {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "assay_allowlist_valid_until_timestamp_seconds" {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("the metric is not exported")
	return 0
}

// A key is revoked while the API server accepts no verdict: the allowlist does not wait.
func TestRevocationReachesTheAllowlistBeforeAnyVerdictIsWritten(t *testing.T) {
	f := newFixture(t)
	release := newSigner("release")
	secret := f.secret(release)
	f.create(secret, f.fromSecret(f.policy()), f.image(release))
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	entry := f.repository() + "@" + digest.FromString(f.name).String()
	f.listed(entry, true)

	direct, err := client.New(testConfig, client.Options{Scheme: cachedClient.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	r := &trustchange.Reconciler{Client: direct, Evaluator: newEvaluator(direct, testNow)}
	verified := func() bool {
		t.Helper()
		r.Evaluator.Trust.Invalidate()
		if _, err := r.Reconcile(f.ctx, ctrl.Request{NamespacedName: client.ObjectKey{Name: f.name}}); err != nil {
			t.Fatal(err)
		}
		return slices.Contains(r.Evaluator.Verdicts.Entries(func(string) bool { return false }), entry)
	}
	if !verified() {
		t.Fatal("the verified image has no entry")
	}
	update(f, secret, func(s *corev1.Secret) { s.Data = map[string][]byte{"release.asc": release.revokedKey()} })
	if verified() {
		t.Error("an image of a revoked key has an entry")
	}
}

// A large list is written less often: etcd keeps every version for a while.
func TestLargeListIsWrittenLessOften(t *testing.T) {
	l := newWriter(t)
	l.vouch(400, 3<<20)
	for len(l.shards()) < 2 { // The fence comes first, and the shard that stands for no set.
		if err := l.run(); err != nil {
			t.Fatal(err)
		}
	}
	if l.requeueAfter < 3*time.Second || l.requeueAfter > 5*time.Second {
		t.Errorf("a pause of %s after 3 MiB, want about a second for each", l.requeueAfter)
	}
	before := l.writes
	l.vouch(10, 1000)
	l.clock.SetTime(l.clock.Now().Add(2 * time.Second))
	result, err := l.Reconcile(l.ctx, ctrl.Request{})
	if err != nil || l.writes != before || result.RequeueAfter <= 0 {
		t.Errorf("%d writes within the pause, another look after %s, %v", l.writes-before, result.RequeueAfter, err)
	}
}

// A full allowlist takes no additions, and what loses its verification leaves it all the same.
func TestFullAllowlistStillRemoves(t *testing.T) {
	l := newWriter(t)
	entry := func(n int) string {
		return fmt.Sprintf("registry.example.com/%s/%d@sha256:aa%062x", strings.Repeat("a", 900), n, n)
	}
	const images = 1250
	record := func(from, to int) {
		l.Verdicts = verdictcache.New()
		for n := from; n < to; n++ {
			l.Verdicts.Record(fmt.Sprint(n), verdictcache.Verdict{Entry: entry(n), Scope: "registry.example.com"})
		}
	}
	record(0, images)
	l.settle()
	if !l.admits(entry(0)) || l.admits(entry(images-1)) {
		t.Fatalf("of %d images of one bucket the first is listed: %v, and the last: %v", images, l.admits(entry(0)), l.admits(entry(images-1)))
	}
	record(1, images)
	l.settle()
	if l.admits(entry(0)) {
		t.Error("an image that is no longer verified stays on a full allowlist")
	}
	if !l.admits(entry(1)) {
		t.Error("an image that stays verified left a full allowlist")
	}
}

// Epochs are withdrawn once their shards have others, so that a frozen copy counts no more.
func TestEpochsAreWithdrawn(t *testing.T) {
	l := newWriter(t)
	epochs := l.epochs
	l.vouch(3, 60)
	l.settle()
	first := epochs()
	l.vouch(4, 80)
	l.settle()
	if added := epochs(); !slices.Equal(first, added) || !l.admits(l.entry(3, 4, 80)) {
		t.Errorf("epochs %v after an addition, want %v as before", added, first)
	}
	l.vouch(2, 40)
	l.settle()
	if removed := epochs(); len(removed) != 1 || slices.Equal(first, removed) {
		t.Errorf("epochs %v after a removal, want a new one in the place of %v", removed, first)
	}
	// A stream of additions, each of which is a write, does not keep an old epoch alive.
	before := epochs()
	l.vouch(1, 20)
	for n := range 8 {
		l.Verdicts.Record(fmt.Sprint("added-", n), verdictcache.Verdict{Entry: l.entry(n+10, 1, 20), Scope: "a"})
		writes := l.shardWrites
		for l.shardWrites == writes {
			if err := l.run(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if after := epochs(); len(after) != 1 || slices.Contains(after, before[0]) {
		t.Errorf("epochs %v after a stream of additions, want one that is not %v", after, before)
	}
	l.settle()
	// The fence is restored after somebody widened or removed it.
	if err := testClient.Delete(l.ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: l.name, Name: controller.FenceRole}}); err != nil {
		t.Fatal(err)
	}
	var role rbacv1.Role
	if err := testClient.Get(l.ctx, client.ObjectKey{Namespace: l.name, Name: controller.FenceRole}, &role); err != nil {
		t.Fatal(err)
	}
	role.Rules[0].ResourceNames = nil
	if err := testClient.Update(l.ctx, &role); err != nil {
		t.Fatal(err)
	}
	l.settle()
	var binding rbacv1.RoleBinding
	if err := testClient.Get(l.ctx, client.ObjectKey{Namespace: l.name, Name: controller.FenceRole}, &binding); err != nil {
		t.Error(err)
	}
	if restored := epochs(); len(restored) != 1 {
		t.Errorf("epochs %v after somebody widened the fence, want one", restored)
	}
}
