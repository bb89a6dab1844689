// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package summary

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/importstatus"
)

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func policy(name, ready string, keys ...assayv1alpha1.KeyStatus) assayv1alpha1.TrustPolicy {
	p := assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	p.Spec.Enforcement, p.Spec.Scopes = assayv1alpha1.EnforcementWarn, []assayv1alpha1.Scope{assayv1alpha1.Scope("registry.example.com/" + name)}
	p.Status.Keys, p.Status.KeySummary = keys, "1/2"
	p.Status.Images = &assayv1alpha1.ImageCounts{Verified: 1, Failed: 2, Unknown: 3}
	if ready != "" {
		p.Status.Conditions = []metav1.Condition{{Type: assayv1alpha1.ReadyCondition, Status: metav1.ConditionStatus(ready), Reason: "R", Message: "m"}}
	}
	return p
}

func key(name string, expires time.Duration, reason string) assayv1alpha1.KeyStatus {
	k := assayv1alpha1.KeyStatus{
		Name: assayv1alpha1.EntryName(name), Fingerprint: assayv1alpha1.Fingerprint("F" + name),
		Usable: reason == "" || reason == assayv1alpha1.ReasonRevocationLost || reason == assayv1alpha1.ReasonKeyDataSkipped, Reason: reason,
	}
	if expires != 0 {
		at := metav1.NewTime(now.Add(expires))
		k.Expires = &at
	}
	return k
}

