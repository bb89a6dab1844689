// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/fluxcd/pkg/ssa"
	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/discovery"
	"k8s.io/kube-openapi/pkg/util/proto"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/testenv/fixture"
)

// cycles is how often the verdict changes and everything is compared and applied again.
const cycles = 10

// atRest is how often in a row an Image is looked at and found as it was.
const atRest = 10

const (
	argoManager = "argocd-controller"
	fluxManager = "kustomize-controller"
)

// tools are how the tools apply a manifest, and whether they find that the Image differs from it.
var tools = map[string]func(*testing.T) tool{
	"Flux":                           newFlux,
	"Argo CD with ServerSideApply":   func(t *testing.T) tool { return newArgo(t, applyServerSide) },
	"Argo CD with client-side apply": func(t *testing.T) tool { return newArgo(t, applyClientSide) },
}

type tool struct {
	apply func(context.Context, *unstructured.Unstructured) error
	// difference returns what the tool reports; empty when the Image is in sync.
	difference func(context.Context, *unstructured.Unstructured) (string, error)
}

// TestInSync: a tool applies an Image from a repository again and again, while its key is revoked and
// trusted by turns. The tool finds no difference, and its applies change nothing.
func TestInSync(t *testing.T) {
	for name, newTool := range tools {
		t.Run(name, func(t *testing.T) {
			used := newTool(t)
			s := newScenario(t)
			object := s.manifest()
			if err := used.apply(t.Context(), object.DeepCopy()); err != nil {
				t.Fatal(err)
			}
			for cycle := range cycles {
				revoked := cycle%2 == 1
				s.revoke(revoked)
				stored := s.evaluated(revoked)
				for range 2 {
					s.wantInSync(used, object, stored, cycle)
				}
			}
		})
	}
}

func (s *scenario) wantInSync(used tool, object *unstructured.Unstructured, stored *imagev1.Image, cycle int) {
	s.Helper()
	difference, err := used.difference(s.Context(), object.DeepCopy())
	if err != nil || difference != "" {
		s.Fatalf("cycle %d: out of sync: %v %s", cycle, err, difference)
	}
	if err := used.apply(s.Context(), object.DeepCopy()); err != nil {
		s.Fatalf("cycle %d: %v", cycle, err)
	}
	now := &imagev1.Image{}
	if err := admin.Get(s.Context(), client.ObjectKeyFromObject(stored), now); err != nil {
		s.Fatal(err)
	}
	if now.ResourceVersion != stored.ResourceVersion || now.Generation != stored.Generation {
		s.Errorf("cycle %d: resource version %s, generation %d after the apply, and %s, %d before",
			cycle, now.ResourceVersion, now.Generation, stored.ResourceVersion, stored.Generation)
	}
}

// scenario is an Image with a policy and a key of its own.
type scenario struct {
	*testing.T
	name string
}

func newScenario(t *testing.T) *scenario {
	t.Helper()
	s := &scenario{t, "gitops-" + digest.FromString(t.Name()).Encoded()[:12]}
	policy := &assayv1alpha1.TrustPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: s.name},
		Spec: assayv1alpha1.TrustPolicySpec{
			Scopes: []assayv1alpha1.Scope{assayv1alpha1.Scope(s.repository())},
			Keys:   []assayv1alpha1.TrustedKey{{Name: "release", Inline: string(fixture.PublicKey(s.key()))}},
		},
	}
	if err := admin.Create(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scenario) repository() string { return "registry.example.com/" + s.name }

// manifest is the Image as a repository has it.
func (s *scenario) manifest() *unstructured.Unstructured {
	d := digest.FromString(s.name)
	signature := fixture.Signature(s.repository(), d, s.key())
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "image.openshift.io/v1", "kind": "Image",
		"metadata":             map[string]any{"name": s.name},
		"dockerImageReference": s.repository() + "@" + d.String(),
		"signatures": []any{map[string]any{
			"metadata": map[string]any{"name": s.name + "@release"},
			"type":     signature.Type, "content": base64.StdEncoding.EncodeToString(signature.Content),
		}},
	}}
}

func (s *scenario) key() *pgp.Key { return fixture.Key(s.name) }

// revoke lists the key among the revoked ones, or no longer.
func (s *scenario) revoke(revoked bool) {
	s.Helper()
	var keys []assayv1alpha1.RevokedKey
	if revoked {
		keys = []assayv1alpha1.RevokedKey{{Fingerprint: assayv1alpha1.Fingerprint(fmt.Sprintf("%X", s.key().Fingerprint()))}}
	}
	data, err := json.Marshal(map[string]any{"spec": map[string]any{"revokedKeys": keys}})
	if err != nil {
		s.Fatal(err)
	}
	policy := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: s.name}}
	if err := admin.Patch(s.Context(), policy, client.RawPatch(types.MergePatchType, data)); err != nil {
		s.Fatal(err)
	}
}

