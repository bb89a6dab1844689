// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/test/admission/shards"
)

// signature returns a signature without a verdict.
func signature(name string) imagev1.ImageSignature {
	s := imagev1.ImageSignature{Type: "atomic", Content: []byte("content of " + name)}
	s.Name = name
	return s
}

// withVerdict returns the signature with a verdict.
func withVerdict(s imagev1.ImageSignature) imagev1.ImageSignature {
	now := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	s.Conditions = []imagev1.SignatureCondition{
		{Type: "Complete", Status: "True", LastProbeTime: now, LastTransitionTime: now, Reason: "Verified"},
		{Type: "Failed", Status: "False", LastProbeTime: now, LastTransitionTime: now, Reason: "Verified"},
	}
	s.ImageIdentity = "registry.example.com/app:v1"
	s.SignedClaims = map[string]string{"optional.creator": "somebody"}
	s.Created = &now
	s.IssuedBy = &imagev1.SignatureIssuer{SignatureGenericEntity: imagev1.SignatureGenericEntity{CommonName: "Release"}}
	s.IssuedTo = &imagev1.SignatureSubject{SignatureGenericEntity: imagev1.SignatureGenericEntity{CommonName: "Release"}, PublicKeyID: "0x0123456789abcdef"}
	return s
}

const (
	aboutVerdict  = "takes the permission to update images/verdict"
	aboutContent  = "has other content or another type than before"
	aboutManifest = "dockerImageManifest is what the image is"
	aboutShards   = "takes the permission to update allowlists.assay.dev"
)

