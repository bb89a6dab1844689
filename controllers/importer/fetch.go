// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/lookaside"
	"github.com/assay-project/assay/internal/manifest"
	"github.com/assay-project/assay/internal/registry"
	"github.com/assay-project/assay/internal/safetext"
)

const (
	// importTimeout bounds all requests for one image.
	importTimeout = 2 * time.Minute
	// maxIndex bounds an index that is stored, in bytes. Those of public images have less than 32 KiB,
	// and etcd has to hold those that somebody makes large for no reason.
	maxIndex = 128 << 10
	// maxStoreMessage and maxStoreURL bound the texts of a store, as its schema has them.
	maxStoreMessage = 512
	maxStoreURL     = 1024
)

// result is what the stores answered.
type result struct {
	// planID is that of the plan.
	planID string
	stores []imagev1.ImportStore
	// reason of the condition Imported.
	reason string
	// signatures, those of the stores by turns, so that no store takes the place of another.
	signatures []registry.Signature
	// complete: every store was asked and said all that it has.
	complete bool
	// index is the manifest of an index; nil for another image.
	index []byte
	// mediaType is what the registry states, empty when it was not asked.
	mediaType string
	// single: a registry said that the image is no index.
	single bool
	// retryAfter is how long a host rests; zero when none does.
	retryAfter time.Duration
}

// answer is what one store answered.
type answer struct {
	address string
	found   registry.Found
	err     error
	// required: an error means that signatures may be missing.
	required bool
}

// fetch asks the stores of a plan: the lookaside store beside the registries, so that neither uses up
// the time of the other.
func fetch(ctx context.Context, p *plan) *result {
	ctx, cancel := context.WithTimeout(ctx, importTimeout)
	defer cancel()
	r := &result{planID: p.id}
	switch {
	case p.err != nil:
		r.refuse(p)
		return r
	case p.digest == "" || p.digest.Algorithm() != digest.SHA256:
		r.reason = assayv1alpha1.ReasonNoSignatureStore
		return r
	}
	var answers []answer
	var group sync.WaitGroup
	if store := string(p.config.spec.Lookaside); store != "" {
		answers = make([]answer, 1, 1+len(p.endpoints))
		group.Go(func() { answers[0] = fetchLookaside(ctx, p, store) })
	}
	var registries, inspected []answer
	switch {
	case p.config.keepsSignatures():
		registries = r.fetchEndpoints(ctx, p)
	case p.wantIndex:
		inspected = r.fetchIndexAlone(ctx, p)
	}
	group.Wait()
	answers = append(answers, registries...)
	for i := range answers {
		r.record(&answers[i])
	}
	// The stores are not asked more often because a registry is down that is none.
	rest := r.retryAfter
	for i := range inspected {
		r.record(&inspected[i])
	}
	r.retryAfter = rest
	answers = append(answers, inspected...)
	r.signatures = byTurns(answers)
	r.complete = true
	for i := range answers {
		a := &answers[i]
		if a.found.More || a.required && a.err != nil && resultOf(registry.Describe("", a.err)) != assayv1alpha1.ReasonManifestNotFound {
			r.complete = false
		}
	}
	r.reason = overall(r.stores, answers)
	return r
}

// refuse is the result of a plan by which no store may be asked.
func (r *result) refuse(p *plan) {
	result := resultOf(p.err)
	r.reason = conditionReason(result)
	where := p.err.Host
	if p.config != nil && p.config.Name != "" {
		where = "RegistryConfig/" + p.config.Name
	}
	r.stores = []imagev1.ImportStore{{URL: where, Result: result, Message: safetext.TruncateWithEllipsis(p.err.Error(), maxStoreMessage)}}
}

// fetchLookaside asks a lookaside store, by the name that the image has at its source.
func fetchLookaside(ctx context.Context, p *plan, address string) answer {
	a := answer{address: address, required: true}
	store, err := lookaside.Open(address, p.config.webClient())
	if err != nil {
		a.err = &registry.Error{Detail: "the URL of the lookaside store cannot be used"}
		return a
	}
	a.found, a.err = lookaside.Signatures(ctx, store, p.named, p.digest)
	return a
}

