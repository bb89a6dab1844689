// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assay-project/assay/internal/testenv/manager"
)

// breakFence takes the subject out of the RoleBinding that decides which epochs of the
// allowlist count, deletes it and its Role, and waits each time until the operator has repaired that.
func (s *scenario) breakFence() {
	s.Helper()
	key := client.ObjectKey{Namespace: manager.Namespace, Name: "assay-allowlist"}
	var binding rbacv1.RoleBinding
	if err := s.admin.Get(s.Context(), key, &binding); err != nil {
		s.Fatal(err)
	}
	binding.Subjects = nil
	if err := s.admin.Update(s.Context(), &binding); err != nil {
		s.Fatal(err)
	}
	s.eventually("the fence to be restored", func(ctx context.Context) (bool, string) {
		err := s.admin.Get(ctx, key, &binding)
		return err == nil && len(binding.Subjects) == 1, fmt.Sprint(binding.Subjects, err)
	})
	meta := metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}
	for _, object := range []client.Object{&rbacv1.RoleBinding{ObjectMeta: meta}, &rbacv1.Role{ObjectMeta: meta}} {
		if err := s.admin.Delete(s.Context(), object); err != nil {
			s.Fatal(err)
		}
		s.eventually("the fence to be there again", func(ctx context.Context) (bool, string) {
			err := s.admin.Get(ctx, key, object)
			return err == nil, fmt.Sprint(err)
		})
	}
}