// edits change an Image with signatures one and two, which have a verdict, and signature three, which has none.
var edits = map[string]struct {
	edit func(*imagev1.Image)
	// refusal is what the editor is told; the manager is told nothing, unless refusalForAll.
	refusal string
	forAll  bool
}{
	"label":                          {func(i *imagev1.Image) { i.Labels = map[string]string{"a": "b"} }, "", false},
	"add a signature":                {func(i *imagev1.Image) { i.Signatures = append(i.Signatures, signature("four")) }, "", false},
	"add two without names":          {func(i *imagev1.Image) { i.Signatures = append(i.Signatures, signature(""), signature("")) }, "", false},
	"add one in front":               {func(i *imagev1.Image) { i.Signatures = slices.Insert(i.Signatures, 0, signature("zero")) }, "", false},
	"remove a signature":             {func(i *imagev1.Image) { i.Signatures = i.Signatures[1:] }, "", false},
	"remove all":                     {func(i *imagev1.Image) { i.Signatures = nil }, "", false},
	"reorder":                        {func(i *imagev1.Image) { slices.Reverse(i.Signatures) }, "", false},
	"drop conditions":                {func(i *imagev1.Image) { i.Signatures[0].Conditions = nil }, "", false},
	"drop the whole verdict":         {func(i *imagev1.Image) { i.Signatures[0] = signature("one") }, "", false},
	"constrain the key":              {func(i *imagev1.Image) { i.Signatures[2].IssuedTo = &imagev1.SignatureSubject{PublicKeyID: "0x01"} }, "", false},
	"empty fields of a typed client": {func(i *imagev1.Image) { i.Signatures[2].IssuedBy = &imagev1.SignatureIssuer{} }, "", false},
	"ask for no key":                 {func(i *imagev1.Image) { i.Signatures[0].IssuedTo.PublicKeyID = "" }, "", false},
	"ask for another key, no verdict": {func(i *imagev1.Image) {
		i.Signatures[0] = signature("one")
		i.Signatures[0].IssuedTo = &imagev1.SignatureSubject{PublicKeyID: "0x01"}
	}, "", false},
	"replace, with another name":   {func(i *imagev1.Image) { i.Signatures[0] = signature("other") }, "", false},
	"duplicate, without a verdict": {func(i *imagev1.Image) { i.Signatures = append(i.Signatures, signature("one")) }, "", false},
	"set the first manifest media": {func(i *imagev1.Image) { i.DockerImageManifestMediaType = "a/b" }, "", false},

	"forge conditions":        {func(i *imagev1.Image) { i.Signatures[2].Conditions = i.Signatures[0].Conditions }, aboutVerdict, false},
	"forge a reason":          {func(i *imagev1.Image) { i.Signatures[0].Conditions[0].Reason = "Forged" }, aboutVerdict, false},
	"forge a status":          {func(i *imagev1.Image) { i.Signatures[0].Conditions[1].Status = "True" }, aboutVerdict, false},
	"drop one condition":      {func(i *imagev1.Image) { i.Signatures[0].Conditions = i.Signatures[0].Conditions[:1] }, aboutVerdict, false},
	"forge an identity":       {func(i *imagev1.Image) { i.Signatures[0].ImageIdentity = "evil.example.com/app:v1" }, aboutVerdict, false},
	"forge claims":            {func(i *imagev1.Image) { i.Signatures[2].SignedClaims = map[string]string{"a": "b"} }, aboutVerdict, false},
	"forge a time":            {func(i *imagev1.Image) { i.Signatures[2].Created = i.Signatures[0].Created }, aboutVerdict, false},
	"forge an issuer":         {func(i *imagev1.Image) { i.Signatures[2].IssuedBy = i.Signatures[0].IssuedBy }, aboutVerdict, false},
	"forge an issuer's group": {func(i *imagev1.Image) { i.Signatures[0].IssuedBy.Organization = "Forged" }, aboutVerdict, false},
	"forge a subject":         {func(i *imagev1.Image) { i.Signatures[0].IssuedTo.CommonName = "Forged" }, aboutVerdict, false},
	"ask for another key":     {func(i *imagev1.Image) { i.Signatures[0].IssuedTo.PublicKeyID = "0x01" }, aboutVerdict, false},
	"add with a verdict":      {func(i *imagev1.Image) { i.Signatures = append(i.Signatures, withVerdict(signature("four"))) }, aboutVerdict, false},
	"rename with the verdict": {func(i *imagev1.Image) { i.Signatures[0].Name = "renamed" }, aboutVerdict, false},
	"unname with the verdict": {func(i *imagev1.Image) { i.Signatures[0].Name = "" }, aboutVerdict, false},
	"swap verdicts": {func(i *imagev1.Image) {
		i.Signatures[2].Content, i.Signatures[0].Content = i.Signatures[0].Content, i.Signatures[2].Content
	}, aboutVerdict, true},
	"duplicate, other verdict": {func(i *imagev1.Image) {
		s := withVerdict(signature("one"))
		s.ImageIdentity = "evil"
		i.Signatures = append(i.Signatures, s)
	}, aboutVerdict, false},

	"change content": {func(i *imagev1.Image) { i.Signatures[2].Content = []byte("other") }, aboutContent, true},
	"change type":    {func(i *imagev1.Image) { i.Signatures[2].Type = "AtomicImageV1" }, aboutContent, true},
	"duplicate, other content": {func(i *imagev1.Image) {
		s := signature("one")
		s.Content = []byte("other")
		i.Signatures = append(i.Signatures, s)
	}, aboutContent, true},
	"replace the manifest":      {func(i *imagev1.Image) { i.DockerImageManifest = `{"schemaVersion": 2}` }, aboutManifest, true},
	"remove the manifest":       {func(i *imagev1.Image) { i.DockerImageManifest = "" }, aboutManifest, true},
	"manifest and a signature":  {func(i *imagev1.Image) { i.DockerImageManifest = "{}"; i.Signatures = nil }, aboutManifest, true},
	"manifest in other spacing": {func(i *imagev1.Image) { i.DockerImageManifest += " " }, aboutManifest, true},
}

func TestImageEdits(t *testing.T) {
	image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: "edited"}, DockerImageManifest: `{"schemaVersion":2}`}
	image.Signatures = []imagev1.ImageSignature{withVerdict(signature("one")), withVerdict(signature("two")), signature("three")}
	if err := admin.Create(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	for name, tc := range edits {
		for verb, write := range writes {
			t.Run(verb+": "+name, func(t *testing.T) {
				changed := image.DeepCopy()
				tc.edit(changed)
				wantError(t, write(t, editor, changed), tc.refusal)
				if verb != "merge patch" { // the only verb that RBAC gives the manager
					return
				}
				if want := ""; !tc.forAll {
					wantError(t, write(t, operator, changed), want)
				} else if err := write(t, operator, changed); err == nil {
					t.Errorf("the manager was not refused, want %q", tc.refusal)
				}
			})
		}
	}
}

