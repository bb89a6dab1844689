// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"

	"github.com/assay-project/assay/internal/testenv/controlplane"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
	"github.com/assay-project/assay/test/kustomize"
)

const (
	// The samples are loaded every half minute for twenty minutes and evaluated then. Counters grow
	// meanwhile.
	loadStep  = "30s"
	loadSteps = 40
)

// TestExpressions evaluates all expressions on the metrics of a manager that has checked the
// samples: each selector matches a series, and each panel shows a value.
func TestExpressions(t *testing.T) {
	series := scrape(t)
	promql := parser.NewParser(parser.Options{})
	storage := promqltest.LoadedStorage(t, loadStatement(series))
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 1_000_000)
	at := time.Unix(0, 0).Add(loadSteps * 30 * time.Second)

	for _, e := range alerts(t) {
		wantSelected(t, promql, series, expression{"alert " + e.Alert, e.Expr})
	}
	for _, e := range dashboardExpressions(t) {
		if !wantSelected(t, promql, series, e) {
			continue
		}
		query, err := engine.NewInstantQuery(t.Context(), storage, nil, e.text, at)
		if err != nil {
			t.Errorf("%s: %v", e.where, err)
			continue
		}
		result := query.Exec(t.Context())
		if vector, err := result.Vector(); err != nil || len(vector) == 0 {
			t.Errorf("%s: %s gives %v, error %v", e.where, e.text, vector, err)
		}
		query.Close()
	}
}

// wantSelected checks that every selector of an expression matches one of the series.
func wantSelected(t *testing.T, promql parser.Parser, series []sample, e expression) bool {
	t.Helper()
	expr, err := promql.ParseExpr(e.text)
	if err != nil {
		t.Errorf("%s: %v", e.where, err)
		return false
	}
	ok := true
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		selector, is := node.(*parser.VectorSelector)
		if is && !selects(selector.LabelMatchers, series) {
			ok = false
			t.Errorf("%s: the manager exposes nothing that %s selects", e.where, selector)
		}
		return nil
	})
	return ok
}

func selects(matchers []*labels.Matcher, series []sample) bool {
	for _, s := range series {
		all := true
		for _, m := range matchers {
			all = all && m.Matches(s.labels.Get(m.Name))
		}
		if all {
			return true
		}
	}
	return false
}

// TestSelectorsAreCompared checks that a wrong name or label is detected.
func TestSelectorsAreCompared(t *testing.T) {
	series := []sample{{labels: labels.FromStrings("__name__", "assay_images", "verified", "True")}}
	for text, want := range map[string]bool{
		`assay_images{verified="True"}`: true,
		`assay_images{verified="true"}`: false,
		`assay_image`:                   false,
		`assay_images{state="True"}`:    false,
	} {
		matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := selects(matchers, series); got != want {
			t.Errorf("%s is found: %v", text, got)
		}
	}
}

// sample is one line of a manager's metrics, with the labels that Prometheus adds.
type sample struct {
	labels  labels.Labels
	value   float64
	counter bool
}

// scrape runs the manager until it has a verdict on all samples, and returns its metrics.
func scrape(t *testing.T) []sample {
	t.Helper()
	url := startManager(t)
	var series []sample
	fixture.Eventually(t, "the metrics of all samples", func(ctx context.Context) (bool, string) {
		var err error
		series, err = get(ctx, url) // Fails until the manager is up.
		return err == nil && isSettled(series), fmt.Sprintf("%d series, error %v", len(series), err)
	})
	return series
}

// isSettled reports whether no image is pending, and the allowlist and the API servers have been
// checked. The addresses of the latter are not known here.
func isSettled(series []sample) bool {
	value := func(metric string, pairs ...string) float64 {
		want := labels.FromStrings(append(pairs, "__name__", metric, "job", "assay", "namespace", manager.Namespace, "pod", "manager-0")...)
		for _, s := range series {
			if labels.Equal(s.labels, want) {
				return s.value
			}
		}
		return -1
	}
	return value("assay_images", "verified", "True") > 0 && value("assay_images", "verified", "False") > 0 &&
		value("assay_images", "verified", "Pending") == 0 && value("assay_allowlist_valid_until_timestamp_seconds") > 0 &&
		value("assay_apiserver_state", "address", "unknown", "state", "Unknown") == 1
}

// startManager starts a control plane with config/default and the samples, and the manager.
func startManager(t *testing.T) (url string) {
	t.Helper()
	ctx := t.Context()
	cp, err := controlplane.Start(context.WithoutCancel(ctx), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, dir := range []string{"default", "samples"} {
		if _, err := kustomize.Install(ctx, cp.Config(), filepath.Join("../../config", dir)); err != nil {
			t.Fatal(err)
		}
	}
	kubeconfig, err := cp.KubeconfigFor(ctx, manager.Namespace, manager.ServiceAccount)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "assay")
	if err := manager.Build(ctx, "../..", program); err != nil {
		t.Fatal(err)
	}
	address := fixture.FreeAddress(t)
	// Other tests cover the authorization of metrics.
	fixture.StartManager(t, program, kubeconfig, "--leader-elect", "--metrics-secure=false", "--metrics-bind-address="+address)
	return "http://" + address + "/metrics"
}

// get scrapes once, as the job of config/prometheus does.
func get(ctx context.Context, url string) (series []sample, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	decoder := expfmt.NewDecoder(response.Body, expfmt.NewFormat(expfmt.TypeTextPlain))
	for {
		family := &dto.MetricFamily{}
		if err := decoder.Decode(family); errors.Is(err, io.EOF) {
			return series, nil
		} else if err != nil {
			return nil, err
		}
		samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.Now()}, family)
		if err != nil {
			return nil, err
		}
		for _, s := range samples {
			series = append(series, newSample(s, family.GetType() != dto.MetricType_GAUGE))
		}
	}
}

func newSample(s *model.Sample, counter bool) sample {
	builder := labels.NewBuilder(labels.FromStrings("job", "assay", "namespace", manager.Namespace, "pod", "manager-0"))
	for name, value := range s.Metric {
		builder.Set(string(name), string(value))
	}
	return sample{labels: builder.Labels(), value: float64(s.Value), counter: counter}
}

// loadStatement writes the series in the test language of Prometheus.
func loadStatement(series []sample) string {
	var b strings.Builder
	b.WriteString("load " + loadStep + "\n")
	for _, s := range series {
		growth := 0
		if s.counter {
			growth = 1
		}
		// Summaries without observations are NaN.
		if !math.IsNaN(s.value) {
			fmt.Fprintf(&b, "  %s %s+%dx%d\n", s.labels, strconv.FormatFloat(s.value, 'f', -1, 64), growth, loadSteps)
		}
	}
	return b.String()
}
