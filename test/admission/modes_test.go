// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bufio"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// outcome is what becomes of a Pod that is not verified.
type outcome string

const (
	admitted outcome = "admitted"
	noted    outcome = "in the audit log"
	warning  outcome = "a warning"
	denied   outcome = "denied"
)

// modes are the components and what each does with an image of each level, and with one that no scope covers.
var modes = map[string]struct{ enforce, warn, audit, unlisted outcome }{
	"enforce":       {denied, warning, noted, admitted},
	"warn":          {warning, warning, noted, admitted},
	"audit":         {noted, noted, noted, admitted},
	"deny-unlisted": {denied, warning, noted, denied},
}

// namespaceModes are the values of the label assay.dev/enforcement of a namespace, and what each does there whatever the
// component is. Images that no scope covers follow the component deny-unlisted.
var namespaceModes = map[string]struct{ enforce, warn, audit outcome }{
	"enforce": {denied, warning, noted},
	"warn":    {warning, warning, noted},
	"audit":   {noted, noted, noted},
}

func TestModes(t *testing.T) {
	writeAllowlist(t, state(), 2)
	restoreEnforce(t)
	for mode := range namespaceModes {
		labelled(t, "mode-"+mode, map[string]string{modeLabel: mode})
	}
	for mode, want := range modes {
		t.Run(mode, func(t *testing.T) {
			if err := install(t.Context(), mode); err != nil {
				t.Fatal(err)
			}
			for image, want := range map[string]outcome{enforced: want.enforce, warned: want.warn, audited: want.audit, "elsewhere.example.com": want.unlisted} {
				waitForOutcome(t, image+"/app:v1", want)
			}
			for _, name := range []string{enforced, warned, audited} {
				waitForOutcome(t, name+"/app@"+verified, admitted)
			}
			for _, image := range []string{"REGISTRY.example.com/labs/app@" + verified, "elsewhere.example.com:0443/app:v1", verified} {
				waitForOutcome(t, image, want.enforce) // It could be any image, and the strictest level counts.
			}
			for inNamespace, in := range namespaceModes {
				namespace, unlisted := "mode-"+inNamespace, admitted
				if mode == "deny-unlisted" {
					unlisted = in.enforce
				}
				for image, want := range map[string]outcome{enforced: in.enforce, warned: in.warn, audited: in.audit, "elsewhere.example.com": unlisted} {
					waitForOutcomeIn(t, namespace, image+"/app:v1", want)
				}
				waitForOutcomeIn(t, namespace, enforced+"/app@"+verified, admitted)
				if said := warnedAboutIn(t, namespace, "Deployment", enforced+"/app:v1"); (said != "") != (inNamespace != "audit") {
					t.Errorf("namespace in mode %s: a Deployment is warned about with %q", inNamespace, said)
				}
			}
			if want := want.enforce; want != denied {
				testNoAllowlist(t, want)
			}
		})
	}
}

// modeLabel is the label of a namespace with a mode of its own.
const modeLabel = "assay.dev/enforcement"

// labelled makes a namespace.
func labelled(t *testing.T, name string, labels map[string]string) *corev1.Namespace {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	if err := admin.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	return namespace
}

// restoreEnforce puts back the mode that the other tests need, at the end of a test.
func restoreEnforce(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if err := install(cleanupContext(t), "enforce"); err != nil {
			t.Fatal(err)
		}
		waitForOutcome(t, enforced+"/app:v1", denied)
		waitForOutcome(t, "elsewhere.example.com/app:v1", admitted)
		waitFor(t, "the policy for workloads", func() bool { return warnedAbout(t, "Deployment", "elsewhere.example.com/app:v1") == "" })
	})
}

