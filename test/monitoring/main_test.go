// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package monitoring tests the alerts and the dashboard of config/ with promtool, and evaluates
// every expression on the metrics of a real manager.
package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/assay-project/assay/internal/testenv"
)

const (
	rulesFile     = "../../config/prometheus/rules.yaml"
	dashboardFile = "../../config/grafana/assay.json"
)

// promtool is the program, and plainRules the file of rules without the Kubernetes object around
// them.
var promtool, plainRules string

func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{}, setupSuite)
}

// setupSuite builds promtool and writes the rules file.
func setupSuite(ctx context.Context, env *testenv.Env) error {
	promtool, plainRules = filepath.Join(env.Dir, "promtool"), filepath.Join(env.Dir, "rules.yaml")
	// Service discovery is most of the program, and the tests do not use it.
	build := exec.CommandContext(ctx, "go", "build", "-tags", "remove_all_sd", "-o", promtool,
		"github.com/prometheus/prometheus/cmd/promtool")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return writePlainRules()
}

// writePlainRules writes the spec of the PrometheusRule, the format that Prometheus reads.
func writePlainRules() error {
	object, err := readRules()
	if err != nil {
		return err
	}
	data, err := yaml.Marshal(object.Spec)
	if err != nil {
		return err
	}
	return os.WriteFile(plainRules, data, 0o600)
}

// prometheusRule has the fields of the custom resource that the tests use.
type prometheusRule struct {
	Spec struct {
		Groups []struct {
			Name  string `json:"name"`
			Rules []rule `json:"rules"`
		} `json:"groups"`
	} `json:"spec"`
}

type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func readRules() (*prometheusRule, error) {
	data, err := os.ReadFile(rulesFile)
	if err != nil {
		return nil, err
	}
	object := &prometheusRule{}
	if err := yaml.Unmarshal(data, object); err != nil {
		return nil, fmt.Errorf("%s: %w", rulesFile, err)
	}
	return object, nil
}

// alerts returns all alerts and fails if there are none.
func alerts(t *testing.T) []rule {
	t.Helper()
	object, err := readRules()
	if err != nil {
		t.Fatal(err)
	}
	var list []rule
	for _, group := range object.Spec.Groups {
		list = append(list, group.Rules...)
	}
	if len(list) == 0 {
		t.Fatalf("%s has no rules", rulesFile)
	}
	return list
}

// expression is a PromQL expression and its location.
type expression struct{ where, text string }

// variables replaces Grafana's variables.
var variables = strings.NewReplacer("$namespace", ".*", "$__rate_interval", "5m")

var variable = regexp.MustCompile(`\$[a-z_]+`)

// dashboardExpressions returns the expressions of all panels.
func dashboardExpressions(t *testing.T) []expression {
	t.Helper()
	data, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatalf("%s: %v", dashboardFile, err)
	}
	var list []expression
	for _, panel := range dashboard.Panels {
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			text := variables.Replace(target.Expr)
			if left := variable.FindString(text); left != "" {
				t.Errorf("panel %q has a variable that is not known: %s", panel.Title, left)
			}
			list = append(list, expression{"panel " + panel.Title, text})
		}
	}
	if len(list) == 0 {
		t.Fatalf("%s has no panels", dashboardFile)
	}
	return list
}
