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
	// MaxClaims is the largest number of claims. The five that the format defines are always among them, then
	// others in the order of their names; when some are left out, the claim "optional.…" says how many.
	MaxClaims = 32
	// MaxClaimName is the longest name of a claim in bytes.
	MaxClaimName = 128
	// MaxClaimValue is the longest value of a claim in bytes. A docker-reference always fits. Longer ones are cut
	// and end with "…".
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

// display reads a value of any kind as text to look at: a string's characters, anything else as compact JSON with
// sorted members, so that the claim depends on what was signed and not on how it was laid out.
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

// compact returns valid JSON without white space and with sorted members; numbers keep their spelling.
func compact(raw string) string {
	d := json.NewDecoder(strings.NewReader(raw))
	d.UseNumber()
	var v any
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if d.Decode(&v) != nil || e.Encode(v) != nil {
		return raw // what is stricter than encoding/json has accepted raw
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// claims flattens the payload.
func (r *reader) claims() map[string]string {
	claims := make(map[string]string, 5+min(len(r.extra), MaxClaims))
	slices.SortFunc(r.extra, func(a, b claim) int { return strings.Compare(a.name, b.name) })
	// One place is kept for each claim that the format defines, present or not, and one for the count of what was
	// left out.
	shown := r.extra[:min(len(r.extra), MaxClaims-6)]
	for _, c := range slices.Backward(shown) { // of two names that are alike when cut, the first in order is shown
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