// TestWarnings verifies that what one image is called does not keep the warning about another one from the client, and
// neither does a Pod that is too large to evaluate.
func TestWarnings(t *testing.T) {
	writeAllowlist(t, state(), 2)
	restoreEnforce(t)
	if err := install(t.Context(), "warn"); err != nil {
		t.Fatal(err)
	}
	waitForOutcome(t, enforced+"/app:v1", warning)
	warn := "image " + enforced + "/app:v1 has no sha256 digest"
	for _, name := range []string{"a\x01", "a\tb", "a\nb", "a\r\nb", "\x1b[31mred", "a\x7f", "a\u0085b", "a\u2028b", "a\u202eb", "\u00e9", strings.Repeat("a", 5000) + "\x00"} {
		for _, object := range []client.Object{
			podOf("default", container(enforced+"/app:v1"), func(s *corev1.PodSpec) { places["second container"](s, enforced+"/"+name) }),
			podOf("default", container(enforced+"/"+name), func(s *corev1.PodSpec) { places["second container"](s, enforced+"/app:v1") }),
		} {
			editor.warnings.take()
			wantError(t, create(t.Context(), object), "")
			if said := editor.warnings.take(); !strings.Contains(said, warn) || !strings.Contains(said, "is not an image reference") {
				t.Errorf("beside %q: the warning is %q", name, said)
			}
		}
	}
	editor.warnings.take()
	wantError(t, create(t.Context(), manyContainers(enforced+"/app@"+verified, 3000)), "")
	if said := editor.warnings.take(); !strings.Contains(said, "3000 containers and image volumes") {
		t.Errorf("a Pod that is too large to evaluate: the warning is %q", said)
	}
}

// manyContainers returns a Pod of so many containers with one image.
func manyContainers(image string, count int) *corev1.Pod {
	return podOf("default", func(s *corev1.PodSpec) {
		s.Containers = nil
		for n := range count {
			s.Containers = append(s.Containers, corev1.Container{Name: "c" + strconv.Itoa(n), Image: image})
		}
	})
}

// testNoAllowlist checks of a mode that refuses nobody that it also does so while there is no allowlist yet.
func testNoAllowlist(t *testing.T, want outcome) {
	t.Helper()
	err := admin.DeleteAllOf(t.Context(), &corev1.ConfigMap{}, client.InNamespace(operatorNamespace), areShards)
	if err != nil {
		t.Fatal(err)
	}
	waitForOutcome(t, enforced+"/app:v1", admitted)
	waitForOutcomeIn(t, "mode-audit", enforced+"/app:v1", admitted)
	waitForOutcomeIn(t, "mode-enforce", enforced+"/app:v1", denied)
	writeShards(t, state(), 2)
	waitForOutcome(t, enforced+"/app:v1", want)
}

// waitForOutcome makes Pods until one fares as wanted: a policy that was changed takes effect a moment later.
func waitForOutcome(t *testing.T, image string, want outcome) {
	t.Helper()
	waitForOutcomeIn(t, "default", image, want)
}

func waitForOutcomeIn(t *testing.T, namespace, image string, want outcome) {
	t.Helper()
	var got outcome
	ok := false
	defer func() {
		if !ok {
			t.Errorf("a Pod in %s with %s: %s, want %s", namespace, image, got, want)
		}
	}()
	waitFor(t, image+": "+string(want), func() bool {
		got = tryPod(t, namespace, image)
		ok = got == want
		return ok
	})
}

// tryPod asks whether a Pod could be created, as kubectl --dry-run=server does, and what is said.
func tryPod(t *testing.T, namespace, image string) outcome {
	t.Helper()
	editor.warnings.take()
	pod := podOf(namespace, container(image))
	pod.GenerateName, pod.Name = "", "tried-"+nextName()
	err := create(cleanupContext(t), pod)
	said := editor.warnings.take()
	switch {
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err):
		return denied
	case err != nil:
		t.Fatal(err)
	case strings.Contains(said, "image "+image+" "):
		return warning
	case strings.Contains(auditedFailure(t, pod.Name), "image "+image+" "):
		return noted
	}
	return admitted
}

// auditedFailure returns what the audit log says about the policies' refusals of a request for an object.
func auditedFailure(t *testing.T, name string) string {
	t.Helper()
	file, err := os.Open(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Stage       string
			ObjectRef   struct{ Name string }
			Annotations map[string]string
		}
		if !strings.Contains(lines.Text(), name) {
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatal(err)
		}
		if event.Stage == "ResponseComplete" && event.ObjectRef.Name == name {
			return event.Annotations["validation.policy.admission.k8s.io/validation_failure"]
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return ""
}

// template is a Pod template with an image.
func template(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "test"}},
		Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{{Name: "main", Image: image}}}}
}

func once(image string) corev1.PodTemplateSpec {
	template := template(image)
	template.Spec.RestartPolicy = corev1.RestartPolicyNever
	return template
}

