// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/yaml"

	"github.com/assay-project/assay/internal/cli/summary"
	"github.com/assay-project/assay/internal/safetext"
)

// statusWriter returns the writer for a format.
func statusWriter(format string) (func(io.Writer, *summary.Status, time.Time) error, error) {
	switch format {
	case "table", "wide":
		return func(w io.Writer, s *summary.Status, now time.Time) error {
			return writeStatusTable(w, s, now, format == "wide")
		}, nil
	case "json":
		return func(w io.Writer, s *summary.Status, _ time.Time) error {
			encoder := json.NewEncoder(w)
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			return encoder.Encode(s)
		}, nil
	case "yaml":
		return func(w io.Writer, s *summary.Status, _ time.Time) error {
			data, err := yaml.Marshal(s)
			if err != nil {
				return err
			}
			_, err = w.Write(data)
			return err
		}, nil
	default:
		return nil, usagef("--output must be table, wide, json or yaml, and is %q", format)
	}
}

// writeStatusTable writes one table for each part of the status that is not empty.
func writeStatusTable(w io.Writer, s *summary.Status, now time.Time, wide bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d images: %d verified, %d refused, %d could not be checked, %d pending\n",
		s.Images.Total, s.Images.Verified, s.Images.Refused, s.Images.Unknown, s.Images.Pending)
	reasons := [][]string{{"VERIFIED", "REASON", "IMAGES"}}
	for _, r := range s.Reasons {
		reasons = append(reasons, []string{r.Verified, r.Reason, fmt.Sprint(r.Count)})
	}
	addTable(&b, reasons)
	addTable(&b, policyRows(s.Policies, wide))
	if len(s.Policies) == 0 {
		b.WriteString("\nThere are no TrustPolicies: no image can be verified.\n")
	}
	addTable(&b, keyRows(s.Keys, now, wide))
	addImport(&b, s, now, wide)
	addTable(&b, serverRows(s.APIServers, now, wide))
	addNote(&b, "API servers are", s.APIServersNote)
	if wide {
		addTable(&b, imageRows(s.Unverified))
		if s.Omitted > 0 {
			fmt.Fprintf(&b, "and %d more (--limit)\n", s.Omitted)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func policyRows(policies []summary.Policy, wide bool) [][]string {
	rows := [][]string{{"POLICY", "ENFORCEMENT", "READY", "KEYS", "VERIFIED", "FAILED", "UNKNOWN"}}
	if wide {
		rows[0] = append(rows[0], "SCOPES", "MESSAGE")
	}
	for i := range policies {
		p := &policies[i]
		row := []string{p.Name, p.Enforcement, p.Ready, p.Keys, "", "", ""}
		if p.Images != nil {
			row[4], row[5], row[6] = fmt.Sprint(p.Images.Verified), fmt.Sprint(p.Images.Failed), fmt.Sprint(p.Images.Unknown)
		}
		if wide {
			row = append(row, strings.Join(p.Scopes, ","), p.Message)
		}
		rows = append(rows, row)
	}
	return rows
}

func keyRows(keys []summary.Key, now time.Time, wide bool) [][]string {
	rows := [][]string{{"KEY", "POLICY", "EXPIRES", "REASON", "OWNER"}}
	if wide {
		rows[0] = append(rows[0], "SOURCE", "MESSAGE")
	}
	for i := range keys {
		k := &keys[i]
		name := k.Fingerprint
		if name == "" {
			name = k.Name
		}
		row := []string{name, k.Policy, expiry(k, now), k.Reason, k.UserID}
		if wide {
			row = append(row, k.Source, k.Message)
		}
		rows = append(rows, row)
	}
	return rows
}

// serverRows lists the API servers and the allowlist that each of them has.
func serverRows(servers []summary.APIServer, now time.Time, wide bool) [][]string {
	rows := [][]string{{"API SERVER", "ALLOWLIST", "SINCE"}}
	if wide {
		rows[0] = append(rows[0], "MESSAGE")
	}
	for i := range servers {
		s := &servers[i]
		row := []string{s.Address, string(s.State), age(now, s.Since.Time)}
		if wide {
			row = append(row, s.Message)
		}
		rows = append(rows, row)
	}
	return rows
}

// expiry describes when a key expires, relative to now.
func expiry(k *summary.Key, now time.Time) string {
	switch {
	case k.Expires == nil:
		return ""
	case k.Expires.After(now):
		return "in " + duration.HumanDuration(k.Expires.Sub(now))
	default:
		return duration.HumanDuration(now.Sub(k.Expires.Time)) + " ago"
	}
}

func imageRows(images []summary.Image) [][]string {
	rows := [][]string{{"IMAGE", "REFERENCE", "VERIFIED", "REASON", "MESSAGE"}}
	for i := range images {
		image := &images[i]
		verified, reason := image.Verified, image.Reason
		if verified == "" {
			verified = "Pending"
		}
		rows = append(rows, []string{image.Name, image.Reference, verified, reason, image.Message})
	}
	return rows
}

// addTable adds a table after an empty line, or nothing if there are only headings.
func addTable(b *strings.Builder, rows [][]string) {
	if len(rows) < 2 {
		return
	}
	b.WriteByte('\n')
	table := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if cell == "" {
				cell = "-"
			}
			if i > 0 {
				// A strings.Builder never fails.
				_, _ = io.WriteString(table, "\t")
			}
			_, _ = io.WriteString(table, safetext.Mask(cell))
		}
		_, _ = io.WriteString(table, "\n")
	}
	_ = table.Flush()
}
