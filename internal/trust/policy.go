// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/objectjson"
	"github.com/assay-project/assay/internal/signature"
	"github.com/assay-project/assay/internal/verify"
)

// maxPolicyCost bounds the processor time that the keys and roots of one policy may take to parse, in
// microseconds as the formats estimate it. A key of a few user IDs takes 1,000; the release
// keys of all Linux distributions together take less than 100,000.
const maxPolicyCost = 1_000_000

// content is the bytes of a file, parsed when somebody needs it.
type content struct {
	id      contentID
	formats []verify.Format

	once sync.Once
	data []byte // Until it is parsed.
	file verify.KeyFile
	err  error
}

func (c *content) parse() (verify.KeyFile, error) {
	c.once.Do(func() {
		if c.id.roots == 0 {
			c.file, c.err = signature.ParseKeyFile(c.formats, c.data)
		} else {
			c.file, c.err = signature.ParseRoots(c.id.roots, c.data)
		}
		c.data = nil
	})
	return c.file, c.err
}

// cost is the estimated processor time of parsing, in microseconds.
func (c *content) cost() int {
	if c.file == nil {
		return 0
	}
	return c.file.Cost()
}

// Policy is a TrustPolicy as it can be applied. It does not change; its keys are parsed when
// they are first needed, so that a policy whose keys take long delays no other one.
type Policy struct {
	Name       string
	UID        types.UID
	Generation int64
	Spec       *assayv1alpha1.TrustPolicySpec
	// Sources are those of spec.keys, and Signers those of spec.signers, in the order of the spec.
	Sources, Signers []Source
	// Scopes are those that can be read, each once and in canonical form.
	Scopes []imageref.Scope

	// id is different for every policy that a process reads, and for every state of one.
	id      uint64
	formats []verify.Format
	matcher *imageref.Matcher
	err     error

	once    sync.Once
	started atomic.Bool
	done    atomic.Bool
	keys    *Keys
}

// Keys is what a policy trusts, with its key files parsed.
type Keys struct {
	// Trust is what the policy trusts in each format, by verify.Format.Name.
	Trust map[string]verify.Trust
	// Unavailable names the entries of spec.keys and spec.signers that could not be read, sorted.
	Unavailable []string
	// Err says why the keys cannot be used as a whole.
	Err error

	signers   map[string]verify.KeyFile // By the name of the entry.
	rootsErrs map[string]*RootsError

	// unread are the files that were not parsed, because those before them took too long.
	unread map[*File]bool
}

// lastID is the last number that nextID returned.
var lastID atomic.Uint64

// nextID returns a number that this process has not used before, and never 0.
func nextID() uint64 { return lastID.Add(1) }

// ErrOverBudget is why a file of a policy was not read.
var ErrOverBudget = errors.New("the file was not read, because those of the policy take too long")

// newPolicy prepares a policy.
func newPolicy(policy *assayv1alpha1.TrustPolicy, sources, signers []Source, formats []verify.Format) *Policy {
	p := &Policy{
		Name: policy.Name, UID: policy.UID, Generation: policy.Generation,
		Spec: policy.Spec.DeepCopy(), Sources: sources, Signers: signers, formats: formats, id: nextID(),
	}
	// What could be read of such a policy counts: its scopes and its revoked keys.
	errs := []error{objectjson.FaultOf(policy)}
	for i, text := range p.Spec.Scopes {
		if _, err := imageref.ParseScope(string(text)); err != nil {
			errs = append(errs, fmt.Errorf("spec.scopes[%d]: %w", i, err))
		}
		// A scope in another spelling makes the policy invalid, and goes on covering its images:
		// they must not escape verification because the API accepted it once.
		if scope, err := imageref.CanonicalScope(string(text)); err == nil && !slices.Contains(p.Scopes, scope) {
			p.Scopes = append(p.Scopes, scope)
		}
	}
	matcher, err := imageref.NewMatcher(verify.IdentityRule(p.Spec.SignedIdentity))
	if err != nil {
		errs = append(errs, fmt.Errorf("spec.signedIdentity: %w", err))
	}
	p.matcher = matcher
	p.err = joinErrors(errs)
	return p
}

// Keys returns the policy's keys. The first call parses them, which may take as long as
// maxPolicyCost allows; others wait for it.
func (p *Policy) Keys() *Keys {
	p.started.Store(true)
	p.once.Do(func() {
		p.keys = parseKeys(p)
		p.done.Store(true)
	})
	return p.keys
}

// busy reports whether somebody is parsing the policy's keys, so that Keys would wait.
func (p *Policy) busy() bool { return p.started.Load() && !p.done.Load() }

// Err returns why the policy cannot be applied as it is written; nil when it can.
func (p *Policy) Err() error {
	return joinErrors([]error{p.err, p.Keys().Err})
}

// apply returns the policy as the decision needs it, for an image that the scope covers.
func (p *Policy) apply(scope string) verify.Policy {
	keys := p.Keys()
	return verify.Policy{
		Name:               p.Name,
		ID:                 p.id,
		Scope:              scope,
		Trust:              keys.Trust,
		UnavailableKeys:    keys.Unavailable,
		Identity:           p.matcher,
		Err:                p.Err(),
		RequiredSignatures: int(p.Spec.RequiredSignatures),
		AcceptBeforeExpiry: p.AcceptsExpiredKeys(),
		AcceptUnnamed:      p.Spec.UnnamedSignatures == assayv1alpha1.UnnamedSignaturesAccept,
	}
}

// ParsedFile returns the keys of one of the policy's files. The error says why there are none; it is
// ErrOverBudget for a file that is beyond what the keys and roots of one policy may take.
func (p *Policy) ParsedFile(file *File) (verify.KeyFile, error) {
	if p.Keys().unread[file] {
		return nil, ErrOverBudget
	}
	return file.Parsed()
}

// KeysOf describes the keys of one of the policy's files, as all its files together have
// them.
func (p *Policy) KeysOf(file verify.KeyFile, now time.Time) []verify.KeyStatus {
	var keys []verify.KeyStatus
	trusted := p.Keys().Trust
	for _, format := range p.formats {
		if trust := trusted[format.Name()]; trust != nil {
			keys = append(keys, trust.Keys(file, now)...)
		}
	}
	return keys
}

// AcceptsExpiredKeys reports whether signatures from before the expiry of their key are accepted.
func (p *Policy) AcceptsExpiredKeys() bool {
	return p.Spec.ExpiredKeys == assayv1alpha1.ExpiredKeysAcceptSignaturesBeforeExpiry
}

// sameSources reports whether two readings of a policy's keys or signers found the same.
func sameSources(a, b []Source) bool {
	return slices.EqualFunc(a, b, func(x, y Source) bool {
		return x.Name == y.Name && slices.EqualFunc(x.Files, y.Files, (*File).same) &&
			slices.EqualFunc(x.Roots, y.Roots, func(r, s RootsSource) bool {
				return r.Field == s.Field && slices.EqualFunc(r.Files, s.Files, (*File).same)
			})
	})
}

// joinErrors joins errors in one line; nil when there are none.
func joinErrors(errs []error) error {
	var joined error
	for _, err := range errs {
		switch {
		case err == nil:
		case joined == nil:
			joined = err
		default:
			joined = fmt.Errorf("%w; %w", joined, err)
		}
	}
	return joined
}
