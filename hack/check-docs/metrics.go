// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strings"
)

const (
	metricsDir      = "controllers"
	metricsDocument = "docs/metrics.md"
)

// metricPattern finds names of metrics in code. They have a prefix of their own.
var metricPattern = regexp.MustCompile(`\bassay_[a-z0-9_]+\b`)

// histogramSuffixes are the endings of the time series of a histogram.
var histogramSuffixes = []string{"_bucket", "_sum", "_count"}

// checkMetrics checks that docs/metrics.md names every metric of controllers, and that no
// document names others.
func checkMetrics(r *repository) ([]problem, error) {
	metrics, err := readMetrics(r)
	if err != nil {
		return nil, err
	}
	if r.document(metricsDocument) == nil {
		return nil, errors.New("there is no " + metricsDocument)
	}
	var problems []problem
	documented := map[string]bool{}
	for _, d := range r.documents {
		for _, code := range d.code() {
			for _, name := range metricPattern.FindAllString(code.text, -1) {
				name = metricOf(name, metrics)
				if _, ok := metrics[name]; !ok {
					problems = append(problems, d.problem(code.line, fmt.Sprintf("metric %s, which %s does not have", name, metricsDir)))
				}
				documented[name] = documented[name] || d.path == metricsDocument
			}
		}
	}
	for name, at := range metrics {
		if !documented[name] {
			problems = append(problems, problem{at.file, at.line, fmt.Sprintf("metric %s is not documented in %s", name, metricsDocument)})
		}
	}
	return problems, nil
}

// metricOf returns the metric that a time series belongs to, or else its name.
func metricOf(series string, metrics map[string]declaration) string {
	for _, suffix := range histogramSuffixes {
		metric, ok := strings.CutSuffix(series, suffix)
		if _, exists := metrics[metric]; ok && exists {
			return metric
		}
	}
	return series
}

// readMetrics returns the names in all composite literals of prometheus.…Opts and in all
// calls of prometheus.NewDesc.
func readMetrics(r *repository) (map[string]declaration, error) {
	metrics := map[string]declaration{}
	err := inspectGo(r, metricsDir, func(files *token.FileSet, node ast.Node) {
		value := metricName(node)
		if value == nil {
			return
		}
		if name, ok := stringLiteral(value); ok {
			at := files.Position(value.Pos())
			metrics[name] = declaration{at.Filename, at.Line}
		}
	})
	if err == nil && len(metrics) == 0 {
		err = errors.New("there are no metrics in " + metricsDir)
	}
	return metrics, err
}

// metricName returns the expression that names a metric where node defines one, else nil.
func metricName(node ast.Node) ast.Expr {
	switch definition := node.(type) {
	case *ast.CallExpr:
		if strings.HasPrefix(prometheusName(definition.Fun), "NewDesc") && len(definition.Args) > 0 {
			return definition.Args[0]
		}
	case *ast.CompositeLit:
		if !strings.HasSuffix(prometheusName(definition.Type), "Opts") {
			return nil
		}
		for _, element := range definition.Elts {
			pair, ok := element.(*ast.KeyValueExpr)
			if !ok {
				continue
			}
			if key, ok := pair.Key.(*ast.Ident); ok && key.Name == "Name" {
				return pair.Value
			}
		}
	}
	return nil
}

// prometheusName returns the name of something in package prometheus, or "".
func prometheusName(expression ast.Expr) string {
	selector, ok := expression.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Name == "prometheus" {
		return selector.Sel.Name
	}
	return ""
}
