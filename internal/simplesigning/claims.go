// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package simplesigning

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-project/assay/internal/safetext"
	"github.com/assay-project/assay/internal/strictjson"
)

// Bounds of Payload.Claims, which is stored on an API object once for each signature.
const (
	// MaxClaims is the maximum number of claims. They always include the five that the format
	// defines, followed by others in the order of their names. If some are omitted, the claim
	// "optional.…" has their number.
	MaxClaims = 32
	// MaxClaimName is the maximum length of a claim's name in bytes.
	MaxClaimName = 128
	// MaxClaimValue is the maximum length of a claim's value in bytes. A docker-reference always
	// fits. Longer values are truncated and end with "…".
	MaxClaimValue = 1024
)

const (
	memberCritical = "critical"
	memberOptional = "optional"

	// Names of the claims that the format defines.
	claimType      = "critical.type"
	claimDigest    = "critical.image.docker-manifest-digest"
	claimReference = "critical.identity.docker-reference"
	claimCreator   = "optional.creator"
	claimTimestamp = "optional.timestamp"

	optionalPrefix = memberOptional + "."
	ellipsis       = "…"
)

// claim is a member of optional that the format does not define.
type claim struct {
	name  string // as in the payload
	value string // escaped and bounded
}

// unknown reads a member of optional that the format does not define.
func (r *reader) unknown(name string) error {
	value, err := r.display()
	if err != nil {
		return at(memberOptional, err)
	}
	r.extra = append(r.extra, claim{name, value})
	return nil
}

// display reads a value of any kind as text for display: the characters of a string, and anything
// else as compact JSON with sorted members, so that the claim does not depend on the layout of the
// payload.
func (r *reader) display() (string, error) {
	switch r.Kind() {
	case strictjson.String:
		text, err := r.String()
		return safetext.EscapeJSON(text, MaxClaimValue, true), err
	case strictjson.Object, strictjson.Array:
		raw, err := r.Raw()
		if err != nil {
			return "", err
		}
		return safetext.EscapeJSON(compact(raw), MaxClaimValue, false), nil
	default:
		raw, err := r.Raw()
		return safetext.EscapeJSON(raw, MaxClaimValue, false), err
	}
}

// compact returns valid JSON without white space and with sorted members; numbers keep their
// spelling.
func compact(raw string) string {
	d := json.NewDecoder(strings.NewReader(raw))
	d.UseNumber()
	var v any
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if d.Decode(&v) != nil || e.Encode(v) != nil {
		return raw // not reached: a stricter parser has accepted raw
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// claims flattens the payload.
func (r *reader) claims() map[string]string {
	claims := make(map[string]string, 5+min(len(r.extra), MaxClaims))
	slices.SortFunc(r.extra, func(a, b claim) int { return strings.Compare(a.name, b.name) })
	// Reserve one place for each claim that the format defines, present or not, and one for the
	// number of omitted claims.
	shown := r.extra[:min(len(r.extra), MaxClaims-6)]
	for _, c := range slices.Backward(shown) { // backward, so that the first of names that truncate to the same text wins
		claims[safetext.EscapeJSON(optionalPrefix+c.name, MaxClaimName, true)] = c.value
	}
	if left := len(r.extra) - len(shown); left > 0 {
		claims[optionalPrefix+ellipsis] = fmt.Sprintf("%d more", left)
	}
	claims[claimType] = signatureType
	claims[claimDigest] = r.payload.ManifestDigest.String()
	claims[claimReference] = safetext.EscapeJSON(r.payload.DockerReference, MaxClaimValue, true)
	if r.payload.Creator != nil {
		claims[claimCreator] = safetext.EscapeJSON(*r.payload.Creator, MaxClaimValue, true)
	}
	if r.payload.Timestamp != nil {
		claims[claimTimestamp] = strconv.FormatInt(*r.payload.Timestamp, 10)
	}
	return claims
}