// writes are the ways to write an Image; none of them stores it.
var writes = map[string]func(*testing.T, *user, *imagev1.Image) error{
	"update": func(t *testing.T, u *user, image *imagev1.Image) error {
		return u.Update(t.Context(), image.DeepCopy(), client.DryRunAll)
	},
	"merge patch": func(t *testing.T, u *user, image *imagev1.Image) error {
		return u.Patch(t.Context(), image.DeepCopy(), client.RawPatch(types.MergePatchType, patchOf(t, image)), client.DryRunAll)
	},
	"apply": func(t *testing.T, u *user, image *imagev1.Image) error {
		return u.Patch(t.Context(), image.DeepCopy(), client.RawPatch(types.ApplyPatchType, patchOf(t, image)), client.DryRunAll,
			client.FieldOwner("editor"), client.ForceOwnership)
	},
}

// patchOf returns what differs from an Image with nothing, where nothing is stated as null.
func patchOf(t *testing.T, image *imagev1.Image) []byte {
	t.Helper()
	signatures := image.Signatures
	if signatures == nil {
		signatures = []imagev1.ImageSignature{} // nothing is said about null
	}
	patch := map[string]any{
		"apiVersion": "image.openshift.io/v1", "kind": "Image", "metadata": map[string]any{"name": image.Name, "labels": image.Labels},
		"signatures": signatures, "dockerImageManifest": image.DockerImageManifest, "dockerImageManifestMediaType": image.DockerImageManifestMediaType,
	}
	data, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestImageCreate(t *testing.T) {
	tests := map[string]struct {
		signatures []imagev1.ImageSignature
		refusal    string
	}{
		"none":             {nil, ""},
		"without verdicts": {[]imagev1.ImageSignature{signature("a"), signature("b")}, ""},
		"forged":           {[]imagev1.ImageSignature{signature("a"), withVerdict(signature("b"))}, "signature b: "},
		"forged, no name":  {[]imagev1.ImageSignature{withVerdict(signature(""))}, aboutVerdict},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{GenerateName: "created-"}, Signatures: tc.signatures}
			wantError(t, create(t.Context(), image), tc.refusal)
		})
	}
}

// TestImageStatus writes the status by the subresource; through the Image itself the API server ignores it.
func TestImageStatus(t *testing.T) {
	image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: "with-status"}}
	if err := admin.Create(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	forge := client.RawPatch(types.MergePatchType, []byte(`{"status":{"conditions":[{"type":"Verified","status":"True","reason":"Verified",
		"message":"","lastTransitionTime":"2026-01-02T03:04:05Z"}]}}`))
	wantError(t, editor.Status().Patch(t.Context(), image.DeepCopy(), forge), "the status of an Image is what Assay found; it "+aboutVerdict)
	wantError(t, editor.Status().Update(t.Context(), image.DeepCopy()), "the status of an Image is what Assay found")
	wantError(t, operator.Status().Patch(t.Context(), image.DeepCopy(), forge), "")
	through := image.DeepCopy()
	if err := editor.Patch(t.Context(), through, client.RawPatch(types.MergePatchType, []byte(`{"status":null}`))); err != nil {
		t.Error(err)
	}
	if len(through.Status.Conditions) != 1 {
		t.Error("the editor changed the status through the Image")
	}
}

// TestManySignatures checks that the largest Image that the API takes can be written: its signatures reversed, so that
// each has to be looked for, with names as long as the operator sees them.
func TestManySignatures(t *testing.T) {
	image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: "many"}}
	for n := range 128 {
		s := signature(fmt.Sprintf("sha256-%s@%064x", strings.Repeat("0", 64), n))
		s.Content = []byte(strings.Repeat("x", 4000) + s.Name)
		image.Signatures = append(image.Signatures, withVerdict(s))
	}
	if err := admin.Create(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	reversed := image.DeepCopy()
	slices.Reverse(reversed.Signatures)
	wantError(t, writes["update"](t, editor, reversed), "")
	for i := range reversed.Signatures {
		reversed.Signatures[i].ImageIdentity = "forged.example.com/app:v1"
	}
	wantError(t, writes["update"](t, editor, reversed), aboutVerdict)
	wantError(t, writes["merge patch"](t, operator, reversed), "")
}

