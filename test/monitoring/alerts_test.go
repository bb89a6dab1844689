// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
)

// unitTests has the format of promtool's unit tests of rules.
const unitTests = "testdata/alerts.yaml"

// TestRules lets promtool check the rules and run their unit tests.
func TestRules(t *testing.T) {
	runPromtool(t, "check", "rules", "--lint-fatal", plainRules)
	// A unit test needs its rules in the same directory.
	data, err := os.ReadFile(unitTests)
	if err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(filepath.Dir(plainRules), "alerts.yaml")
	if err := os.WriteFile(beside, data, 0o600); err != nil {
		t.Fatal(err)
	}
	runPromtool(t, "test", "rules", beside)
}

func runPromtool(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
		t.Fatalf("promtool %q: %v\n%s", args, err, out)
	}
}

// TestEveryAlertIsTested checks that the unit tests cover every alert, firing and not firing.
func TestEveryAlertIsTested(t *testing.T) {
	data, err := os.ReadFile(unitTests)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tests []struct {
			Cases []struct {
				Name   string `json:"alertname"`
				Alerts []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	fires, rests := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, c := range test.Cases {
			fires[c.Name] = fires[c.Name] || len(c.Alerts) > 0
			rests[c.Name] = rests[c.Name] || len(c.Alerts) == 0
		}
	}
	for _, alert := range alerts(t) {
		if !fires[alert.Alert] || !rests[alert.Alert] {
			t.Errorf("%s: tested to fire: %v, tested not to: %v", alert.Alert, fires[alert.Alert], rests[alert.Alert])
		}
	}
}

// TestAlertAnnotations checks the annotations that an on-call engineer needs.
func TestAlertAnnotations(t *testing.T) {
	seen := map[string]bool{}
	for _, alert := range alerts(t) {
		if alert.Alert == "" || seen[alert.Alert] {
			t.Errorf("%q is no name, or one that another rule has too", alert.Alert)
		}
		seen[alert.Alert] = true
		if s := alert.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s has severity %q", alert.Alert, s)
		}
		for _, key := range []string{"summary", "description", "runbook"} {
			if alert.Annotations[key] == "" {
				t.Errorf("%s has no %s", alert.Alert, key)
			}
		}
	}
}
