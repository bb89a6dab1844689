// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package allowlist encodes the allowlist in the form in which admission
// reads it: as the data of ConfigMaps that are the parameters of a
// ValidatingAdmissionPolicy.
//
// # Shards
//
// The allowlist is split over a number of ConfigMaps (shards) that is a power of two, by the
// first two hexadecimal digits of an image's digest (the bucket): shard i of n holds the
// buckets from i*256/n up to (i+1)*256/n. A policy is evaluated once for each shard, and
// all must agree; a shard agrees to what is in none of its buckets. Two complete sets can
// therefore exist at the same time, and what counts is what both agree to.
//
// The data of a shard are
//
//	format            1
//	epoch             what the fence knows this state of the shard by (fence.go)
//	validUntil        when the allowlist expires, RFC 3339; absent when it does not
//	00 … ff           every bucket of the shard, also the empty ones: <repository>@sha256:<hex>
//	scopes-<n>        every scope of n characters with its level: <scope> <level>
//
// Repositories and scopes are in canonical form: see package imageref.
//
// Buckets and scopes are lines in order, with a line break before the first and behind each
// one, so that a reader can look for a whole line as text. Scopes are keyed by their length
// so that looking for one does not read all; each shard has all of them.
//
// # Labels
//
// Every shard has the label assay.dev/allowlist=shard, and for each level that
// one of the scopes has another one, assay.dev/level-<level> with the level in lower case.
// A policy for a level that nobody asks for finds no shard then, and costs nothing.
package allowlist

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// Label marks the ConfigMaps, with LabelValue.
	Label      = "assay.dev/allowlist"
	LabelValue = "shard"

	// levelLabels is what the labels for the levels begin with.
	levelLabels = "assay.dev/level-"

	// formatVersion is the value of format.
	formatVersion = "1"

	keyFormat     = "format"
	keyValidUntil = "validUntil"
	keyScopes     = "scopes-"
)

// Bounds, in bytes of keys and values.
const (
	// MaxShardSize is what a shard may hold. An API server takes a ConfigMap of 1 MiB, and
	// encodes and stores each change of it whole.
	MaxShardSize = 960 << 10

	// MaxScopesSize is what all scopes may need. Every shard repeats them.
	MaxScopesSize = 256 << 10

	// buckets is the number of buckets, and the largest number of shards.
	buckets = 256
)

// Level is what admission does with an image that is not verified, by the scope that covers
// it: Enforce, Warn or Audit, as in a TrustPolicy's enforcement.
type Level string

// The levels, the strictest first.
const (
	Enforce Level = "Enforce"
	Warn    Level = "Warn"
	Audit   Level = "Audit"
)

// order has every level, the strictest first.
var order = []Level{Enforce, Warn, Audit}

// Stricter returns the stricter of two levels. What is no level is stricter than all.
func Stricter(a, b Level) Level {
	if slices.Index(order, a) <= slices.Index(order, b) {
		return a
	}
	return b
}

// written returns the level that is written for one: admission looks for the levels by name,
// and what is none is enforced.
func (l Level) written() Level {
	if !slices.Contains(order, l) {
		return Enforce
	}
	return l
}

// State is what admission is to know.
type State struct {
	// Images are the verified ones, as <repository>@sha256:<64 hexadecimal digits>, in
	// canonical form: admission takes whatever is listed for a canonical name.
	Images []string
	// Scopes are those of all TrustPolicies.
	Scopes map[string]Level
}

// HasScope reports whether a text is a scope.
func (s *State) HasScope(text string) bool {
	_, ok := s.Scopes[text]
	return ok
}

// Shard is one ConfigMap of the allowlist.
type Shard struct {
	Name   string
	Labels map[string]string
	Data   map[string]string
}

// Size returns the bytes of the shard's keys and values.
func (s *Shard) Size() int {
	size := 0
	for key, value := range s.Data {
		size += len(key) + len(value)
	}
	return size
}

// SetValidUntil says when the shard's list ends; zero for never.
func (s *Shard) SetValidUntil(t time.Time) {
	if t.IsZero() {
		delete(s.Data, keyValidUntil)
		return
	}
	s.Data[keyValidUntil] = t.UTC().Format(time.RFC3339)
}

// ValidUntil returns when a stored shard's list ends, zero when it does not say.
func ValidUntil(data map[string]string) time.Time {
	t, err := time.Parse(time.RFC3339, data[keyValidUntil])
	if err != nil {
		return time.Time{}
	}
	return t
}

// Encode returns the shards of a state, the same for the same state whatever its order.
// current is the number of shards that there are, 0 for none: it is kept as long as it
// does, so that an allowlist whose size goes up and down a little does not move each time. An
// error says that the state is too large.
func Encode(state State, current int) ([]Shard, error) {
	scopes, size := encodeScopes(state.Scopes)
	if size > MaxScopesSize {
		return nil, fmt.Errorf("the scopes of all TrustPolicies take %d bytes, and admission reads %d", size, MaxScopesSize)
	}
	texts, err := encodeBuckets(state.Images)
	if err != nil {
		return nil, err
	}
	count, err := shardCount(&texts, size, current)
	if err != nil {
		return nil, err
	}
	return split(scopes, &texts, count, labels(state.Scopes)), nil
}

