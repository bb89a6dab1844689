// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/allowlist"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// crowdingIndex is an index in a repository of the scenario, signed by its key, whose children all
// have digests of one bucket.
func (s *scenario) crowdingIndex(repository, bucket string, n int) *imagev1.Image {
	const children = 128
	list := make([]string, children)
	for i := range list {
		d := digest.FromString(fmt.Sprint(n, "-", i)).Encoded()
		list[i] = fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":1,"platform":{"architecture":"amd64","os":"linux"}}`,
			bucket+d[len(bucket):])
	}
	text := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` + strings.Join(list, ",") + `]}`
	d := digest.FromString(text)
	return &imagev1.Image{
		ObjectMeta:           metav1.ObjectMeta{Name: "sha256-" + d.Encoded()},
		DockerImageReference: repository + "@" + d.String(), DockerImageManifest: text,
		Signatures: []imagev1.ImageSignature{fixture.Signature(repository, d, release)},
	}
}

// The holder of a key for one scope cannot keep the images of another from the allowlist, though he
// chooses digests that all go to the bucket of one.
func TestCrowdedBucket(t *testing.T) {
	const indexes, atLeast = 8, 200
	c := ownCluster(t)
	crowd, s := newScenario(t, c, "crowd"), newScenario(t, c, "crowded")
	s.startManager()
	bucket := s.digest("app").Encoded()[:2]
	repository := crowd.repository() + "/" + strings.Repeat("a", 200)
	for n := range indexes {
		s.create(crowd.crowdingIndex(repository, bucket, n))
	}
	listed := func(ctx context.Context, repository string) int {
		var shards corev1.ConfigMapList
		if err := s.admin.List(ctx, &shards, client.InNamespace(manager.Namespace), client.MatchingLabels{allowlist.Label: allowlist.LabelValue}); err != nil {
			t.Fatal(err)
		}
		most := 0
		for i := range shards.Items {
			most = max(most, strings.Count(shards.Items[i].Data[bucket], repository))
		}
		return most
	}
	last := 0
	s.eventually("the bucket to be full", func(ctx context.Context) (bool, string) {
		n := listed(ctx, repository)
		full := n == last && n > atLeast && n < indexes*128
		last = n
		return full, fmt.Sprint(n)
	})
	// Its name is as long, so that what is left of the bucket is not enough.
	own, d := s.repository()+"/"+strings.Repeat("b", 200), s.digest("app")
	s.create(&imagev1.Image{
		ObjectMeta: metav1.ObjectMeta{Name: s.name + "-app"}, DockerImageReference: own + "@" + d.String(),
		Signatures: []imagev1.ImageSignature{fixture.Signature(own, d, release)},
	})
	s.eventually("the image of another scope on the allowlist", func(ctx context.Context) (bool, string) {
		return listed(ctx, own) == 1, ""
	})
}