// evaluated returns the Image once its verdict is stored and nothing more is written.
func (s *scenario) evaluated(revoked bool) *imagev1.Image {
	s.Helper()
	want := assayv1alpha1.ReasonVerified
	if revoked {
		want = assayv1alpha1.ReasonKeyRevoked
	}
	image := &imagev1.Image{}
	last, unchanged := "", 0
	fixture.Eventually(s.T, want, func(ctx context.Context) (bool, string) {
		if err := admin.Get(ctx, client.ObjectKey{Name: s.name}, image); err != nil {
			return false, err.Error()
		}
		conditions := image.Signatures[0].Conditions
		isCurrent := image.Status.ObservedGeneration == image.Generation
		if unchanged++; image.ResourceVersion != last {
			last, unchanged = image.ResourceVersion, 0
		}
		isJudged := isCurrent && image.Status.Reason == want && len(conditions) > 0 && conditions[0].Reason == want
		return isJudged && unchanged >= atRest, image.Status.Reason
	})
	return image
}

// newFlux applies and compares as the kustomize-controller does.
func newFlux(*testing.T) tool {
	manager := ssa.NewResourceManager(admin, nil, ssa.Owner{Field: fluxManager, Group: "kustomize.toolkit.fluxcd.io"})
	return tool{
		apply: func(ctx context.Context, object *unstructured.Unstructured) error {
			_, err := manager.Apply(ctx, object, ssa.DefaultApplyOptions())
			return err
		},
		difference: func(ctx context.Context, object *unstructured.Unstructured) (string, error) {
			change, _, merged, err := manager.Diff(ctx, object, ssa.DefaultDiffOptions())
			if err != nil || change.Action == ssa.UnchangedAction {
				return "", err
			}
			return fmt.Sprint(change.Action, merged), nil
		},
	}
}

// applyServerSide applies as Argo CD does with the sync option ServerSideApply=true.
func applyServerSide(ctx context.Context, object *unstructured.Unstructured) error {
	return apply(ctx, object, client.FieldOwner(argoManager), client.ForceOwnership)
}

func apply(ctx context.Context, object *unstructured.Unstructured, opts ...client.PatchOption) error {
	data, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	return admin.Patch(ctx, object, client.RawPatch(types.ApplyPatchType, data), opts...)
}

// applyClientSide applies as kubectl apply does, which Argo CD runs by default: the last applied
// configuration is in an annotation, and lists of custom resources are replaced.
func applyClientSide(ctx context.Context, object *unstructured.Unstructured) error {
	last, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	object.SetAnnotations(map[string]string{corev1.LastAppliedConfigAnnotation: string(last)})
	err = admin.Create(ctx, object.DeepCopy(), client.FieldOwner(argoManager))
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	data, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	return admin.Patch(ctx, object, client.RawPatch(types.MergePatchType, data), client.FieldOwner(argoManager))
}

// newArgo compares as Argo CD does with the compare option ServerSideDiff=true.
func newArgo(t *testing.T, apply func(context.Context, *unstructured.Unstructured) error) tool {
	t.Helper()
	parser := schemaParser(t)
	return tool{apply: apply, difference: func(ctx context.Context, object *unstructured.Unstructured) (string, error) {
		live := &unstructured.Unstructured{}
		live.SetGroupVersionKind(object.GroupVersionKind())
		if err := admin.Get(ctx, client.ObjectKeyFromObject(object), live); err != nil {
			return "", err
		}
		result, err := diff.Diff(object, live, diff.WithServerSideDiff(true), diff.WithServerSideDryRunner(dryRunner{}),
			diff.WithManager(argoManager), diff.WithGVKParser(parser))
		if err != nil || !result.Modified {
			return "", err
		}
		return fmt.Sprintf("%s instead of %s", result.NormalizedLive, result.PredictedLive), nil
	}}
}

// dryRunner is Argo CD's dry run, which is one of kubectl.
type dryRunner struct{}

func (dryRunner) Run(ctx context.Context, object *unstructured.Unstructured, manager string) (string, error) {
	if err := apply(ctx, object, client.FieldOwner(manager), client.ForceOwnership, client.DryRunAll); err != nil {
		return "", err
	}
	data, err := object.MarshalJSON()
	return string(data), err
}

// schemaParser is what Argo CD reads managed fields with.
func schemaParser(t *testing.T) *managedfields.GvkParser {
	t.Helper()
	d, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	document, err := d.OpenAPISchema()
	if err != nil {
		t.Fatal(err)
	}
	models, err := proto.NewOpenAPIData(document)
	if err != nil {
		t.Fatal(err)
	}
	parser, err := managedfields.NewGVKParser(models, false)
	if err != nil {
		t.Fatal(err)
	}
	return parser
}
