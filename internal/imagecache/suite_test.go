// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagecache_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/testenv"
)

// The API server that all tests share, and a client of it that knows nothing but bytes.
var (
	testConfig *rest.Config
	rawClient  rest.Interface
)

const (
	pollInterval  = 20 * time.Millisecond
	settleTimeout = 30 * time.Second
)

func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{ControlPlane: true}, setupSuite)
}

func setupSuite(ctx context.Context, env *testenv.Env) (err error) {
	testConfig = env.ControlPlane.Config()
	config := rest.CopyConfig(testConfig)
	config.APIPath, config.GroupVersion = "/apis", &imagev1.GroupVersion
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	config.QPS = -1
	if rawClient, err = rest.RESTClientFor(config); err != nil {
		return err
	}
	return storeHostile(ctx)
}

// storeHostile stores the hostile Images as long as the schema still takes them, and then
// tightens it.
func storeHostile(ctx context.Context) error {
	if err := install(ctx, true); err != nil {
		return err
	}
	for name, h := range hostile {
		if err := create(ctx, name, h.members); err != nil {
			return err
		}
	}
	// Two that cannot be made by members alone.
	managed := `{"metadata":{"managedFields":[{"manager":"m","operation":"Apply","apiVersion":"image.openshift.io/v1",` +
		`"fieldsType":"FieldsV1","fieldsV1":` + nested(9994, "f:a", "{}") + `}]}}`
	// The API server takes so long for this that it gives up when it is busy.
	err := retry.OnError(wait.Backoff{Steps: 5, Duration: time.Second}, apierrors.IsTimeout, func() error {
		return patch(ctx, "deep-managed-fields", managed)
	})
	if err != nil {
		return err
	}
	if err := apply(ctx, "deep-by-apply", `"dockerImageMetadata":`+nested(9998, "a", "{}")); err != nil {
		return err
	}
	if err := install(ctx, false); err != nil {
		return err
	}
	// The schema is in force once a new object is refused.
	return wait.PollUntilContextTimeout(ctx, pollInterval, settleTimeout, true, func(ctx context.Context) (bool, error) {
		if create(ctx, "probe", `"signatures":[{"type":"","content":""}]`) != nil {
			return true, nil
		}
		return false, rawClient.Delete().Resource("images").Name("probe").Do(ctx).Error()
	})
}

// install installs the CRD of Images, with the schema loosened or as it is.
func install(ctx context.Context, loose bool) error {
	crd, err := testenv.ReadObject("../../config/crd/bases/image.openshift.io_images.yaml")
	if err != nil {
		return err
	}
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	if err != nil {
		return err
	}
	if loose {
		schema, _, err := unstructured.NestedMap(versions[0].(map[string]any), "schema", "openAPIV3Schema")
		if err != nil {
			return err
		}
		loosen(schema)
		if err := unstructured.SetNestedMap(versions[0].(map[string]any), schema, "schema", "openAPIV3Schema"); err != nil {
			return err
		}
		if err := unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions"); err != nil {
			return err
		}
	}
	return testenv.Apply(ctx, testConfig, []*unstructured.Unstructured{crd})
}

// loosen removes from a schema what bounds values.
func loosen(schema map[string]any) {
	for _, key := range []string{
		"format", "pattern", "enum", "required", "maxLength", "minLength", "maxItems", "minimum",
		"x-kubernetes-list-type", "x-kubernetes-list-map-keys",
	} {
		delete(schema, key)
	}
	if schema["type"] == "integer" {
		schema["type"] = "number"
	}
	properties, _ := schema["properties"].(map[string]any)
	for _, property := range properties {
		loosen(property.(map[string]any))
	}
	if items, ok := schema["items"].(map[string]any); ok {
		loosen(items)
	}
}

// create stores an Image with the given members of its JSON.
func create(ctx context.Context, name, members string) error {
	body := fmt.Sprintf(`{"apiVersion":"image.openshift.io/v1","kind":"Image","metadata":{"name":%q},%s}`, name, members)
	err := rawClient.Post().Resource("images").Body([]byte(body)).SetHeader("Content-Type", "application/json").Do(ctx).Error()
	if err != nil {
		return fmt.Errorf("creating Image %s: %w", name, err)
	}
	return nil
}

// apply changes the given members of an Image by server-side apply.
func apply(ctx context.Context, name, members string) error {
	body := fmt.Sprintf(`{"apiVersion":"image.openshift.io/v1","kind":"Image","metadata":{"name":%q},%s}`, name, members)
	_, err := rawClient.Patch(types.ApplyPatchType).Resource("images").Name(name).Param("fieldManager", "apply").Body([]byte(body)).DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("applying Image %s: %w", name, err)
	}
	return nil
}

// patch changes an Image by a merge patch.
func patch(ctx context.Context, name, body string, subresource ...string) error {
	_, err := rawClient.Patch(types.MergePatchType).Resource("images").Name(name).SubResource(subresource...).Body([]byte(body)).DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("patching Image %s: %w", name, err)
	}
	return nil
}
