// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"path/filepath"
	"strings"
	"testing"
)

// Commands of docs/admission.md.
const (
	startAudit   = "kubectl apply --server-side -k config/admission"
	applyOwn     = "kubectl apply --server-side -k ../assay-installation"
	breakGlass   = "kubectl delete validatingadmissionpolicybinding image-verification image-verification-namespace-enforce --ignore-not-found"
	exempt       = "kubectl label namespace shop assay.dev/verification=disabled"
	endExemption = "kubectl label namespace shop assay.dev/verification-"
	listExempt   = "kubectl get namespaces -l assay.dev/verification=disabled"
	modeWarn     = "kubectl label --overwrite namespace shop assay.dev/enforcement=warn"
	modeEnforce  = "kubectl label --overwrite namespace shop assay.dev/enforcement=enforce"
	endMode      = "kubectl label namespace shop assay.dev/enforcement-"
	listModes    = "kubectl get namespaces -L assay.dev/enforcement"
)

// ownKustomization is the file of docs/admission.md.
const ownKustomization = "../assay-installation/kustomization.yaml"

// modes are the variants of that file, and what each does with an image that is not verified.
var modes = map[string]outcomes{
	"enforce":                   {enforceScope: denied, warnScope: warned, auditScope: noted, unlisted: admitted},
	"enforce and deny-unlisted": {enforceScope: denied, warnScope: warned, auditScope: noted, unlisted: denied},
	"warn":                      {enforceScope: warned, warnScope: warned, auditScope: noted, unlisted: admitted},
	"audit":                     {enforceScope: noted, warnScope: noted, auditScope: noted, unlisted: admitted},
}

// withoutBinding is what happens in mode enforce after break-glass.
var withoutBinding = outcomes{enforceScope: admitted, warnScope: warned, auditScope: noted, unlisted: admitted}

// admission is the reader of docs/admission.md at work on a cluster.
type admission struct {
	*cluster
	doc *document
}

// TestStart starts with admission as docs/admission.md does, and removes it as docs/install.md
// does. The second time shows that the API server still follows the allowlist.
func TestStart(t *testing.T) {
	c := newCluster(t)
	for range 2 {
		c.twice(t, startAudit)
		for _, verified := range []outcome{noted, admitted, noted} {
			c.writeAllowlist(t, map[outcome][]string{admitted: {enforceScope}}[verified]...)
			c.wantSigned(t, verified)
		}
		c.wantOutcomes(t, "default", modes["audit"])
		c.twice(t, removeAdmission, removeMutation, "kubectl delete --ignore-not-found -k config/default")
		c.wantOutcomes(t, "default", outcomes{enforceScope: admitted, warnScope: admitted, auditScope: admitted, unlisted: admitted})
	}
	c.twice(t, removeAnchor)
	c.wantInstalled(t, false)
}

// TestAdmission runs the other commands of docs/admission.md: modes, exemption and break-glass,
// and what brings each back.
func TestAdmission(t *testing.T) {
	a := &admission{newCluster(t), readDocument(t, "../../docs/admission.md")}
	// TestStart runs the first of them.
	for _, command := range []string{startAudit, applyOwn, breakGlass, exempt, endExemption, listExempt, modeWarn, modeEnforce, endMode, listModes} {
		a.doc.take(t, command)
	}
	a.doc.checkAllRun(t)
	if len(a.doc.files) != 1 || a.doc.files[ownKustomization] == "" {
		t.Fatalf("the document has other files than %s", ownKustomization)
	}
	a.doc.writeFiles(t, a.checkout)
	a.twice(t, applyOwn)
	a.writeAllowlist(t, enforceScope)
	a.wantOutcomes(t, "default", modes["enforce"])

	t.Run("modes", a.testModes)
	t.Run("exemption", a.testExemption)
	t.Run("namespace by namespace", a.testNamespaceMode)
	t.Run("break-glass", a.testBreakGlass)
	t.Run("other managers", a.testOtherManagers)
}

// setMode applies the kustomization with other components.
func (a *admission) setMode(t *testing.T, mode string) {
	t.Helper()
	component, unlisted, _ := strings.Cut(mode, " and ")
	text := strings.Replace(a.doc.files[ownKustomization], "components/enforce\n", "components/"+component+"\n", 1)
	if unlisted != "" {
		text = strings.Replace(text, "\n#- ", "\n- ", 1)
		if !strings.Contains(text, "\n- ../assay/config/admission/components/"+unlisted+"\n") {
			t.Fatalf("the document has no component %s", unlisted)
		}
	}
	writeFile(t, filepath.Join(a.checkout, ownKustomization), text)
	a.twice(t, applyOwn)
}

