// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package metricsauth

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationv1client "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1client "k8s.io/client-go/kubernetes/typed/authorization/v1"
)

// decision is the result of a review.
type decision int

const (
	unauthenticated decision = iota
	forbidden
	allowed
)

// String returns the decision as logs show it.
func (d decision) String() string {
	switch d {
	case allowed:
		return "allowed"
	case forbidden:
		return "forbidden"
	default:
		return "unauthenticated"
	}
}

// reviewer asks the API server about tokens and users.
type reviewer struct {
	tokens authenticationv1client.TokenReviewInterface
	access authorizationv1client.SubjectAccessReviewInterface
	// slots has room for one element for each request that is reviewed at a time.
	slots chan struct{}
}

// review asks whose the token is and whether that user may get the metrics. It waits until there is
// a slot. An error means that the API server could not be asked before ctx ended.
func (r *reviewer) review(ctx context.Context, token string) (decision, error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return unauthenticated, fmt.Errorf("wait for other reviews: %w", ctx.Err())
	}
	user, err := r.authenticate(ctx, token)
	if err != nil || user == nil {
		return unauthenticated, err
	}
	return r.authorize(ctx, user)
}

// authenticate returns the user of a token, or nil if the API server does not accept the token. The
// error in the status of a TokenReview does not matter: the API server has one for every token that
// it does not know.
func (r *reviewer) authenticate(ctx context.Context, token string) (*authenticationv1.UserInfo, error) {
	review, err := r.tokens.Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token},
	}, metav1.CreateOptions{})
	switch {
	case err != nil:
		return nil, fmt.Errorf("review a token: %w", err)
	case !review.Status.Authenticated:
		return nil, nil
	}
	return &review.Status.User, nil
}

// authorize reports whether the user may get the metrics. An evaluation error in the status of a
// SubjectAccessReview does not matter: the answer stands beside it.
func (r *reviewer) authorize(ctx context.Context, user *authenticationv1.UserInfo) (decision, error) {
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	review, err := r.access.Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: metricsPath, Verb: metricsVerb},
			User:                  user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		},
	}, metav1.CreateOptions{})
	switch {
	case err != nil:
		return unauthenticated, fmt.Errorf("review the access of a user: %w", err)
	case !review.Status.Allowed || review.Status.Denied:
		return forbidden, nil
	}
	return allowed, nil
}