// Split returns a state in so many shards, a power of two, however large they become.
func Split(state State, count int) ([]Shard, error) {
	if !isCount(count) {
		return nil, fmt.Errorf("%d is not a number of shards", count)
	}
	scopes, _ := encodeScopes(state.Scopes)
	texts, err := encodeBuckets(state.Images)
	if err != nil {
		return nil, err
	}
	return split(scopes, &texts, count, labels(state.Scopes)), nil
}

// Refusal returns a set of one shard by which nothing is admitted: it has no epoch that counts. It
// comes before the first set of several shards.
func Refusal() Shard {
	return Shard{Name: Name(1, 0), Labels: labels(nil), Data: map[string]string{keyFormat: formatVersion}}
}

// labels returns those of every shard.
func labels(scopes map[string]Level) map[string]string {
	labels := map[string]string{Label: LabelValue}
	for _, level := range scopes {
		labels[LevelLabel(level.written())] = "true"
	}
	return labels
}

// LevelLabel returns the label of an allowlist with scopes of a level.
func LevelLabel(level Level) string { return levelLabels + strings.ToLower(string(level)) }

// IsLabel reports whether a label is one of those that a shard may have.
func IsLabel(name string) bool { return name == Label || strings.HasPrefix(name, levelLabels) }

func split(scopes map[string]string, texts *[buckets]string, count int, labels map[string]string) []Shard {
	shards := make([]Shard, count)
	for i := range shards {
		data := map[string]string{keyFormat: formatVersion}
		for key, text := range scopes {
			data[key] = text
		}
		for b := i * buckets / count; b < (i+1)*buckets/count; b++ {
			data[bucketKey(b)] = texts[b]
		}
		shards[i] = Shard{Name: Name(count, i), Labels: labels, Data: data}
	}
	return shards
}

// isCount reports whether there can be that many shards.
func isCount(n int) bool {
	return n >= 1 && n <= buckets && n&(n-1) == 0
}

func encodeScopes(scopes map[string]Level) (texts map[string]string, size int) {
	lines := map[string][]string{}
	for scope, level := range scopes {
		key := keyScopes + strconv.Itoa(len(scope))
		lines[key] = append(lines[key], scope+" "+string(level.written()))
	}
	texts = make(map[string]string, len(lines))
	for key, list := range lines {
		texts[key] = frame(list)
		size += len(key) + len(texts[key])
	}
	return texts, size
}

func encodeBuckets(images []string) (texts [buckets]string, err error) {
	var lines [buckets][]string
	for _, image := range images {
		b, ok := bucketOf(image)
		if !ok {
			return texts, fmt.Errorf("%q is not a repository with a sha256 digest", image)
		}
		lines[b] = append(lines[b], image)
	}
	for b := range lines {
		texts[b] = frame(lines[b])
	}
	return texts, nil
}

// bucketOf returns the bucket of <repository>@sha256:<hex>.
func bucketOf(image string) (bucket int, ok bool) {
	const digits = 64
	_, hex, found := strings.Cut(image, "@sha256:")
	if !found || len(hex) != digits || strings.Trim(hex, "0123456789abcdef") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(hex[:2], 16, 8)
	return int(n), err == nil
}

func bucketKey(bucket int) string { return fmt.Sprintf("%02x", bucket) }

// frame joins lines in order, each once.
func frame(lines []string) string {
	slices.Sort(lines)
	lines = slices.Compact(lines)
	var b strings.Builder
	b.WriteByte('\n')
	for _, line := range lines {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.String()
}

// shardCount returns how many shards it takes: as many as there are, more when one would be
// too large, half as many when those would be at most half full.
func shardCount(texts *[buckets]string, scopes, current int) (int, error) {
	needed := 1
	for largest(texts, needed, scopes) > MaxShardSize {
		if needed == buckets {
			return 0, fmt.Errorf("the allowlist is too large: %d shards of %d bytes do not hold it", buckets, MaxShardSize)
		}
		needed *= 2
	}
	if !isCount(current) {
		current = 1
	}
	for current > needed && largest(texts, current/2, scopes) <= MaxShardSize/2 {
		current /= 2
	}
	return max(needed, current), nil
}

// largest returns the size of the largest of so many shards.
func largest(texts *[buckets]string, count, scopes int) int {
	most := 0
	for i := range count {
		size := len(keyFormat) + len(formatVersion) + len(keyValidUntil) + len(time.RFC3339) + len(keyEpoch) + maxEpochSize + scopes
		for b := i * buckets / count; b < (i+1)*buckets/count; b++ {
			size += len(bucketKey(b)) + len(texts[b])
		}
		most = max(most, size)
	}
	return most
}

// namePrefix is what the names of all shards begin with.
const namePrefix = "assay-allowlist-"

// Name returns the name of a shard: assay-allowlist-<count>-<index>.
func Name(count, index int) string {
	return fmt.Sprintf("%s%d-%d", namePrefix, count, index)
}

// CountOf returns the number of shards of the set that a shard of that name is one of.
func CountOf(name string) (count int, ok bool) {
	rest, ok := strings.CutPrefix(name, namePrefix)
	if !ok {
		return 0, false
	}
	first, second, _ := strings.Cut(rest, "-")
	count, err := strconv.Atoi(first)
	if err != nil || !isCount(count) {
		return 0, false
	}
	index, err := strconv.Atoi(second)
	return count, err == nil && index >= 0 && index < count && Name(count, index) == name
}
