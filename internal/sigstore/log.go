// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore

import (
	"errors"
	"time"

	"github.com/assay-project/assay/internal/rfc3161"
	"github.com/assay-project/assay/internal/tlog"
)

// evidence is what others than the signer say about a signature.
type evidence struct {
	entries []*tlog.Entry // those that are verified
	logs    []*tlog.Log   // by which, in the same order
	// times at which the signature existed, by promise or timestamp, not in order.
	times []time.Time
	// claimed times are not signed. They must not contradict the others.
	claimed []time.Time
	// validUntil is when the evidence stops to count, zero if never.
	validUntil time.Time
}

// earliest returns the earliest trusted time, zero if there is none.
func (e *evidence) earliest() time.Time {
	var first time.Time
	for _, t := range e.times {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	return first
}

// evidence checks log entries and timestamps of a signature against roots.
func (c *checker) evidence(r *Roots, signed *tlog.Signed, timeRequired bool) (*evidence, *Error) {
	e := &evidence{}
	if err := c.checkLogs(r, signed, e); err != nil {
		return nil, err
	}
	if err := c.checkTimestamps(r, e); err != nil {
		return nil, err
	}
	if timeRequired && len(e.times) == 0 {
		if len(r.tsas) == 0 {
			return nil, fail(RootsUnavailable, "the log entry has no signed time, and the policy has no timestamp authority")
		}
		return nil, fail(NoTrustedTime, "nothing that the policy trusts says when the signature was made")
	}
	for _, t := range e.times {
		if t.After(c.now) {
			err := fail(SignedInFuture, "the signature was made later than the present time")
			err.RecheckAt = t
			return nil, err
		}
	}
	return e, c.checkLogValidity(e)
}

// checkLogs checks the entries of all logs that the roots know. Entries of others are passed over:
// they may be for verifiers with another policy.
func (c *checker) checkLogs(r *Roots, signed *tlog.Signed, e *evidence) *Error {
	if len(r.logs) == 0 {
		return fail(RootsUnavailable, "the policy's root names no transparency log that can be used")
	}
	entries, err := c.entries()
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return fail(NoLogEntry, "the signature has no entry of a transparency log, which the policy asks for")
	}
	for _, entry := range entries {
		log := tlog.Find(r.logs, entry.LogID, entry.Origin())
		if log == nil {
			continue
		}
		if err := c.spend(entry.Signatures() * log.Key.Cost()); err != nil {
			return err
		}
		at, err := entry.Verify(log)
		if err != nil {
			return fail(InvalidLogEntry, err.Error())
		}
		if err := entry.Body.Match(signed); err != nil {
			return fail(LogEntryMismatch, err.Error())
		}
		e.entries, e.logs = append(e.entries, entry), append(e.logs, log)
		switch {
		case !at.IsZero():
			e.times = append(e.times, at)
			if !log.Valid.Contains(at) {
				return fail(UntrustedLog, "the key of log "+log.ID.String()+" was not valid when the log took the entry")
			}
		case entry.IntegratedTime != 0:
			e.claimed = append(e.claimed, time.Unix(entry.IntegratedTime, 0).UTC())
		}
	}
	if len(e.entries) == 0 {
		return fail(UntrustedLog, "the signature is in log "+entries[0].LogID.String()+", which the policy does not trust")
	}
	return nil
}

// checkTimestamps checks the timestamps against all authorities that the roots know. Timestamps by
// others are passed over.
func (c *checker) checkTimestamps(r *Roots, e *evidence) *Error {
	if len(r.tsas) == 0 {
		return nil
	}
	timestamps, err := c.timestamps()
	if err != nil {
		return err
	}
	for _, raw := range timestamps {
		token, err := rfc3161.Parse(raw)
		if err != nil {
			return fail(InvalidTimestamp, err.Error())
		}
		if err := c.spendBrought(r.stampCost(token)); err != nil {
			return err
		}
		at, err := r.timestamped(token)
		switch {
		case errors.Is(err, rfc3161.ErrUntrusted):
			continue
		case err != nil:
			return fail(InvalidTimestamp, err.Error())
		case !token.Covers(c.s.signature):
			return fail(InvalidTimestamp, "the timestamp is for another signature")
		}
		e.times = append(e.times, at)
	}
	return nil
}

// stampCost estimates what timestamped costs, in microseconds.
func (r *Roots) stampCost(token *rfc3161.Token) int {
	cost := 0
	for _, tsa := range r.tsas {
		cost += tsa.authority.Cost(token)
	}
	return cost
}

// timestamped returns the time of a timestamp by one of the authorities, or rfc3161.ErrUntrusted if
// it is by none of them.
func (r *Roots) timestamped(token *rfc3161.Token) (time.Time, error) {
	failed := rfc3161.ErrUntrusted
	for _, tsa := range r.tsas {
		at, err := tsa.authority.Verify(token)
		switch {
		case err == nil && tsa.valid.Contains(at):
			return at, nil
		case err != nil && !errors.Is(err, rfc3161.ErrUntrusted):
			failed = err
		}
	}
	return time.Time{}, failed
}

// checkLogValidity checks the keys of logs that do not sign a time, such as those of Rekor version
// 2, at the trusted times; or where there are none, which is only so for a policy's own keys, now.
func (c *checker) checkLogValidity(e *evidence) *Error {
	times := e.times
	if len(times) == 0 {
		times = []time.Time{c.now}
	}
	for _, log := range e.logs {
		for _, t := range times {
			if !log.Valid.Contains(t) {
				return fail(UntrustedLog, "the key of log "+log.ID.String()+" was not valid when the signature was made")
			}
		}
		if len(e.times) == 0 {
			e.validUntil = earlier(e.validUntil, log.Valid.End)
		}
	}
	return nil
}

// earlier returns the earlier of two times, of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
