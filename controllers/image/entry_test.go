// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/trust"
	"github.com/assay-project/assay/internal/verify"
)

// policies is a reader of TrustPolicies.
type policies []assayv1alpha1.TrustPolicy

func (p policies) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return fmt.Errorf("there are only TrustPolicies")
}

func (p policies) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*assayv1alpha1.TrustPolicyList).Items = p
	return nil
}

// spellings are some of the ways to write each of a few hosts.
var spellings = [][]string{
	{"docker.io", "Docker.io", "INDEX.docker.io", "registry-1.docker.io:0443", "registry.hub.docker.com", "docker.io:80"},
	{"a.example.com", "A.example.com", "a.example.com:443", "a.Example.com:00443"},
	{"a.example.com:80", "a.example.com:080"},
	{"a.example.com:5000", "a.example.COM:05000"},
	{"[2001:db8::1]", "[2001:DB8:0::1]", "[2001:db8::0:1]:443"},
	{"registry:443", "REGISTRY", "Registry:0443"},
}

var paths = []string{"busybox", "library/busybox", "team/app", "team/app/web"}

// TestEntry makes up Images in all spellings, and scopes. However an Image is spelt, the entry is the same, and the scope
// that a Pod with the entry's name is in is the one that the Image was verified by.
func TestEntry(t *testing.T) {
	const worlds = 3000
	r := rand.New(rand.NewPCG(3, 4))
	entries := 0
	for n := range worlds {
		hosts, path := spellings[r.IntN(len(spellings))], paths[r.IntN(len(paths))]
		suffix := [...]string{"", ":v1", ":v1@" + digest.FromString("another").String()}[r.IntN(3)]
		snapshot := snapshotOf(t, r, hosts[0]+"/"+path+suffix)
		manifest := digest.FromString(fmt.Sprint(n))
		var first, firstScope string
		for i, host := range hosts {
			entry, scope := verified(t, snapshot, host+"/"+path+suffix, manifest).entry()
			if i == 0 {
				first, firstScope = entry, scope
			}
			if entry != first || scope != firstScope {
				t.Errorf("%s/%s%s is listed as %q for scope %q, and the same image under %s as %q for scope %q",
					host, path, suffix, entry, scope, hosts[0], first, firstScope)
			}
		}
		if first != "" {
			entries++
			checkEntry(t, snapshot, first, firstScope)
		}
	}
	if entries < worlds/4 {
		t.Errorf("%d of %d Images have an entry", entries, worlds)
	}
}

// checkEntry checks that an entry is in canonical form, and in the scope that it was verified by.
func checkEntry(t *testing.T, snapshot *trust.Snapshot, entry, scope string) {
	t.Helper()
	named, err := imageref.ParseImage(entry)
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := imageref.Canonical(named)
	if err != nil || canonical.String() != entry {
		t.Errorf("entry %s is %v in canonical form, %v", entry, canonical, err)
	}
	if got := snapshot.ScopeFor(named); got != scope {
		t.Errorf("entry %s is in scope %q, and was verified by %q", entry, got, scope)
	}
}

// snapshotOf returns policies for some of the scopes of an image and of its repository with the digest alone.
func snapshotOf(t *testing.T, r *rand.Rand, image string) *trust.Snapshot {
	t.Helper()
	named, err := imageref.ParseImage(image)
	if err != nil {
		t.Fatal(err)
	}
	scopes := append(imageref.ScopesOf(named), imageref.ScopesOf(reference.TrimNamed(named))...)
	var list policies
	for range 1 + r.IntN(3) {
		policy := assayv1alpha1.TrustPolicy{}
		policy.Name = fmt.Sprint("policy-", len(list))
		policy.Spec.Scopes = append(policy.Spec.Scopes, assayv1alpha1.Scope(scopes[r.IntN(len(scopes))]))
		list = append(list, policy)
	}
	snapshot, err := (&trust.Store{Client: list}).Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

// verified returns the evaluation of an Image that satisfies the policies that apply to it.
func verified(t *testing.T, snapshot *trust.Snapshot, image string, manifest digest.Digest) *Evaluation {
	t.Helper()
	named := verify.ParseReference(image).Named
	if named == nil {
		t.Fatal(image)
	}
	e := &Evaluation{Subject: Subject{Image: &imagev1.Image{DockerImageReference: image}, Trust: snapshot}}
	e.Verdict.Digest = manifest
	if scope := snapshot.ScopeFor(named); scope != "" {
		e.Verdict.Policies = []verify.PolicyVerdict{{Name: "policy-0", Scope: scope}}
	}
	return e
}

// TestEntryOfAnotherSpelling is the Image that was once listed as docker.io/busybox, where no scope but docker.io covered
// it, and so passed for docker.io/library/busybox.
func TestEntryOfAnotherSpelling(t *testing.T) {
	list := make(policies, 2)
	list[0].Name, list[0].Spec.Scopes = "hub", append(list[0].Spec.Scopes, "docker.io")
	list[1].Name, list[1].Spec.Scopes = "official", append(list[1].Spec.Scopes, "docker.io/library")
	snapshot, err := (&trust.Store{Client: list}).Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d := digest.FromString("busybox")
	entry, scope := verified(t, snapshot, "Docker.io/busybox@"+d.String(), d).entry()
	if entry != "docker.io/library/busybox@"+d.String() || scope != "docker.io/library" {
		t.Errorf("listed as %q for scope %q", entry, scope)
	}
}
