// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package sigstore_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assay-project/assay/internal/sigstore"
)

// excuse is one check that Assay has and sigstore-go has not.
type excuse struct {
	code   sigstore.Code
	detail string // a regular expression
	why    string
	// repair makes a bundle pass the check, and changes nothing that sigstore-go looks at. It has the
	// genuine bundle at hand.
	repair func(bundle, genuine any)
	// unlogged limits the excuse to policies that ask for no log.
	unlogged bool
}

// excuses are what Assay refuses on purpose and sigstore-go accepts. A bundle is excused when Assay accepts
// it as soon as it was repaired, so that no excuse hides another difference.
var excuses = []excuse{
	{
		code: sigstore.Malformed, detail: `^bundle: `, unlogged: true,
		why: "log entries are well-formed, also where nobody asks for them",
		repair: func(bundle, genuine any) {
			put(at(bundle, "verificationMaterial"), "tlogEntries", at(genuine, "verificationMaterial", "tlogEntries"))
		},
	},
	{
		code: sigstore.Malformed, detail: `^bundle: (byte [0-9]+: )?a string is not base64$`,
		why:    "base64 is standard, with padding, and has one spelling",
		repair: func(bundle, _ any) { eachMember(bundle, repairBase64) },
	},
	{
		code: sigstore.Malformed, detail: `^bundle: (byte [0-9]+: )?the log entry is of another kind than the bundle says$`,
		why:    "the kind beside a log entry is that of the entry",
		repair: func(bundle, _ any) { eachEntry(bundle, repairKind) },
	},
	{
		code: sigstore.UnsupportedVersion, detail: `^bundles of versions 0\.1 to 0\.3 are verified, and this is `,
		why:    "each version of bundles has one media type",
		repair: func(bundle, genuine any) { put(bundle, "mediaType", at(genuine, "mediaType")) },
	},
	{
		code: sigstore.Malformed, detail: `^bundle: (byte [0-9]+: )?the message digest is not one of `,
		why: "the algorithm of a message digest is stated",
		repair: func(bundle, genuine any) {
			put(at(bundle, "messageSignature", "messageDigest"), "algorithm", at(genuine, "messageSignature", "messageDigest", "algorithm"))
		},
	},
	{
		code: sigstore.InvalidTimestamp,
		why:  "each timestamp by an authority that is trusted is valid, also where there is another time",
		repair: func(bundle, genuine any) {
			put(at(bundle, "verificationMaterial"), "timestampVerificationData", at(genuine, "verificationMaterial", "timestampVerificationData"))
		},
	},
	{
		code: sigstore.InvalidLogEntry, detail: `^the proof is for another tree than the checkpoint$`,
		why:    "size and root beside a log entry are those of the checkpoint",
		repair: func(bundle, _ any) { eachEntry(bundle, repairTree) },
	},
	{
		code: sigstore.Malformed, detail: `^bundle: (byte [0-9]+: )?a hash of the proof does not have 32 bytes$`,
		why:    "size and root beside a log entry are those of the checkpoint",
		repair: func(bundle, _ any) { eachEntry(bundle, repairTree) },
	},
	{
		code: sigstore.InvalidLogEntry, detail: `^the checkpoint is not signed by the log$`,
		why:    "the name beside the signature of a checkpoint is that of its origin",
		repair: func(bundle, _ any) { eachEntry(bundle, repairNames) },
	},
	{
		code: sigstore.Malformed, detail: `^bundle: (byte [0-9]+: )?a signature line of the checkpoint is malformed$`,
		why:    "every signature line of a checkpoint is well-formed",
		repair: func(bundle, _ any) { eachEntry(bundle, repairLines) },
	},
	{
		code: sigstore.InvalidLogEntry, detail: `^an entry of Rekor version 2 has the index of its proof$`,
		why:    "both indices beside an entry of Rekor version 2 are the same",
		repair: func(bundle, genuine any) { eachEntry(bundle, ofV2(genuine, repairIndex)) },
	},
	{
		code: sigstore.Malformed, detail: `^bundle: (byte [0-9]+: )?log entry: `,
		why:    "the body of an entry of Rekor version 2 is what the log has",
		repair: func(bundle, genuine any) { eachEntry(bundle, ofV2(genuine, repairBody)) },
	},
	{
		code: sigstore.InvalidLogEntry, detail: `^the proof does not lead from the entry to the root of the tree$`,
		why:    "the body of an entry of Rekor version 2 is what the log has",
		repair: func(bundle, genuine any) { eachEntry(bundle, ofV2(genuine, repairBody)) },
	},
}

