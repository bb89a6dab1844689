// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagecache_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/imagecache"
)

// listerWatcher returns what a cache lists and watches Images with.
func listerWatcher(t *testing.T, config *rest.Config, opts cache.Options) toolscache.ListerWatcherWithContext {
	t.Helper()
	opts.Scheme = runtime.NewScheme()
	if err := imagecache.AddToScheme(opts.Scheme); err != nil {
		t.Fatal(err)
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(imagev1.GroupVersion.WithKind("Image"), meta.RESTScopeRoot)
	opts.Mapper = mapper
	var images toolscache.ListerWatcher
	opts.NewInformer = func(lw toolscache.ListerWatcher, obj runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
		images = lw
		return toolscache.NewSharedIndexInformer(lw, obj, resync, indexers)
	}
	c, err := imagecache.New(config, opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetInformer(t.Context(), &imagecache.Image{}, cache.BlockUntilSynced(false)); err != nil {
		t.Fatal(err)
	}
	return toolscache.ToListerWatcherWithContext(images)
}

// TestPages lists page by page from the API server.
func TestPages(t *testing.T) {
	lw := listerWatcher(t, testConfig, cache.Options{})
	var names []string
	options := metav1.ListOptions{Limit: 4}
	for pages := 0; pages < len(hostile); pages++ {
		obj, err := lw.ListWithContext(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		list, ok := obj.(*imagecache.ImageList)
		if !ok || len(list.Items) > 4 || list.ResourceVersion == "" {
			t.Fatalf("a page is a %T of %d Images", obj, meta.LenList(obj))
		}
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
		if options.Continue = list.Continue; options.Continue == "" {
			break
		}
		if list.RemainingItemCount == nil {
			t.Error("a page does not have the number of Images that remain")
		}
	}
	for name := range hostile {
		if !slices.Contains(names, name) {
			t.Errorf("Image %s is on none of the pages: %v", name, names)
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("the pages do not follow each other: %v", names)
	}
}

// fake serves one answer, and returns the requests.
func fake(t *testing.T, status int, answer string) (*rest.Config, func() []string) {
	t.Helper()
	requests := make(chan string, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.URL.Path + "?" + r.URL.Query().Encode() + " " + r.Header.Get("Accept")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL, QPS: -1}, func() (all []string) {
		for len(requests) > 0 {
			all = append(all, <-requests)
		}
		return all
	}
}

// TestRequests checks what is asked for.
func TestRequests(t *testing.T) {
	config, requests := fake(t, http.StatusOK, `{"items":[{"metadata":{"name":"a"}},{},{"metadata":{"name":7}}]}`)
	lw := listerWatcher(t, config, cache.Options{
		DefaultLabelSelector: selector(t, "not=this"),
		ByObject: map[client.Object]cache.ByObject{
			&imagecache.Image{}: {Label: selector(t, "a=b"), Field: fields.OneTermEqualSelector("metadata.name", "a")},
		},
	})
	options := metav1.ListOptions{ResourceVersion: "5", ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, Limit: 3, Continue: "c"}
	list, err := lw.ListWithContext(t.Context(), options)
	if err != nil || meta.LenList(list) != 1 {
		t.Errorf("of an Image with a name and two without, the list has %d: %v", meta.LenList(list), err)
	}
	send, timeout := true, int64(9)
	w, err := lw.WatchWithContext(t.Context(), metav1.ListOptions{ResourceVersion: "5", AllowWatchBookmarks: true, SendInitialEvents: &send, TimeoutSeconds: &timeout})
	if err != nil {
		t.Fatal(err)
	}
	w.Stop()
	want := []string{
		"/apis/image.openshift.io/v1/images?continue=c&fieldSelector=metadata.name%3Da&labelSelector=a%3Db&limit=3&resourceVersion=5&resourceVersionMatch=NotOlderThan application/json",
		"/apis/image.openshift.io/v1/images?allowWatchBookmarks=true&fieldSelector=metadata.name%3Da&labelSelector=a%3Db&resourceVersion=5&sendInitialEvents=true&timeoutSeconds=9&watch=true application/json",
	}
	if diff := cmp.Diff(want, requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestRefusals checks that a refusal is the error that reflectors know.
func TestRefusals(t *testing.T) {
	config, _ := fake(t, http.StatusGone, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","message":"too old","code":410}`)
	lw := listerWatcher(t, config, cache.Options{})
	if _, err := lw.ListWithContext(t.Context(), metav1.ListOptions{}); !apierrors.IsResourceExpired(err) {
		t.Errorf("the list fails with %v", err)
	}
	if _, err := lw.WatchWithContext(t.Context(), metav1.ListOptions{}); !apierrors.IsResourceExpired(err) {
		t.Errorf("the watch fails with %v", err)
	}
	config, _ = fake(t, http.StatusOK, `{"kind":"ImageList","items":[{"metadata":{"name":"a"}}`)
	if list, err := listerWatcher(t, config, cache.Options{}).ListWithContext(t.Context(), metav1.ListOptions{}); err == nil {
		t.Errorf("half a list is read as %v", list)
	}
}

// TestEvents checks what events of a watch become.
func TestEvents(t *testing.T) {
	const added = `{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"1"}}}`
	tests := map[string]struct {
		answer string
		want   []string
	}{
		"of Images":  {added + `{"type":"MODIFIED","object":{"metadata":{"name":"a"},"signatures":0}}` + `{"type":"DELETED","object":{"metadata":{"name":"a"}}}`, []string{"ADDED a", "MODIFIED a signatures: the value is not an array", "DELETED a"}},
		"a bookmark": {`{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7","annotations":{"k8s.io/initial-events-end":"true"}}}}`, []string{"BOOKMARK 7 true"}},
		"an error":   {added + `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}}` + added, []string{"ADDED a", "ERROR Expired 410", "ADDED a"}},
		"no name":    {`{"type":"ADDED","object":{}}` + `{"type":"ADDED","object":{"metadata":[]}}` + added, []string{"ADDED a"}},
		"cut short":  {added + added[:20], []string{"ADDED a"}},
		"no event":   {added + `<html>`, []string{"ADDED a", "ERROR InternalError 500"}},
		"no status":  {`{"type":"ERROR","object":[]}`, []string{"ERROR InternalError 500"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			config, _ := fake(t, http.StatusOK, tt.answer)
			w, err := listerWatcher(t, config, cache.Options{}).WatchWithContext(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Stop()
			var got []string
			for event := range w.ResultChan() {
				got = append(got, describe(t, event))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func describe(t *testing.T, event watch.Event) string {
	t.Helper()
	switch obj := event.Object.(type) {
	case *metav1.Status:
		return fmt.Sprintf("%s %s %d", event.Type, obj.Reason, obj.Code)
	case *imagecache.Image:
		s := []string{string(event.Type), obj.Name}
		if event.Type == watch.Bookmark {
			s = []string{string(event.Type), obj.ResourceVersion, obj.Annotations[metav1.InitialEventsAnnotationKey]}
		}
		if obj.Fault != nil {
			s = append(s, obj.Fault.Error())
		}
		return strings.Join(s, " ")
	default:
		t.Fatalf("an event has a %T", obj)
		return ""
	}
}
