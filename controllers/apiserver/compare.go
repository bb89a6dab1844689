// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/apiserverstatus"
)

const (
	// attempts is how often a shard is asked for while the answer does not fit: the number of
	// shards may be changing, or the policy may just have been installed.
	attempts = 3
	// attemptInterval is the pause between them.
	attemptInterval = time.Second
)

// finding is what is found out about an API server, or about one shard of it.
type finding = apiserverstatus.Server

func found(state apiserverstatus.State, format string, args ...any) finding {
	return finding{State: state, Message: fmt.Sprintf(format, args...)}
}

// check asks an API server for each shard that was stored a while ago. The first shard that is not
// as it should be decides.
func (c *Checker) check(ctx context.Context, address string, expected map[string]string) finding {
	result := finding{State: apiserverstatus.Current}
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		next, err := c.checkShard(ctx, address, expected, name)
		if err != nil {
			logf.FromContext(ctx).V(1).Info("Cannot ask an API server", "shard", name, "error", err.Error())
			return found(apiserverstatus.Unknown, "%s", describe(err))
		}
		switch next.State {
		case apiserverstatus.Current:
		case apiserverstatus.Unfenced:
			result = next
		default:
			return next
		}
	}
	return result
}

// checkShard asks an API server for one shard.
func (c *Checker) checkShard(ctx context.Context, address string, expected map[string]string, name string) (finding, error) {
	var result finding
	for attempt := range attempts {
		if attempt > 0 {
			c.wait(ctx, attemptInterval)
		}
		now, err := c.storedShards(ctx)
		if err != nil {
			return finding{}, err
		}
		known := slices.Concat(slices.Collect(maps.Keys(expected)), slices.Collect(maps.Keys(now)))
		answer, sighting, err := c.asker.ask(ctx, address, allowlist.CanaryData(known, name))
		_, still := now[name]
		switch {
		case err != nil:
			return finding{}, err
		case answer == nothing:
			return noAllowlist(), nil
		case answer == admitted && !still:
			return finding{State: apiserverstatus.Current}, nil
		case answer == admitted:
			if result, err = c.explainAbsence(ctx, address, name); err != nil || result.State != apiserverstatus.Stale {
				return result, err
			}
		case sighting.Shard == name:
			return compare(sighting, expected[name]), nil
		default:
			result = found(apiserverstatus.Stale, "it goes by ConfigMap %s, which is not part of the allowlist", sighting.Shard)
		}
	}
	return result, nil
}

// explainAbsence finds out why an API server does not state a shard that is stored.
func (c *Checker) explainAbsence(ctx context.Context, address, name string) (finding, error) {
	answer, _, err := c.asker.ask(ctx, address, nil)
	switch {
	case err != nil:
		return finding{}, err
	case answer == admitted:
		return found(apiserverstatus.NoPolicy, "it does not evaluate the policy %s", allowlist.CanaryPolicy), nil
	case answer == nothing:
		return noAllowlist(), nil
	default:
		return found(apiserverstatus.Stale, "it does not have shard %s", name), nil
	}
}

func noAllowlist() finding {
	return found(apiserverstatus.NoAllowlist, "it has no shard of the allowlist")
}

// compare evaluates what an API server states about its copy of a shard, given the resource version that was
// stored a while ago. A newer one is fine: the shard may have changed since.
func compare(s allowlist.Sighting, expected string) finding {
	order, err := resourceversion.CompareResourceVersion(s.ResourceVersion, expected)
	switch {
	case err != nil:
		return found(apiserverstatus.Unknown, "the resource versions of shard %s cannot be compared", s.Shard)
	case order < 0:
		return found(apiserverstatus.Stale, "its copy of shard %s is outdated", s.Shard)
	case order == 0 && !s.Counts:
		return found(apiserverstatus.Stale, "its authorizer does not know that shard %s counts", s.Shard)
	case !s.Fenced:
		return found(apiserverstatus.Unfenced, "its authorizer accepts every state of the allowlist, also outdated ones")
	default:
		return finding{State: apiserverstatus.Current}
	}
}
