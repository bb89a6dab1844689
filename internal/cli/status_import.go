// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/assay-project/assay/internal/cli/summary"
	"github.com/assay-project/assay/internal/importstatus"
	"github.com/assay-project/assay/internal/safetext"
)

// addImport adds where signatures are fetched from, what keeps that from succeeding, and what
// discovery leaves out.
func addImport(b *strings.Builder, s *summary.Status, now time.Time, wide bool) {
	addTable(b, registryRows(s.RegistryConfigs, wide))
	addNote(b, "RegistryConfigs are", s.RegistryConfigsNote)
	addTable(b, hostRows(s.Import.Hosts, now))
	addMore(b, s.Import.OmittedHosts)
	addPending(b, &s.Import.Pending, now)
	addDiscovery(b, s.Import.Discovery)
	addTable(b, movedRows(s.MovedTags, wide))
	addMore(b, s.OmittedMovedTags)
	addNote(b, "state of imports is", s.ImportNote)
}

// addNote adds why something is not shown; what is its name with the verb, without the article.
func addNote(b *strings.Builder, what, note string) {
	if note != "" {
		fmt.Fprintf(b, "\nThe %s not shown: %s\n", what, safetext.Mask(note))
	}
}

func addMore(b *strings.Builder, omitted int) {
	if omitted > 0 {
		fmt.Fprintf(b, "and %d more\n", omitted)
	}
}

func registryRows(registries []summary.RegistryConfig, wide bool) [][]string {
	rows := [][]string{{"REGISTRYCONFIG", "READY", "REASON", "IMPORTED", "PENDING", "FAILED"}}
	if wide {
		rows[0] = append(rows[0], "SCOPES", "LOOKASIDE", "MIRRORS", "MESSAGE")
	}
	for i := range registries {
		r := &registries[i]
		row := []string{r.Name, r.Ready, r.Reason, "", "", ""}
		if r.Images != nil {
			row[3], row[4], row[5] = fmt.Sprint(r.Images.Imported), fmt.Sprint(r.Images.Pending), fmt.Sprint(r.Images.Failed)
		}
		if wide {
			row = append(row, strings.Join(r.Scopes, ","), r.Lookaside, strings.Join(r.Mirrors, ","), r.Message)
		}
		rows = append(rows, row)
	}
	return rows
}

// hostRows lists the hosts that rest or do not answer.
func hostRows(hosts []importstatus.Host, now time.Time) [][]string {
	rows := [][]string{{"HOST", "REASON", "SINCE", "RESTS", "MESSAGE"}}
	for i := range hosts {
		h := &hosts[i]
		rests := ""
		if h.Until != nil && h.Until.After(now) {
			rests = "for " + duration.HumanDuration(h.Until.Sub(now))
		}
		rows = append(rows, []string{h.Host, h.Reason, age(now, h.Since.Time), rests, h.Message})
	}
	return rows
}

func addPending(b *strings.Builder, p *importstatus.Pending, now time.Time) {
	o := p.Oldest
	if o == nil {
		return
	}
	reason := ""
	if o.Reason != "" {
		reason = " (" + o.Reason + ")"
	}
	fmt.Fprintf(b, "\nImages that wait for signatures: %d, the oldest for %s%s: %s %s\n", p.Images, age(now, o.Since.Time),
		safetext.Mask(reason), safetext.Mask(o.Name), safetext.Mask(o.Reference))
}

func addDiscovery(b *strings.Builder, d *importstatus.Discovery) {
	if d == nil {
		return
	}
	fmt.Fprintf(b, "\nImages that workloads refer to: %d verified, %d not verified, %d by a tag whose digest is not known, %d left out\n",
		d.Verified, d.Unverified, d.Unresolved, d.Excess)
	rows := [][]string{{"NAMESPACE", "LEFT OUT", "CAUSE"}}
	for _, l := range d.LeftOut {
		rows = append(rows, []string{l.Namespace, fmt.Sprint(l.References), l.Cause})
	}
	addTable(b, rows)
	addMore(b, d.OmittedLeftOut)
	rows = [][]string{{"TAG", "LOOKUP FAILED"}}
	for _, tag := range d.Tags {
		rows = append(rows, []string{tag.Image, tag.Message})
	}
	addTable(b, rows)
	addMore(b, d.OmittedTags)
	if len(d.NotListed) > 0 {
		fmt.Fprintf(b, "\nResources that cannot be listed, so that nothing is discovered from them: %s\n", safetext.Mask(strings.Join(d.NotListed, ", ")))
	}
}

// movedRows lists the tags that have moved to an image that is not verified.
func movedRows(tags []summary.MovedTag, wide bool) [][]string {
	rows := [][]string{{"TAG", "MOVED TO", "VERIFIED", "REASON", "VERIFIED BEFORE"}}
	if wide {
		rows[0] = append(rows[0], "IMAGE")
	}
	for i := range tags {
		t := &tags[i]
		to, before := t.Digest, t.Previous
		if !wide {
			to, before = shortDigest(to), shortDigest(before)
		}
		row := []string{t.Image, to, cmp.Or(t.Verified, "Pending"), t.Reason, before}
		if wide {
			row = append(row, t.Name)
		}
		rows = append(rows, row)
	}
	return rows
}

// shortDigest is the beginning of a digest, by which people tell those of one repository apart.
func shortDigest(d string) string {
	algorithm, hex, ok := strings.Cut(d, ":")
	const digits = 12
	if !ok || len(hex) <= digits {
		return d
	}
	return algorithm + ":" + hex[:digits]
}

// age is the time since t for people. It is never negative: clocks differ.
func age(now, t time.Time) string { return duration.HumanDuration(max(0, now.Sub(t))) }
