// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// decoders are the packages that turn what the API server sends into Images and other objects. A
// sample in anything that they call counts as theirs.
var decoders = []string{
	"github.com/assay-project/assay/internal/imagejson.",
	"k8s.io/apimachinery/pkg/runtime/serializer",
	"k8s.io/apimachinery/pkg/util/framer.",
	"sigs.k8s.io/json",
	"encoding/json.Unmarshal",
	"encoding/json.(*Decoder)",
}

// profile records for the given time where the manager spends processor time.
func (m *testManager) profile(ctx context.Context, duration time.Duration) (*profile.Profile, error) {
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%.0f", m.pprofAddress, max(1, duration.Seconds()))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // Only read.
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("profile: %s", response.Status)
	}
	return profile.Parse(response.Body)
}

// decodingShare returns the part of the samples of a profile of the processor that decoders have,
// between 0 and 1.
func decodingShare(p *profile.Profile) (float64, error) {
	var all, decoding int64
	for _, sample := range p.Sample {
		count := sample.Value[0]
		all += count
		if slices.ContainsFunc(sample.Location, isDecoder) {
			decoding += count
		}
	}
	if all == 0 {
		return 0, errors.New("the profile has no samples")
	}
	return float64(decoding) / float64(all), nil
}

func isDecoder(location *profile.Location) bool {
	return slices.ContainsFunc(location.Line, func(line profile.Line) bool {
		return line.Function != nil && slices.ContainsFunc(decoders, func(prefix string) bool {
			return strings.HasPrefix(line.Function.Name, prefix)
		})
	})
}