// unasked is the one thing about which sigstore-go is stricter. It checks members and signatures of the entries of Rekor
// also where the policy asks for no log, and the entries prove nothing; Assay reads what it would compare.
const unasked = "sigstore-go checks log entries that nobody asks for"

// entriesAlone reports whether both verifiers accept a bundle without its log entries.
func (s *seed) entriesAlone(t *testing.T, changed []byte, now time.Time) bool {
	t.Helper()
	doc := decode(t, changed)
	put(at(doc, "verificationMaterial"), "tlogEntries", []any{})
	without := encode(t, doc)
	return s.assay(without, now) == nil && s.sigstoreGo(without) == nil
}

// excuse returns why Assay refuses a bundle that sigstore-go accepts, and fails the test if it should not.
func (s *seed) excuse(t *testing.T, changed []byte, now time.Time) (whys []string) {
	t.Helper()
	genuine, repaired := decode(t, s.bundle), encode(t, decode(t, changed))
	for ours := s.assay(repaired, now); ours != nil; ours = s.assay(repaired, now) {
		why, next := s.repair(t, repaired, genuine, ours)
		if why == "" {
			t.Errorf("%s: only sigstore-go accepts it; Assay says %s: %v (without %q): %s", s.name, ours.Code, ours, whys, difference(t, s.bundle, changed))
			return nil
		}
		whys, repaired = append(whys, why), next
	}
	if err := s.sigstoreGo(repaired); err != nil {
		t.Errorf("%s: the excuses %q change what sigstore-go says: %v: %s", s.name, whys, err, difference(t, s.bundle, changed))
	}
	return whys
}

// repair makes a bundle pass one check, and returns the reason for that check. The reason is empty if no excuse
// is for it.
func (s *seed) repair(t *testing.T, bundle []byte, genuine any, ours *sigstore.Error) (why string, repaired []byte) {
	t.Helper()
	for _, e := range excuses {
		if e.code != ours.Code || e.unlogged && !s.unlogged || !regexp.MustCompile(e.detail).MatchString(ours.Detail) {
			continue
		}
		doc := decode(t, bundle)
		e.repair(doc, genuine)
		if repaired := encode(t, doc); !bytes.Equal(repaired, bundle) {
			return e.why, repaired
		}
	}
	return "", nil
}