// testModes goes from every mode to every other one.
func (a *admission) testModes(t *testing.T) {
	for _, mode := range []string{"warn", "audit", "enforce", "audit", "warn", "enforce", "enforce and deny-unlisted", "enforce"} {
		a.setMode(t, mode)
		a.wantOutcomes(t, "default", modes[mode])
		a.wantActions(t, mode)
	}
}

// wantActions checks that the binding has no action but the one of the mode.
func (a *admission) wantActions(t *testing.T, mode string) {
	t.Helper()
	want := map[string]string{"enforce": `["Deny"]`, "warn": `["Warn"]`, "audit": `["Audit"]`}[strings.Fields(mode)[0]]
	got := a.sh(t, "kubectl get validatingadmissionpolicybinding image-verification -o jsonpath='{.spec.validationActions}'")
	if got != want {
		t.Errorf("mode %s: the actions are %s, want %s", mode, got, want)
	}
}

func (a *admission) testExemption(t *testing.T) {
	a.sh(t, "kubectl create namespace shop")
	for range 2 {
		a.twice(t, exempt)
		a.wantOutcomes(t, "shop", outcomes{enforceScope: admitted, warnScope: admitted, auditScope: admitted})
		if list := a.sh(t, listExempt); !strings.Contains(list, "shop ") || strings.Contains(list, "default ") {
			t.Errorf("the exempt namespaces are\n%s\nwant shop", list)
		}
		a.wantOutcomes(t, "default", modes["enforce"])
		a.twice(t, endExemption)
		a.wantOutcomes(t, "shop", modes["enforce"])
	}
}

// testNamespaceMode moves a namespace from audit to enforce while the others stay where they are, and back.
func (a *admission) testNamespaceMode(t *testing.T) {
	a.setMode(t, "audit")
	for range 2 {
		for command, mode := range map[string]string{modeWarn: "warn", modeEnforce: "enforce"} {
			a.twice(t, command)
			a.wantOutcomes(t, "shop", modes[mode])
			a.wantOutcomes(t, "default", modes["audit"])
			if list := a.sh(t, listModes); !strings.Contains(list, mode) {
				t.Errorf("the modes of namespaces are\n%s\nwant %s for shop", list, mode)
			}
		}
		a.twice(t, endMode)
		a.wantOutcomes(t, "shop", modes["audit"])
	}
	a.twice(t, modeEnforce)
	a.twice(t, breakGlass)
	a.wantOutcomes(t, "shop", withoutBinding)
	a.twice(t, endMode)
	a.setMode(t, "enforce")
	a.wantOutcomes(t, "shop", modes["enforce"])
}

// testBreakGlass also checks that the API server still follows the allowlist afterwards.
func (a *admission) testBreakGlass(t *testing.T) {
	for range 2 {
		a.twice(t, breakGlass)
		a.wantOutcomes(t, "default", withoutBinding)
		a.twice(t, applyOwn)
		a.wantOutcomes(t, "default", modes["enforce"])
		a.writeAllowlist(t)
		a.wantSigned(t, denied)
		a.writeAllowlist(t, enforceScope)
		a.wantSigned(t, admitted)
	}
}

// otherManagers are ways to write to the binding that applying the kustomization does not undo.
var otherManagers = map[string]string{
	"patch": `kubectl patch validatingadmissionpolicybinding image-verification --type=json -p='[` +
		`{"op":"replace","path":"/spec/validationActions","value":["Audit"]},` +
		`{"op":"replace","path":"/spec/paramRef/parameterNotFoundAction","value":"Allow"}]'`,
	"apply": "kubectl apply --server-side --field-manager=other --force-conflicts -k test/admission/testdata/enforce",
}

// testOtherManagers checks that the document's remedy works whatever another manager has written.
func (a *admission) testOtherManagers(t *testing.T) {
	for name, write := range otherManagers {
		t.Run(name, func(t *testing.T) {
			a.sh(t, write)
			writeFile(t, filepath.Join(a.checkout, ownKustomization),
				strings.Replace(a.doc.files[ownKustomization], "components/enforce\n", "components/warn\n", 1))
			out, err := a.try(t, applyOwn)
			actions := a.sh(t, "kubectl get validatingadmissionpolicybinding image-verification -o jsonpath='{.spec.validationActions}'")
			if err == nil && actions == `["Warn"]` {
				t.Errorf("applying the kustomization is enough, which the document denies:\n%s", out)
			}
			for _, mode := range []string{"warn", "enforce"} {
				a.twice(t, breakGlass)
				a.setMode(t, mode)
				a.wantOutcomes(t, "default", modes[mode])
				a.wantActions(t, mode)
			}
		})
	}
}
