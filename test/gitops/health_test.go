// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"context"
	"os"
	"testing"

	lua "github.com/yuin/gopher-lua"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/testenv/fixture"
)

const healthKey = "resource.customizations.health."

// healthScripts returns the scripts of the sample by the key of Argo CD's settings.
func healthScripts(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile("../../config/samples-argo-cd/argocd-cm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	settings := &corev1.ConfigMap{}
	if err := yaml.UnmarshalStrict(data, settings); err != nil {
		t.Fatal(err)
	}
	return settings.Data
}

// health runs a script as Argo CD does: in Lua 5.1, with base, table, string and no more, and the
// object as the global obj.
func health(t *testing.T, script string, object map[string]any) (status, message string) {
	t.Helper()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable, lua.StringLibName: lua.OpenString,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			t.Fatal(err)
		}
	}
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		t.Fatal(err)
	}
	result, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script returns %s", state.Get(-1))
	}
	return result.RawGetString("status").String(), result.RawGetString("message").String()
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, member := range value {
			table.RawSetString(key, toLua(state, member))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, element := range value {
			table.Append(toLua(state, element))
		}
		return table
	case string:
		return lua.LString(value)
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	}
	return lua.LNil
}

// TestHealth runs the scripts on what the operator writes.
func TestHealth(t *testing.T) {
	scripts := healthScripts(t)
	s := newScenario(t)
	image := s.manifest()
	want := func(gvk schema.GroupVersionKind, name, status, message string) {
		t.Helper()
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(gvk)
		fixture.Eventually(t, name+" "+status, func(ctx context.Context) (bool, string) {
			if err := admin.Get(ctx, client.ObjectKey{Name: name}, object); err != nil {
				return false, err.Error()
			}
			gotStatus, gotMessage := health(t, scripts[healthKey+gvk.Group+"_"+gvk.Kind], object.Object)
			return gotStatus == status && len(gotMessage) > len(message) && gotMessage[:len(message)] == message, gotStatus + ": " + gotMessage
		})
	}
	imageKind, policyKind := imagev1.GroupVersion.WithKind("Image"), assayv1alpha1.GroupVersion.WithKind("TrustPolicy")
	registryKind := assayv1alpha1.GroupVersion.WithKind("RegistryConfig")
	create := func(object client.Object) {
		t.Helper()
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	create(image)
	want(imageKind, s.name, "Healthy", "Verified: ")
	want(policyKind, s.name, "Healthy", "")
	s.revoke(true)
	want(imageKind, s.name, "Degraded", "KeyRevoked: ")

	elsewhere := &imagev1.Image{ObjectMeta: metav1.ObjectMeta{Name: s.name + "-elsewhere"}}
	create(elsewhere)
	want(imageKind, elsewhere.Name, "Progressing", "NoTrustPolicy: ")

	broken := &assayv1alpha1.TrustPolicy{ObjectMeta: metav1.ObjectMeta{Name: s.name + "-broken"}, Spec: assayv1alpha1.TrustPolicySpec{
		Scopes: []assayv1alpha1.Scope{"broken.example.com"},
		Keys:   []assayv1alpha1.TrustedKey{{Name: "none", Inline: "no key"}},
	}}
	create(broken)
	want(policyKind, broken.Name, "Degraded", "NoUsableKeys: ")

	registry := &assayv1alpha1.RegistryConfig{ObjectMeta: metav1.ObjectMeta{Name: s.name}, Spec: assayv1alpha1.RegistryConfigSpec{
		Scopes: []assayv1alpha1.RegistryScope{"registry.example.com"},
	}}
	create(registry)
	want(registryKind, registry.Name, "Healthy", "NotContacted: ")

	if status, _ := health(t, scripts[healthKey+"image.openshift.io_Image"], map[string]any{"metadata": map[string]any{}}); status != "Progressing" {
		t.Errorf("an Image without a status is %s", status)
	}
}