// fetchEndpoints asks mirrors and the registry until one has signatures.
func (r *result) fetchEndpoints(ctx context.Context, p *plan) []answer {
	answers := make([]answer, 0, len(p.endpoints))
	for i := range p.endpoints {
		repository, noCredential := p.endpoints[i].open(ctx)
		share, cancel := p.share(ctx)
		a := r.fetchEndpoint(share, p, repository)
		cancel()
		a.address, a.err = repository.URL(), withoutCredential(a.err, noCredential)
		// What a mirror does not say, the next one or the source does.
		a.required = i == len(p.endpoints)-1
		answers = append(answers, a)
		if a.err == nil && len(a.found.Signatures) > 0 {
			break
		}
	}
	return answers
}

// share limits the time for one of the endpoints: a mirror that is slow leaves time for the next one, and
// for the source.
func (p *plan) share(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, importTimeout/time.Duration(len(p.endpoints)))
}

// fetchIndexAlone asks mirrors and the registry for the index until one answers. They are no stores
// of signatures then, so no signature is missing because of them, and they are listed only if none
// answered: the status stays the same when there is nothing more to ask them.
func (r *result) fetchIndexAlone(ctx context.Context, p *plan) []answer {
	var answers []answer
	for i := range p.endpoints {
		repository, noCredential := p.endpoints[i].open(ctx)
		a := answer{address: repository.URL()}
		share, cancel := p.share(ctx)
		a.err = withoutCredential(r.inspect(share, p, repository, &a.found), noCredential)
		cancel()
		if a.err == nil && len(a.found.Skipped) == 0 {
			return nil
		}
		answers = append(answers, a)
		if a.err == nil {
			break
		}
	}
	return answers
}

// fetchEndpoint asks one registry for the kind of the image, its index and its signatures.
func (r *result) fetchEndpoint(ctx context.Context, p *plan, repository *registry.Repository) (a answer) {
	if a.err = r.inspect(ctx, p, repository, &a.found); a.err != nil {
		return a
	}
	if p.config.spec.SignatureExtension != assayv1alpha1.StoreNever {
		found, err := repository.Extension(ctx, p.digest)
		a.found.Join(found)
		a.err = err
	}
	if p.config.spec.Attachments != assayv1alpha1.StoreNever {
		found, err := repository.Attachments(ctx, p.digest)
		a.found.Join(found)
		a.err = errors.Join(a.err, err)
	}
	return a
}

// inspect asks one registry whether the image is an index, and fetches its bytes where they are
// wanted.
func (r *result) inspect(ctx context.Context, p *plan, repository *registry.Repository, found *registry.Found) error {
	descriptor, err := repository.Head(ctx, p.digest.String())
	if err != nil {
		return err
	}
	r.mediaType, r.single = descriptor.MediaType, !isIndex(descriptor.MediaType)
	if r.single || !p.wantIndex || r.index != nil {
		return nil
	}
	return r.fetchIndex(ctx, p, repository, found)
}

// fetchIndex fetches the bytes of an index. What the registry calls an index and is none is left.
func (r *result) fetchIndex(ctx context.Context, p *plan, repository *registry.Repository, found *registry.Found) error {
	data, err := repository.Manifest(ctx, p.digest, maxIndex)
	var e *registry.Error
	if errors.As(err, &e) && (e.Code == registry.TooLarge || e.Code == registry.Malformed) {
		found.Skip(e)
		return nil
	}
	if err != nil {
		return err
	}
	info, err := manifest.Inspect(data)
	if err == nil && info.Digest == p.digest && isIndex(info.MediaType) {
		r.index, r.mediaType = data, info.MediaType
	}
	return nil
}

func isIndex(mediaType string) bool {
	return mediaType == manifest.MediaTypeOCIIndex || mediaType == manifest.MediaTypeDockerList
}

// record adds a store and its answer to the result.
func (r *result) record(a *answer) {
	store := imagev1.ImportStore{URL: safetext.Escape(a.address, maxStoreURL), Signatures: int32(len(a.found.Signatures))} //nolint:gosec // At most 128 a store.
	switch {
	case a.err != nil:
		e := registry.Describe("", a.err)
		store.Result, store.Message = resultOf(e), e.Error()
		r.retryAfter = max(r.retryAfter, e.Wait)
	case a.found.More:
		store.Result = assayv1alpha1.ReasonTooManySignatures
	case len(a.found.Skipped) > 0:
		e := a.found.Skipped[0]
		store.Message = e.Error()
		if store.Result = countResult(len(a.found.Signatures)); e.Code == registry.TooLarge {
			store.Result = assayv1alpha1.ReasonTooLarge
		}
	default:
		store.Result = countResult(len(a.found.Signatures))
	}
	store.Message = safetext.TruncateWithEllipsis(store.Message, maxStoreMessage)
	r.stores = append(r.stores, store)
}

