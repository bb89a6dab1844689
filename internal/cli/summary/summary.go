// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package summary summarizes the verdicts in a cluster: summary.go computes the summary, images.go,
// registries.go, configmaps.go and cluster.go read its input.
package summary

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/apiserverstatus"
	"github.com/assay-project/assay/internal/importstatus"
)

// Image has the fields of an Image that the summary uses.
type Image struct {
	// Name of the Image.
	Name string `json:"name"`
	// Reference is its dockerImageReference.
	Reference string `json:"reference"`
	// Verified is the status of the condition Verified: True, False or Unknown; empty before the
	// first check.
	Verified string `json:"verified,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Message  string `json:"message,omitempty"`
}

// Status is the summary. `assay status -o json` prints it as JSON.
type Status struct {
	Images ImageCounts `json:"images"`
	// Reasons counts Images by verdict and reason. Those that are not verified come first, the most
	// common of them first.
	Reasons []ReasonCount `json:"reasons"`
	// Policies are the TrustPolicies by name.
	Policies []Policy `json:"policies"`
	// Keys are the keys that need attention: they have expired, expire soon or cannot be used. They
	// are sorted by expiration, followed by those that do not expire.
	Keys []Key `json:"keys"`
	// Unverified are Images that are not verified, by name, up to the requested limit.
	Unverified []Image `json:"unverified"`
	// Omitted is the number of further ones.
	Omitted int `json:"omitted"`
	// APIServers are the API servers and the allowlist that each of them has, as the operator last
	// found it.
	APIServers []APIServer `json:"apiServers"`
	// APIServersNote explains why the API servers are not known; empty if they are, or if the
	// operator has not checked them.
	APIServersNote string `json:"apiServersNote,omitempty"`
	// RegistryConfigs are the RegistryConfigs by name: where signatures are fetched from.
	RegistryConfigs []RegistryConfig `json:"registryConfigs"`
	// RegistryConfigsNote explains why the RegistryConfigs are not known; empty if they are.
	RegistryConfigsNote string `json:"registryConfigsNote,omitempty"`
	// Import is how discovery and import stand, as the operator last stored it.
	Import importstatus.Status `json:"import"`
	// MovedTags are tags that have moved to an image that is not verified, from one that is, by name.
	MovedTags []MovedTag `json:"movedTags"`
	// OmittedMovedTags is the number of further ones.
	OmittedMovedTags int `json:"omittedMovedTags,omitempty"`
	// ImportNote explains why that is not known; empty if it is, or if nothing was imported.
	ImportNote string `json:"importNote,omitempty"`
}

// MovedTag is a tag that has moved to an image that is not verified.
type MovedTag struct {
	importstatus.MovedTag
	// Verified and Reason are those of the Image that it has moved to; empty before the first check.
	Verified string `json:"verified,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

// APIServer is an API server of the cluster.
type APIServer = apiserverstatus.Server

// ImageCounts counts Images by verdict.
type ImageCounts struct {
	Total    int `json:"total"`
	Verified int `json:"verified"`
	// Refused were checked and are not verified.
	Refused int `json:"refused"`
	// Unknown could not be checked.
	Unknown int `json:"unknown"`
	// Pending wait for their first check.
	Pending int `json:"pending"`
}

// ReasonCount is the number of Images with a verdict and a reason.
type ReasonCount struct {
	Verified string `json:"verified"`
	Reason   string `json:"reason"`
	Count    int    `json:"count"`
}

// Policy summarizes a TrustPolicy.
type Policy struct {
	Name        string   `json:"name"`
	Scopes      []string `json:"scopes"`
	Enforcement string   `json:"enforcement"`
	// Ready is the status of the condition Ready; empty before it is written.
	Ready   string `json:"ready,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Keys is "<usable>/<all>".
	Keys string `json:"keys,omitempty"`
	// Images is the number of Images that the policy was applied to; absent before that.
	Images *assayv1alpha1.ImageCounts `json:"images,omitempty"`
}

// Key is a trusted key or signer that needs attention, or a source without a key.
type Key struct {
	Policy string `json:"policy"`
	// Name is the name of the entry in the policy's spec.keys or spec.signers.
	Name        string `json:"name"`
	Source      string `json:"source,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
	UserID      string `json:"userID,omitempty"`
	// Expires is absent for a key that does not expire.
	Expires *metav1.Time `json:"expires,omitempty"`
	// Reason is the reason why the key cannot be used, RevocationLost or KeyDataSkipped; empty if
	// nothing is wrong.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// Options configures a summary.
type Options struct {
	// Now is the present time.
	Now time.Time
	// ExpiringWithin is the time before its expiration from which a key needs attention.
	ExpiringWithin time.Duration
	// Limit is the maximum number of Images that are not verified to list by name.
	Limit int
}

// Summarize summarizes Images and TrustPolicies. The result does not depend on their order.
func Summarize(images []Image, policies []assayv1alpha1.TrustPolicy, o Options) Status {
	s := Status{Reasons: []ReasonCount{}, Policies: []Policy{}, Keys: []Key{}, Unverified: []Image{}, APIServers: []APIServer{}}
	s.countImages(images, o.Limit)
	for i := range policies {
		s.addPolicy(&policies[i], o)
	}
	slices.SortFunc(s.Policies, func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Keys, compareKeys)
	return s
}

func (s *Status) countImages(images []Image, limit int) {
	reasons := map[ReasonCount]int{}
	for _, image := range images {
		s.Images.Total++
		switch image.Verified {
		case string(metav1.ConditionTrue):
			s.Images.Verified++
		case string(metav1.ConditionFalse):
			s.Images.Refused++
		case "":
			s.Images.Pending++
		default:
			s.Images.Unknown++
		}
		if image.Verified != "" {
			reasons[ReasonCount{Verified: image.Verified, Reason: image.Reason}]++
		}
		if image.Verified != string(metav1.ConditionTrue) {
			s.Unverified = append(s.Unverified, image)
		}
	}
	for reason, count := range reasons {
		reason.Count = count
		s.Reasons = append(s.Reasons, reason)
	}
	slices.SortFunc(s.Reasons, func(a, b ReasonCount) int {
		return cmp.Or(cmp.Compare(isTrue(a.Verified), isTrue(b.Verified)), -cmp.Compare(a.Count, b.Count),
			cmp.Compare(a.Verified, b.Verified), cmp.Compare(a.Reason, b.Reason))
	})
	slices.SortFunc(s.Unverified, func(a, b Image) int { return cmp.Compare(a.Name, b.Name) })
	if limit = max(0, limit); len(s.Unverified) > limit {
		s.Omitted = len(s.Unverified) - limit
		s.Unverified = slices.Clone(s.Unverified[:limit])
	}
}

func isTrue(status string) int {
	if status == string(metav1.ConditionTrue) {
		return 1
	}
	return 0
}

func (s *Status) addPolicy(p *assayv1alpha1.TrustPolicy, o Options) {
	policy := Policy{Name: p.Name, Enforcement: string(p.Spec.Enforcement), Keys: p.Status.KeySummary, Images: p.Status.Images}
	for _, scope := range p.Spec.Scopes {
		policy.Scopes = append(policy.Scopes, string(scope))
	}
	if c := meta.FindStatusCondition(p.Status.Conditions, assayv1alpha1.ReadyCondition); c != nil {
		policy.Ready, policy.Reason, policy.Message = string(c.Status), c.Reason, c.Message
	}
	s.Policies = append(s.Policies, policy)
	for i := range p.Status.Keys {
		k := &p.Status.Keys[i]
		soon := k.Expires != nil && k.Expires.Sub(o.Now) <= o.ExpiringWithin
		warns := k.Reason == assayv1alpha1.ReasonRevocationLost || k.Reason == assayv1alpha1.ReasonKeyDataSkipped
		if k.Usable && !soon && !warns {
			continue
		}
		s.Keys = append(s.Keys, Key{
			Policy: p.Name, Name: string(k.Name), Source: k.Source, Fingerprint: string(k.Fingerprint), UserID: k.UserID,
			Expires: k.Expires, Reason: k.Reason, Message: k.Message,
		})
	}
	for i := range p.Status.Signers {
		signer := &p.Status.Signers[i]
		soon := signer.Expires != nil && signer.Expires.Sub(o.Now) <= o.ExpiringWithin
		if !signer.Usable || soon {
			s.Keys = append(s.Keys, Key{
				Policy: p.Name, Name: string(signer.Name), Expires: signer.Expires, Reason: signer.Reason, Message: signer.Message,
			})
		}
	}
}

// compareKeys orders keys by expiration, with those that do not expire last.
func compareKeys(a, b Key) int {
	never := func(k Key) int {
		if k.Expires == nil {
			return 1
		}
		return 0
	}
	order := cmp.Compare(never(a), never(b))
	if order == 0 && a.Expires != nil {
		order = a.Expires.Compare(b.Expires.Time)
	}
	return cmp.Or(order, cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Fingerprint, b.Fingerprint))
}

// Cluster is the input of a summary, kept up to date by events.
type Cluster struct {
	images      map[string]Image
	policies    map[string]assayv1alpha1.TrustPolicy
	servers     []APIServer
	serversNote string

	registries     map[string]assayv1alpha1.RegistryConfig
	registriesNote string
	imports        *importstatus.Status
	importNote     string
}

func newCluster() *Cluster {
	return &Cluster{
		images: map[string]Image{}, policies: map[string]assayv1alpha1.TrustPolicy{},
		registries: map[string]assayv1alpha1.RegistryConfig{},
	}
}

// Summarize summarizes the current state.
func (c *Cluster) Summarize(o Options) Status {
	s := Summarize(slices.Collect(maps.Values(c.images)), slices.Collect(maps.Values(c.policies)), o)
	s.APIServers, s.APIServersNote = append(s.APIServers, c.servers...), c.serversNote
	c.summarizeImport(&s)
	return s
}
