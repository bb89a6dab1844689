// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

// Package model evaluates the policies of config/admission as the API server does, without one: for many more Pods, and
// for the cost, which an API server does not tell.
package model

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/test/kustomize"
)

// current is the newest language that the library knows, oldest what an API server of 1.34 takes for a new policy.
var (
	current = version.MajorMinor(1, 37)
	oldest  = version.MajorMinor(1, 33)
)

// policy is a compiled ValidatingAdmissionPolicy.
type policy struct {
	spec      admissionregistrationv1.ValidatingAdmissionPolicySpec
	validator validating.Validator
}

// loadPolicies returns the policies of a kustomization by name.
func loadPolicies(tb testing.TB, dir string) map[string]*admissionregistrationv1.ValidatingAdmissionPolicy {
	tb.Helper()
	objects, err := kustomize.Build(dir)
	if err != nil {
		tb.Fatal(err)
	}
	policies := map[string]*admissionregistrationv1.ValidatingAdmissionPolicy{}
	for _, object := range objects {
		if object.GetKind() != "ValidatingAdmissionPolicy" {
			continue
		}
		p := &admissionregistrationv1.ValidatingAdmissionPolicy{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, p, true); err != nil {
			tb.Fatal(err)
		}
		policies[p.Name] = p
	}
	return policies
}

// compile compiles a policy as the API server compiles one that it stores (mode StoredExpressions) or is to store
// (NewExpressions). The error names every expression that does not compile.
func compile(p *admissionregistrationv1.ValidatingAdmissionPolicy, language *version.Version, mode environment.Type) (*policy, error) {
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(language))
	if err != nil {
		return nil, err
	}
	declared := cel.OptionalVariableDeclarations{HasParams: p.Spec.ParamKind != nil, HasAuthorizer: true}
	var errs []error
	for _, v := range p.Spec.Variables {
		result := compiler.CompileAndStoreVariable(&validating.Variable{Name: v.Name, Expression: v.Expression}, declared, mode)
		if result.Error != nil {
			errs = append(errs, fmt.Errorf("variable %s: %w", v.Name, result.Error))
		}
	}
	var conditions, messages []cel.ExpressionAccessor
	for _, v := range p.Spec.Validations {
		conditions = append(conditions, &validating.ValidationCondition{Expression: v.Expression, Message: v.Message, Reason: v.Reason})
		var message cel.ExpressionAccessor
		if v.MessageExpression != "" {
			message = &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression}
		}
		messages = append(messages, message)
	}
	var matches []cel.ExpressionAccessor
	for _, c := range p.Spec.MatchConditions {
		matches = append(matches, &matchconditions.MatchCondition{Name: c.Name, Expression: c.Expression})
	}
	noAuthorizer := cel.OptionalVariableDeclarations{HasParams: declared.HasParams}
	validations := compiler.CompileCondition(conditions, declared, mode)
	texts := compiler.CompileCondition(messages, noAuthorizer, mode)
	conditional := compiler.CompileCondition(matches, declared, mode)
	for _, compiled := range []cel.ConditionEvaluator{validations, texts, conditional} {
		errs = append(errs, compiled.CompilationErrors()...)
	}
	none := compiler.CompileCondition(nil, declared, mode)
	matcher := matchconditions.NewMatcher(conditional, p.Spec.FailurePolicy, "policy", "validate", p.Name)
	return &policy{p.Spec, validating.NewValidator(validations, matcher, none, texts, p.Spec.FailurePolicy, nil)}, errors.Join(errs...)
}

func mustCompile(tb testing.TB, p *admissionregistrationv1.ValidatingAdmissionPolicy) *policy {
	tb.Helper()
	compiled, err := compile(p, current, environment.StoredExpressions)
	if err != nil {
		tb.Fatal(err)
	}
	return compiled
}

// param is a shard as the API server gives it to a policy: it adds the kind, which its informers leave out.
func param(shard *corev1.ConfigMap) runtime.Object {
	shard = shard.DeepCopy()
	shard.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	return shard
}

// request is what a policy evaluates.
type request struct {
	object, old runtime.Object
	kind        schema.GroupVersionKind
	resource    schema.GroupVersionResource
	subresource string
}

func (r request) attributes() *admission.VersionedAttributes {
	operation := admission.Create
	if r.old != nil {
		operation = admission.Update
	}
	attributes := &admission.VersionedAttributes{
		Attributes: admission.NewAttributesRecord(r.object, r.old, r.kind, "shop", "test", r.resource, r.subresource, operation, nil, false,
			&user.DefaultInfo{Name: "somebody"}),
		VersionedKind: r.kind,
	}
	attributes.VersionedObject.Set(r.object)
	if r.old != nil {
		attributes.VersionedOldObject.Set(r.old)
	}
	return attributes
}

// validate returns what the policy has to say with each of the shards, and "" when it admits.
func (p *policy) validate(tb testing.TB, r request, budget int64, params ...runtime.Object) string {
	tb.Helper()
	var messages []string
	attributes := r.attributes()
	for _, param := range params {
		result := p.validator.Validate(tb.Context(), r.resource, attributes, param, &corev1.Namespace{}, budget, fence{})
		for _, decision := range result.Decisions {
			if decision.Action != validating.ActionAdmit {
				messages = append(messages, decision.Message)
			}
		}
	}
	return strings.Join(messages, " | ")
}

// fence lets the epochs of all shards count that package shards makes.
type fence struct{}

func (fence) Authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if a.GetUser().GetName() == "system:serviceaccount:assay-system:"+allowlist.FenceAccount && a.GetVerb() == "use" &&
		a.GetAPIGroup() == "assay.dev" && a.GetResource() == "allowlists" && a.GetNamespace() == "assay-system" &&
		strings.HasPrefix(a.GetName(), "assay-allowlist-") && strings.HasSuffix(a.GetName(), ".test") {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

const wholeBudget = celconfig.RuntimeCELCostBudget

// TestCompiles compiles every expression with the language of the oldest API server that is supported.
func TestCompiles(t *testing.T) {
	for _, dir := range []string{"enforce", "warn", "audit", "deny-unlisted", "renamed"} {
		policies := loadPolicies(t, "../testdata/"+dir)
		if len(policies) != 8 {
			t.Errorf("%s has %d policies, want 8", dir, len(policies))
		}
		for name, p := range policies {
			for _, language := range []*version.Version{oldest, current} {
				for _, mode := range []environment.Type{environment.NewExpressions, environment.StoredExpressions} {
					if _, err := compile(p, language, mode); err != nil {
						t.Errorf("%s of %s with %s as %s: %v", name, dir, language, mode, err)
					}
				}
			}
		}
	}
}