func countResult(signatures int) string {
	if signatures == 0 {
		return assayv1alpha1.ReasonNoSignaturesFound
	}
	return assayv1alpha1.ReasonImported
}

// resultOf returns the word for an error.
func resultOf(e *registry.Error) string {
	switch e.Code {
	case registry.NotFound:
		return assayv1alpha1.ReasonManifestNotFound
	case registry.Unauthorized:
		return assayv1alpha1.ReasonUnauthorized
	case registry.RateLimited:
		return assayv1alpha1.ReasonRateLimited
	case registry.HostNotAllowed:
		return assayv1alpha1.ReasonHostNotAllowed
	case registry.TLSError:
		return assayv1alpha1.ReasonTLSError
	default:
		return assayv1alpha1.ReasonStoreUnavailable
	}
}

// precedence orders the results by what the condition is about where stores differ: first what
// leaves signatures missing.
var precedence = []string{
	assayv1alpha1.ReasonHostNotAllowed, assayv1alpha1.ReasonUnauthorized, assayv1alpha1.ReasonTLSError,
	assayv1alpha1.ReasonStoreUnavailable, assayv1alpha1.ReasonRateLimited,
	assayv1alpha1.ReasonTooManySignatures, assayv1alpha1.ReasonTooLarge, assayv1alpha1.ReasonImported,
	assayv1alpha1.ReasonManifestNotFound, assayv1alpha1.ReasonNoSignaturesFound,
}

// overall returns the reason of the condition. A mirror that could not be asked does not count
// where another one or the source could.
func overall(stores []imagev1.ImportStore, answers []answer) string {
	for _, reason := range precedence {
		for i := range stores {
			if stores[i].Result == reason && (answers[i].required || answers[i].err == nil) {
				return conditionReason(reason)
			}
		}
	}
	return assayv1alpha1.ReasonNoSignatureStore
}

// conditionReason is the reason of the condition for the result of a store.
func conditionReason(result string) string {
	if result == assayv1alpha1.ReasonTLSError {
		return assayv1alpha1.ReasonStoreUnavailable
	}
	return result
}

// byTurns takes a signature of each store in turn, each content once.
func byTurns(answers []answer) []registry.Signature {
	var all []registry.Signature
	seen := map[string]struct{}{}
	for i, more := 0, true; more; i++ {
		more = false
		for j := range answers {
			if i >= len(answers[j].found.Signatures) {
				continue
			}
			more = true
			s := answers[j].found.Signatures[i]
			key := s.Type + "\x00" + string(s.Content)
			if _, ok := seen[key]; !ok {
				seen[key] = struct{}{}
				all = append(all, s)
			}
		}
	}
	return all
}

// ResolveTag returns the digest of a tag, by one request, for which a credential may be fetched. The error is an *registry.Error.
func (p *Planner) ResolveTag(ctx context.Context, named reference.NamedTagged) (digest.Digest, error) {
	configs, err := p.Configs.Snapshot(ctx)
	if err != nil {
		return "", err
	}
	policies, err := p.Trust.Snapshot(ctx)
	if err != nil {
		return "", err
	}
	canonicalName, err := canonical(named.String())
	if err != nil {
		return "", err
	}
	pl := p.forName(configs, policies, canonicalName)
	if pl.err != nil {
		return "", pl.err
	}
	err = &registry.Error{Code: registry.HostNotAllowed, Host: reference.Domain(canonicalName), Detail: "is not contacted, and no mirror has the image"}
	for i := range pl.endpoints {
		repository, noCredential := pl.endpoints[i].open(ctx)
		descriptor, headErr := repository.Head(ctx, named.Tag())
		if headErr == nil {
			return descriptor.Digest, nil
		}
		err = withoutCredential(headErr, noCredential)
	}
	return "", err
}