// TestSignaturesOfOneName verifies that the operator can write its verdicts on as many signatures as the API takes that
// somebody has given one name, and that nobody else can.
func TestSignaturesOfOneName(t *testing.T) {
	image := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: "one-name"}}
	for n := range 128 {
		s := signature("one")
		s.Content = fmt.Appendf(nil, "%s%04d", strings.Repeat("x", 8000), n)
		image.Signatures = append(image.Signatures, s)
	}
	if err := admin.Create(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	for i := range image.Signatures {
		content := image.Signatures[i].Content
		image.Signatures[i] = withVerdict(image.Signatures[i])
		image.Signatures[i].Content = content
	}
	wantError(t, writes["merge patch"](t, operator, image), "")
	wantError(t, writes["merge patch"](t, editor, image), "image-integrity")
	image.Signatures[127].Content = []byte("other")
	wantError(t, writes["merge patch"](t, operator, image), aboutContent)
}

// TestShards writes what admission reads, as the editor, who may write ConfigMaps, and as somebody with the permission.
func TestShards(t *testing.T) {
	writeAllowlist(t, state(), 1)
	stored := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: operatorNamespace, Name: "assay-allowlist-1-0"}
	if err := admin.Get(t.Context(), key, stored); err != nil {
		t.Fatal(err)
	}
	writer := grantAllowlist(t)
	attempts := map[string]func(context.Context, *user) error{
		"create": func(ctx context.Context, u *user) error {
			return u.Create(ctx, shards.Encode(t, state(), operatorNamespace, 2)[1], client.DryRunAll)
		},
		"create without the label": func(ctx context.Context, u *user) error {
			bare := shards.Encode(t, state(), operatorNamespace, 2)[1]
			bare.Labels = nil
			return u.Create(ctx, bare, client.DryRunAll)
		},
		"update": func(ctx context.Context, u *user) error {
			forged := stored.DeepCopy()
			forged.Data["1b"] += enforced + "/app@" + unverified + "\n"
			return u.Update(ctx, forged, client.DryRunAll)
		},
		"take the label away": func(ctx context.Context, u *user) error {
			forged := stored.DeepCopy()
			forged.Labels = nil
			return u.Update(ctx, forged, client.DryRunAll)
		},
		"delete": func(ctx context.Context, u *user) error { return u.Delete(ctx, stored.DeepCopy(), client.DryRunAll) },
		"delete all": func(ctx context.Context, u *user) error {
			return u.DeleteAllOf(ctx, &corev1.ConfigMap{}, client.InNamespace(operatorNamespace), client.DryRunAll)
		},
	}
	for name, attempt := range attempts {
		t.Run(name, func(t *testing.T) {
			wantError(t, attempt(t.Context(), editor), aboutShards)
			wantError(t, attempt(t.Context(), writer), "")
		})
	}
	other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "keys-", Namespace: operatorNamespace}}
	wantError(t, create(t.Context(), other), "")
	other.Namespace, other.Labels = "default", stored.Labels
	wantError(t, create(t.Context(), other), "")
}

// grantAllowlist returns a user that is an editor with the permission that the operator has in its namespace.
func grantAllowlist(t *testing.T) *user {
	t.Helper()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "writer", Namespace: operatorNamespace},
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{"assay.dev"}, Resources: []string{"allowlists"}, Verbs: []string{"update"}}}}
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "writer"}}
	binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "writer", Namespace: operatorNamespace}, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "writer"}}
	edit := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "writer"}, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-editor"}}
	for _, object := range []client.Object{role, binding, edit} {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	config, err := cp.ConfigForUser("writer")
	if err != nil {
		t.Fatal(err)
	}
	u, err := newUser(config)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the permission", func() bool {
		return u.Create(t.Context(), shards.Encode(t, state(), operatorNamespace, 2)[1], client.DryRunAll) == nil
	})
	return u
}