// decode reads a document with its numbers as they are written.
func decode(t *testing.T, document []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	document, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// at returns what a path of members leads to, nil if there is nothing.
func at(v any, path ...string) any {
	for _, name := range path {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

// textAt returns the text that a path leads to, empty if there is none.
func textAt(v any, path ...string) string {
	text, _ := at(v, path...).(string)
	return text
}

// put sets a member of an object, and does nothing to any other value.
func put(v any, name string, value any) {
	if object, ok := v.(map[string]any); ok {
		object[name] = value
	}
}

// eachMember calls a function for all members with a text, by the name of the nearest object's member.
func eachMember(v any, change func(name, text string) string) {
	var walk func(name string, v any) any
	walk = func(name string, v any) any {
		switch v := v.(type) {
		case map[string]any:
			for name, value := range v {
				v[name] = walk(name, value)
			}
		case []any:
			for i, value := range v {
				v[i] = walk(name, value)
			}
		case string:
			return change(name, v)
		}
		return v
	}
	walk("", v)
}

// eachEntry calls a function for all log entries.
func eachEntry(bundle any, change func(entry any)) {
	entries, _ := at(bundle, "verificationMaterial", "tlogEntries").([]any)
	for _, entry := range entries {
		change(entry)
	}
}

// ofV2 changes an entry of Rekor version 2 by the genuine one.
func ofV2(genuine any, change func(entry, genuine any)) func(entry any) {
	return func(entry any) {
		entries, _ := at(genuine, "verificationMaterial", "tlogEntries").([]any)
		for _, genuine := range entries {
			if textAt(genuine, "kindVersion", "version") == "0.0.2" {
				change(entry, genuine)
			}
		}
	}
}

// bytesMembers are the members of bundles with bytes.
var bytesMembers = []string{
	"rawBytes", "signedTimestamp", "payload", "sig", "signature", "digest", "keyId", "signedEntryTimestamp", "rootHash", "hashes", "canonicalizedBody",
}

// repairBase64 spells bytes as Assay reads them. The JSON form of protocol buffers has four spellings.
func repairBase64(name, text string) string {
	if !slices.Contains(bytesMembers, name) {
		return text
	}
	encoding := base64.StdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.URLEncoding
	}
	if len(text)%4 != 0 {
		encoding = encoding.WithPadding(base64.NoPadding)
	}
	raw, err := encoding.DecodeString(text)
	if err != nil {
		return text
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// repairKind states the kind of the entry.
func repairKind(entry any) {
	raw, err := base64.StdEncoding.DecodeString(textAt(entry, "canonicalizedBody"))
	var body struct{ Kind, APIVersion string }
	if err == nil && json.Unmarshal(raw, &body) == nil {
		put(entry, "kindVersion", map[string]any{"kind": body.Kind, "version": body.APIVersion})
	}
}

// repairTree states size and root of the checkpoint.
func repairTree(entry any) {
	lines := strings.Split(textAt(entry, "inclusionProof", "checkpoint", "envelope"), "\n")
	if len(lines) > 2 {
		put(at(entry, "inclusionProof"), "treeSize", lines[1])
		put(at(entry, "inclusionProof"), "rootHash", lines[2])
	}
}

func repairIndex(entry, genuine any) {
	put(entry, "logIndex", at(genuine, "logIndex"))
	put(at(entry, "inclusionProof"), "logIndex", at(genuine, "inclusionProof", "logIndex"))
}

func repairBody(entry, genuine any) {
	put(entry, "canonicalizedBody", at(genuine, "canonicalizedBody"))
}

// repairNames gives the origin's name to all signatures of a checkpoint.
func repairNames(entry any) {
	eachSignature(entry, func(origin, line string) (string, bool) {
		name, _, _ := strings.Cut(origin, " - ")
		_, signature, ok := strings.Cut(strings.TrimPrefix(line, "— "), " ")
		return "— " + name + " " + signature, ok
	})
}

// repairLines drops the signatures of a checkpoint that are malformed.
func repairLines(entry any) {
	wellFormed := regexp.MustCompile(`^— [^\s+]+ \S+$`)
	eachSignature(entry, func(_, line string) (string, bool) {
		_, signature, _ := strings.Cut(strings.TrimPrefix(line, "— "), " ")
		raw, err := base64.StdEncoding.Strict().DecodeString(signature)
		return line, err == nil && len(raw) > 4 && wellFormed.MatchString(line)
	})
}

// eachSignature changes or drops the signature lines of a checkpoint.
func eachSignature(entry any, change func(origin, line string) (string, bool)) {
	text, tail, ok := strings.Cut(textAt(entry, "inclusionProof", "checkpoint", "envelope"), "\n\n")
	if !ok {
		return
	}
	origin, _, _ := strings.Cut(text, "\n")
	var kept strings.Builder
	for _, line := range strings.Split(strings.TrimSuffix(tail, "\n"), "\n") {
		if line, ok := change(origin, line); ok {
			kept.WriteString(line + "\n")
		}
	}
	put(at(entry, "inclusionProof", "checkpoint"), "envelope", text+"\n\n"+kept.String())
}