// workloads are all the kinds with a Pod template.
var workloads = map[string]func(string) client.Object{
	"Deployment": func(image string) client.Object {
		return &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Selector: selector, Template: template(image)}}
	},
	"StatefulSet": func(image string) client.Object {
		return &appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template(image)}}
	},
	"DaemonSet": func(image string) client.Object {
		return &appsv1.DaemonSet{Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template(image)}}
	},
	"ReplicaSet": func(image string) client.Object {
		return &appsv1.ReplicaSet{Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template(image)}}
	},
	"ReplicationController": func(image string) client.Object {
		template := template(image)
		return &corev1.ReplicationController{Spec: corev1.ReplicationControllerSpec{Selector: selector.MatchLabels, Template: &template}}
	},
	"PodTemplate": func(image string) client.Object { return &corev1.PodTemplate{Template: template(image)} },
	"Job": func(image string) client.Object {
		return &batchv1.Job{Spec: batchv1.JobSpec{Template: once(image)}}
	},
	"CronJob": func(image string) client.Object {
		return &batchv1.CronJob{Spec: batchv1.CronJobSpec{Schedule: "@daily", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: once(image)}}}}
	},
}

var selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "test"}}

// TestWorkloads applies workloads: the client learns what would happen to the Pods, and nothing is ever refused.
func TestWorkloads(t *testing.T) {
	const mark = "image-verification-workloads"
	writeAllowlist(t, state(), 2)
	for kind := range workloads {
		t.Run(kind, func(t *testing.T) {
			for image, want := range map[string]string{
				enforced + "/app:v1": "image " + enforced + "/app:v1 has no sha256 digest", enforced + "/app@" + unverified: "is not verified",
				warned + "/app:v1": "image " + warned + "/app:v1 has no sha256 digest", audited + "/app:v1": "",
				"registry.example.com:443/shop/app@" + verified: "write " + enforced + "/app@" + verified, verified: isID,
				enforced + "/app@" + verified: "", "elsewhere.example.com/app:v1": "",
			} {
				said := warnedAbout(t, kind, image)
				if want == "" && strings.Contains(said, mark) || want != "" && !strings.Contains(said, want) {
					t.Errorf("%s: warned with %q, want %q", image, said, want)
				}
			}
		})
	}
}

// TestPlaceholders applies workloads whose image is filled in later, by a trigger, a pipeline or the injection of a sidecar.
// The warning gives no advice that makes no sense for what is no image yet.
func TestPlaceholders(t *testing.T) {
	s := state()
	s.Scopes["docker.io"] = "Enforce"
	writeAllowlist(t, s, 2)
	for image, want := range map[string]string{
		"auto":           "image auto is a placeholder",
		" ":              "an image is blank",
		"SET_BY_TRIGGER": "image SET_BY_TRIGGER is not an image reference: write [host[:port]/]path[:tag]@sha256:<digest>, unless something replaces it",
		"busybox":        "write busybox@sha256:<digest>",
	} {
		said := warnedAbout(t, "Deployment", image)
		if !strings.Contains(said, want) || image != "busybox" && strings.Contains(said, "write "+image+"@") {
			t.Errorf("%q: warned with %q, want %q", image, said, want)
		}
	}
	wantError(t, create(t.Context(), podOf("default", container("auto"))), "image auto is a placeholder")
}

// warnedAbout applies a workload with an image, and returns the warnings.
func warnedAbout(t *testing.T, kind, image string) string {
	t.Helper()
	return warnedAboutIn(t, "default", kind, image)
}

func warnedAboutIn(t *testing.T, namespace, kind, image string) string {
	t.Helper()
	object := workloads[kind](image)
	object.SetNamespace(namespace)
	object.SetName("workload")
	editor.warnings.take()
	if err := create(cleanupContext(t), object); err != nil {
		t.Errorf("%s: refused: %v", image, err)
	}
	return editor.warnings.take()
}

// TestOwnedWorkloads checks that a ReplicaSet which a Deployment makes is not warned about a second time.
func TestOwnedWorkloads(t *testing.T) {
	writeAllowlist(t, state(), 1)
	object := workloads["ReplicaSet"](enforced + "/app:v1")
	object.SetNamespace("default")
	object.SetName("owned")
	yes := true
	object.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "owner", UID: "1", Controller: &yes}})
	editor.warnings.take()
	wantError(t, create(t.Context(), object), "")
	if said := editor.warnings.take(); said != "" {
		t.Errorf("warned: %s", said)
	}
}