func TestSummarize(t *testing.T) {
	images := []Image{
		{Name: "b", Verified: "False", Reason: "KeyRevoked"},
		{Name: "a", Verified: "False", Reason: "UntrustedKey"},
		{Name: "d", Verified: "True", Reason: "Verified"},
		{Name: "c", Verified: "False", Reason: "KeyRevoked"},
		{Name: "e", Verified: "Unknown", Reason: "NoTrustPolicy"},
		{Name: "f"},
		{Name: "g", Verified: "True", Reason: "Verified"},
	}
	const day = 24 * time.Hour
	policies := []assayv1alpha1.TrustPolicy{
		policy("z", "", key("never", 0, ""), key("far", 31*day, ""), key("soon", 30*day, ""), key("lost", 0, "RevocationLost"), key("part", 0, "KeyDataSkipped")),
		policy("y", "False", key("gone", -day, "KeyExpired"), key("broken", 0, "SourceNotFound")),
	}
	near, far := metav1.NewTime(now.Add(20*day)), metav1.NewTime(now.Add(40*day))
	policies[0].Status.Signers = []assayv1alpha1.SignerStatus{
		{Name: "near", Usable: true, Expires: &near}, {Name: "later", Usable: true, Expires: &far}, {Name: "good", Usable: true},
		{Name: "rootless", Reason: "RootsUnavailable", Message: "m"},
	}
	want := Status{
		Images: ImageCounts{Total: 7, Verified: 2, Refused: 3, Unknown: 1, Pending: 1},
		Reasons: []ReasonCount{
			{"False", "KeyRevoked", 2}, {"False", "UntrustedKey", 1}, {"Unknown", "NoTrustPolicy", 1}, {"True", "Verified", 2},
		},
		Policies: []Policy{
			{Name: "y", Scopes: []string{"registry.example.com/y"}, Enforcement: "Warn", Ready: "False", Reason: "R", Message: "m", Keys: "1/2", Images: policies[1].Status.Images},
			{Name: "z", Scopes: []string{"registry.example.com/z"}, Enforcement: "Warn", Keys: "1/2", Images: policies[0].Status.Images},
		},
		Keys: []Key{
			{Policy: "y", Name: "gone", Fingerprint: "Fgone", Expires: policies[1].Status.Keys[0].Expires, Reason: "KeyExpired"},
			{Policy: "z", Name: "near", Expires: &near},
			{Policy: "z", Name: "soon", Fingerprint: "Fsoon", Expires: policies[0].Status.Keys[2].Expires},
			{Policy: "y", Name: "broken", Fingerprint: "Fbroken", Reason: "SourceNotFound"},
			{Policy: "z", Name: "lost", Fingerprint: "Flost", Reason: "RevocationLost"},
			{Policy: "z", Name: "part", Fingerprint: "Fpart", Reason: "KeyDataSkipped"},
			{Policy: "z", Name: "rootless", Reason: "RootsUnavailable", Message: "m"},
		},
		Unverified: []Image{images[1], images[0]},
		Omitted:    3,
		APIServers: []APIServer{},
	}
	options := Options{Now: now, ExpiringWithin: 30 * day, Limit: 2}
	if diff := cmp.Diff(want, Summarize(images, policies, options)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	slices.Reverse(images)
	slices.Reverse(policies)
	if diff := cmp.Diff(want, Summarize(images, policies, options)); diff != "" {
		t.Errorf("the order counts (-want +got):\n%s", diff)
	}
}

// Lists are empty, not absent, for programs that iterate over them.
func TestSummarizeNothing(t *testing.T) {
	want := Status{Reasons: []ReasonCount{}, Policies: []Policy{}, Keys: []Key{}, Unverified: []Image{}, APIServers: []APIServer{}}
	if diff := cmp.Diff(want, Summarize(nil, nil, Options{Now: now})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRows(t *testing.T) {
	definitions := []metav1.TableColumnDefinition{{Name: "Name"}, {Name: "Reference"}, {Name: "Verified"}, {Name: "Reason"}, {Name: "Age"}, {Name: "Message"}}
	columns, err := findColumns(definitions)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cells []any
		want  Image
		fails bool
	}{
		"evaluated":           {cells: []any{"a", "r", "True", "Verified", "3d", "m"}, want: Image{"a", "r", "True", "Verified", "m"}},
		"not evaluated yet":   {cells: []any{"a", "r", nil, nil, "3d", nil}, want: Image{Name: "a", Reference: "r"}},
		"cells are missing":   {cells: []any{"a"}, want: Image{Name: "a"}},
		"cells are no text":   {cells: []any{"a", 1, 2.5, true, nil, []any{}}, want: Image{Name: "a"}},
		"nothing":             {fails: true},
		"the name is no text": {cells: []any{7}, fails: true},
	} {
		got, err := columns.image(&metav1.TableRow{Cells: c.cells})
		if (err != nil) != c.fails || !c.fails && got != c.want {
			t.Errorf("%s: got %+v, error %v", name, got, err)
		}
	}
	if _, err := findColumns(definitions[:5]); err == nil {
		t.Error("a table without a message is taken")
	}
}

func TestApply(t *testing.T) {
	columns := columns{name: 0, reference: 1, verified: 2, reason: 3, message: 4}
	table := func(cells ...any) *metav1.Table { return &metav1.Table{Rows: []metav1.TableRow{{Cells: cells}}} }
	c := newCluster()
	trust := policy("p", "True")
	for _, step := range []struct {
		name             string
		event            watch.Event
		changes          bool
		images, policies int
	}{
		{"a new image", watch.Event{Type: watch.Added, Object: table("a", "r")}, true, 1, 0},
		{"a verdict", watch.Event{Type: watch.Modified, Object: table("a", "r", "True", "Verified", "m")}, true, 1, 0},
		{"a probe", watch.Event{Type: watch.Modified, Object: table("a", "r", "True", "Verified", "m")}, false, 1, 0},
		{"a bookmark", watch.Event{Type: watch.Bookmark, Object: &metav1.Table{}}, false, 1, 0},
		{"a policy", watch.Event{Type: watch.Added, Object: &trust}, true, 1, 1},
		{"no policy", watch.Event{Type: watch.Deleted, Object: &trust}, true, 1, 0},
		{"no image", watch.Event{Type: watch.Deleted, Object: table("a", "r", "True", "Verified", "m")}, true, 0, 0},
	} {
		changed, err := c.apply(step.event, columns)
		if err != nil || changed != step.changes || len(c.images) != step.images || len(c.policies) != step.policies {
			t.Errorf("%s: changed %v, error %v, %d images, %d policies", step.name, changed, err, len(c.images), len(c.policies))
		}
	}
	if _, err := c.apply(watch.Event{Type: watch.Added, Object: &metav1.Status{}}, columns); err == nil {
		t.Error("something else is taken")
	}
	if _, err := c.apply(watch.Event{Type: watch.Added, Object: table(nil)}, columns); err == nil {
		t.Error("a row without a name is taken")
	}
}

// TestClusterOfImports checks that what is stored of imports is shown while it is there, and that
// what cannot be read is explained.
func TestClusterOfImports(t *testing.T) {
	c := newCluster()
	config := assayv1alpha1.RegistryConfig{ObjectMeta: metav1.ObjectMeta{Name: "team"}}
	config.Spec.Scopes = []assayv1alpha1.RegistryScope{"registry.example.com/team"}
	config.Spec.Mirrors, config.Spec.Lookaside = []assayv1alpha1.MirrorPrefix{"mirror.example.com"}, "https://signatures.example.com"
	config.Status.Images = &assayv1alpha1.ImportCounts{Imported: 1}
	config.Status.Conditions = []metav1.Condition{{Type: assayv1alpha1.ReadyCondition, Status: "False", Reason: "Unauthorized", Message: "m"}}
	stored := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: importstatus.Name}}
	hosts := []importstatus.Host{{Host: "down.example.com", Reason: "Unavailable", Since: metav1.NewTime(now.Local())}}
	var err error
	if stored.Data, err = importstatus.Encode(&importstatus.Status{Hosts: hosts}); err != nil {
		t.Fatal(err)
	}
	broken := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: importstatus.Name}}
	registries := []RegistryConfig{{
		Name: "team", Scopes: []string{"registry.example.com/team"}, Lookaside: "https://signatures.example.com", Mirrors: []string{"mirror.example.com"},
		Ready: "False", Reason: "Unauthorized", Message: "m", Images: &assayv1alpha1.ImportCounts{Imported: 1},
	}}
	type shown struct {
		Registries []RegistryConfig
		Hosts      []importstatus.Host
		Note       string
	}
	for _, step := range []struct {
		name  string
		event watch.Event
		want  shown
	}{
		{"a configuration", watch.Event{Type: watch.Added, Object: &config}, shown{registries, []importstatus.Host{}, ""}},
		{"a state", watch.Event{Type: watch.Added, Object: stored}, shown{registries, hosts, ""}},
		{"nonsense", watch.Event{Type: watch.Modified, Object: broken}, shown{registries, []importstatus.Host{}, `ConfigMap assay-import has no entry "import"`}},
		{"no state", watch.Event{Type: watch.Deleted, Object: broken}, shown{registries, []importstatus.Host{}, ""}},
		{"no configuration", watch.Event{Type: watch.Deleted, Object: &config}, shown{[]RegistryConfig{}, []importstatus.Host{}, ""}},
	} {
		if changed, err := c.apply(step.event, columns{}); err != nil || !changed {
			t.Errorf("%s: changed %v, error %v", step.name, changed, err)
		}
		s := c.Summarize(Options{Now: now})
		if diff := cmp.Diff(step.want, shown{s.RegistryConfigs, s.Import.Hosts, s.ImportNote}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

// TestMovedTags checks that a tag that has moved is shown with the verdict on its new image, and no
// more once that is verified.
func TestMovedTags(t *testing.T) {
	c := newCluster()
	moved := func(name string) importstatus.MovedTag {
		return importstatus.MovedTag{Image: "registry.example.com/" + name + ":v1", Digest: "sha256:2", Name: name, Previous: "sha256:1"}
	}
	c.imports = &importstatus.Status{Discovery: &importstatus.Discovery{
		Moved: []importstatus.MovedTag{moved("new"), moved("refused"), moved("verified")}, OmittedMoved: 2,
	}}
	c.images["refused"] = Image{Name: "refused", Verified: "False", Reason: "NoSignatures"}
	c.images["verified"] = Image{Name: "verified", Verified: "True", Reason: "Verified"}
	s := c.Summarize(Options{Now: now})
	want := []MovedTag{{MovedTag: moved("new")}, {MovedTag: moved("refused"), Verified: "False", Reason: "NoSignatures"}}
	if diff := cmp.Diff(want, s.MovedTags); diff != "" || s.OmittedMovedTags != 2 {
		t.Errorf("%d omitted (-want +got):\n%s", s.OmittedMovedTags, diff)
	}
	c.imports = nil
	if s := c.Summarize(Options{Now: now}); s.MovedTags == nil || len(s.MovedTags) != 0 {
		t.Errorf("without a report: %#v", s.MovedTags)
	}
}
