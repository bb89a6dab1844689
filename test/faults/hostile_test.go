// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	pgp "github.com/assay-project/assay/internal/openpgp/openpgptest"
	"github.com/assay-project/assay/internal/testenv/fixture"
	"github.com/assay-project/assay/internal/testenv/manager"
)

// TestHostileObjects: somebody stores Images and keys that take as long as possible, and writes
// them in a loop. Nobody else waits for that, and nothing stays verified because of it.
func TestHostileObjects(t *testing.T) {
	o := startOperator(t)
	t.Run("images written in a loop", func(t *testing.T) { testLoopedImages(t, o) })
	t.Run("four writers of one image", func(t *testing.T) { testFourWriters(t, o) })
	t.Run("keys that take long", func(t *testing.T) { testSlowKeys(t, o) })
	t.Run("registry", func(t *testing.T) { testRegistryDown(t, o) })
	t.Run("clock", func(t *testing.T) { testClockJumps(t, o) })
}

// hostileImages is how many Images take long.
const hostileImages = 200

// slow is a trusted key on a slow curve. Anybody can make others verify by it.
var slow = pgp.ECDSA(4, keyMade, elliptic.P521(), "slow")

// keyMade is when the keys of these tests were made: 2024.
const keyMade = 1704067200

// hostile makes an Image take as long as one can with so many signatures: half of them decompress to
// gigabytes, and the others are valid signatures of another image, on a slow curve.
func (s *scenario) hostile(image *imagev1.Image, signatures int) *imagev1.Image {
	s.Helper()
	bomb := imagev1.ImageSignature{Type: imagev1.SignatureTypeAtomic, Content: bombs(s.T)}
	// The curve asks for a digest of that size.
	signature := slow.Standard(pgp.TypeBinary, keyMade+1)
	signature.Digest = pgp.SHA512
	other := imagev1.ImageSignature{Type: imagev1.SignatureTypeAtomic, Content: slow.Message(signature, []byte("another image"))}
	for range signatures / 2 {
		image.Signatures = append(image.Signatures, bomb, other)
	}
	return image
}

// bombs is a message that is compressed twice.
func bombs(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("../../internal/openpgp/testdata/messages/compressed-bomb-twice.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := bytes.Cut(data, []byte("\n\n"))
	content, err := base64.StdEncoding.DecodeString(string(body))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// createHostile creates Images that take long, and returns their names.
func (s *scenario) createHostile(n int) []string {
	s.Helper()
	names := make([]string, n)
	s.concurrently(n, func(i int) error {
		// The cache leaves out those of the ones with more.
		const most, some, others = 128, 80, 1_000_000
		image := s.hostile(s.image(others+i), most)
		if i%2 == 0 {
			image = s.hostile(s.image(others+i), some)
		}
		image.Name = fmt.Sprint(s.name, "-hostile-", i)
		names[i] = image.Name
		return admin.Create(s.Context(), image)
	})
	return names
}

// concurrently calls f for 0 to n-1.
func (s *scenario) concurrently(n int, f func(i int) error) {
	s.Helper()
	numbers := make(chan int)
	errs := make(chan error, n)
	var workers sync.WaitGroup
	for range setup {
		workers.Go(func() {
			for i := range numbers {
				errs <- f(i)
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	workers.Wait()
	for range n {
		if err := <-errs; err != nil {
			s.Fatal(err)
		}
	}
}

// loop runs f in several goroutines, again and again, until the returned function is called.
func (s *scenario) loop(writers int, f func(ctx context.Context, round int) error) (stop func()) {
	ctx, cancel := context.WithCancel(s.Context())
	var running sync.WaitGroup
	for writer := range writers {
		running.Go(func() {
			for round := writer; ctx.Err() == nil; round += writers {
				if err := f(ctx, round); err != nil && ctx.Err() == nil {
					s.Error(err)
					return
				}
			}
		})
	}
	stop = func() {
		cancel()
		running.Wait()
	}
	s.Cleanup(stop)
	return stop
}

// mergePatch changes an Image without reading it.
func mergePatch(ctx context.Context, name, patch string) error {
	image := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name}}
	image.SetGroupVersionKind(imagev1.GroupVersion.WithKind("Image"))
	return admin.Patch(ctx, image, client.RawPatch(types.MergePatchType, []byte(patch)))
}

// trust makes the scenario's policy trust keys, each in a file of its Secret.
func (s *scenario) trust(files map[string][]byte) {
	s.Helper()
	s.eventually("the Secret to be updated", func(ctx context.Context) (bool, string) {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(s.secret), s.secret); err != nil {
			return false, err.Error()
		}
		s.secret.Data = files
		err := admin.Update(ctx, s.secret)
		return err == nil, fmt.Sprint(err)
	})
}

// expiringKey is a key file with a key that expires at a time.
func expiringKey(key *pgp.Key, at time.Time) []byte {
	const userID = "Expiring <expiring@example.com>"
	return pgp.Armor("PGP PUBLIC KEY BLOCK", key.Certificate(key.User(userID,
		key.Standard(pgp.TypePositiveCert, keyMade, pgp.Flags(pgp.FlagCertify|pgp.FlagSign),
			pgp.Sub32(pgp.SubKeyExpires, uint32(at.Unix()-keyMade))))))
}

// signedImage creates an Image that is signed by a key.
func (s *scenario) signedImage(n int, key *pgp.Key, want verdict) string {
	s.Helper()
	image := s.image(n, key)
	s.create(image)
	s.want[image.Name] = want
	return image.Name
}

// hostileAmong counts what was done to Images that take long in a part of the record.
func hostileAmong(log []action, verbs ...actionVerb) int {
	n := 0
	for _, a := range log {
		if slices.Contains(verbs, a.verb) && strings.Contains(a.name, "-hostile-") {
			n++
		}
	}
	return n
}

// testLoopedImages: hundreds of Images that take long are written in a loop, while a key expires, a
// key is revoked, and others create Images.
func testLoopedImages(t *testing.T, o *operator) {
	const victims = 10
	s := newScenario(t, "looped")
	doomed, expiring := fixture.Key("doomed"), fixture.Key("expiring")
	expires := o.clock.Now().Add(time.Hour)
	files := map[string][]byte{
		"release.asc": fixture.PublicKey(release), "slow.asc": fixture.PublicKey(slow),
		"doomed.asc": fixture.PublicKey(doomed), "expiring.asc": expiringKey(expiring, expires),
	}
	s.trust(files)
	var revokedLater []string
	for n := range victims {
		revokedLater = append(revokedLater, s.signedImage(n, doomed, verified))
	}
	expiresLater := s.signedImage(victims, expiring, verified)
	s.settleNames()
	s.untilListed(true, append(revokedLater, expiresLater)...)

	hostile := s.createHostile(hostileImages)
	stop := s.loop(4, func(ctx context.Context, round int) error {
		name := hostile[round%len(hostile)]
		reference := fmt.Sprintf("%s:v%d@%s", s.repository(), round, digest.FromString(name))
		return mergePatch(ctx, name, fmt.Sprintf(`{"dockerImageReference":%q}`, reference))
	})
	mark := o.mark()
	s.eventually("all of them to have been written", func(context.Context) (bool, string) {
		n := hostileAmong(o.since(mark), evaluate)
		return n > hostileImages, fmt.Sprint(n)
	})

	// Others create Images, signed and not.
	mark = o.mark()
	added := s.signedImage(victims+1, release, verified)
	unsigned := s.signedImage(victims+2, audited, untrusted)
	s.settleNames(added, unsigned)
	s.untilListed(true, added)
	for _, name := range []string{added, unsigned} {
		before := o.until(mark, func(a action) bool { return a == action{patchStatus, name, true} })
		if n := hostileAmong(before, patch, patchStatus); n > hostileImages/4 {
			t.Errorf("the verdict on the new image %s was written after %d writes of others", name, n)
		}
	}

	// A key is revoked.
	turns := o.watchTurns(revokedLater)
	files["doomed.asc"] = fixture.RevokedKey(doomed)
	s.trust(files)
	s.expectOf(revoked, revokedLater...)
	s.untilListed(false, revokedLater...)
	for name, turn := range turns() {
		if turn > 2*victims {
			t.Errorf("%s of the revoked key was evaluated after %d others", name, turn)
		}
	}
	s.settleNames(revokedLater...)

	// A key expires.
	o.clock.advance(expires.Add(-3 * time.Second).Sub(o.clock.Now()))
	s.expectOf(verdict{metav1.ConditionFalse, assayv1alpha1.ReasonKeyExpired}, expiresLater)
	s.untilListed(false, expiresLater)
	s.settleNames(expiresLater)
	stop()
	s.untilListed(true, added)
}

// testFourWriters: four clients write an Image in a loop while the key of its signature is revoked.
func testFourWriters(t *testing.T, o *operator) {
	s := newScenario(t, "four-writers")
	name := s.signedImage(0, release, verified)
	s.settleNames()
	stop := s.loop(4, func(ctx context.Context, round int) error {
		return mergePatch(ctx, name, fmt.Sprintf(`{"metadata":{"annotations":{"faults.assay.dev/round":"%d"}}}`, round))
	})
	mark := o.mark()
	s.setKey(fixture.RevokedKey(release))
	s.untilListed(false, name)
	s.eventually("the status to say so", func(ctx context.Context) (bool, string) {
		var image imagev1.Image
		err := admin.Get(ctx, client.ObjectKey{Name: name}, &image)
		return err == nil && image.Status.Verified == metav1.ConditionFalse, fmt.Sprint(image.Status.Verified, err)
	})
	failed := 0
	for _, a := range o.until(mark, func(a action) bool { return a == action{patchStatus, name, true} }) {
		if a.name == name && !a.ok {
			failed++
		}
	}
	// One in each lane that may come to the Image.
	if failed > 2 {
		t.Errorf("%d writes of the operator failed before the status was corrected", failed)
	}
	stop()
	s.expect(revoked, verified)
	s.settle()
}

// testSlowKeys: a ConfigMap has 48 key files whose self-signatures take long to verify. The policy
// that reads it cannot be applied, and no other one waits for that.
func testSlowKeys(t *testing.T, o *operator) {
	const files = 48
	slowKeys := newScenario(t, "slow-keys")
	s := newScenario(t, "beside-slow-keys")
	configMap := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: manager.Namespace, Name: slowKeys.name, Labels: map[string]string{testLabel: slowKeys.name}},
		Data:       map[string]string{},
	}
	for i := range files {
		configMap.Data[fmt.Sprintf("%d.asc", i)] = string(slowKeyFile(t, i))
	}
	slowKeys.create(configMap)
	t.Cleanup(func() {
		if err := admin.Delete(context.Background(), configMap); err != nil {
			t.Error(err)
		}
	})
	slowKeys.create(slowKeys.image(0, release))
	slowKeys.want[slowKeys.name+"-0"] = verdict{metav1.ConditionUnknown, assayv1alpha1.ReasonInvalidPolicy}
	s.eventually("the first status of the policy", func(ctx context.Context) (bool, string) {
		err := admin.Get(ctx, client.ObjectKeyFromObject(slowKeys.policy), slowKeys.policy)
		return err == nil && slowKeys.policy.Status.ObservedGeneration == slowKeys.policy.Generation, fmt.Sprint(err)
	})
	mark := o.mark()
	policyPatch := client.MergeFrom(slowKeys.policy.DeepCopy())
	slowKeys.policy.Spec.Keys = append(slowKeys.policy.Spec.Keys, assayv1alpha1.TrustedKey{
		Name: "slow", ConfigMapRef: &assayv1alpha1.KeySourceRef{Name: configMap.Name},
	})
	if err := admin.Patch(t.Context(), slowKeys.policy, policyPatch); err != nil {
		t.Fatal(err)
	}
	name := s.signedImage(0, release, verified)
	s.settle()
	slowKeys.settle()
	s.eventually("the status of the policy", func(context.Context) (bool, string) {
		return slices.Contains(o.since(mark), action{patchStatus, policyAction(slowKeys.name), true}), ""
	})
	// The first verdict on the other image may be from before the policy changed.
	log := o.since(mark)
	invalid := slices.Index(log, action{patchStatus, policyAction(slowKeys.name), true})
	if verdict := slices.Index(log, action{patchStatus, name, true}); verdict < 0 || verdict > invalid {
		t.Errorf("the verdict under another policy is write %d, the status of the policy with slow keys %d", verdict, invalid)
	}
	slowKeys.overBudget(files)
	// The same keys once more: the object changes, and its content does not.
	for round := range 3 {
		patch := client.MergeFrom(configMap.DeepCopy())
		configMap.Labels["faults.assay.dev/round"] = fmt.Sprint(round)
		if err := admin.Patch(t.Context(), configMap, patch); err != nil {
			t.Fatal(err)
		}
		s.signedImage(round+1, release, verified)
		s.settle()
	}
	slowKeys.settle()
}

// overBudget checks that the scenario's policy cannot be applied, and that few of its files were read
// to find that out.
func (s *scenario) overBudget(files int) {
	s.Helper()
	if err := admin.Get(s.Context(), client.ObjectKeyFromObject(s.policy), s.policy); err != nil {
		s.Fatal(err)
	}
	unread := 0
	for _, key := range s.policy.Status.Keys {
		if key.Reason == assayv1alpha1.ReasonOverBudget {
			unread++
		}
	}
	if read := files - unread; read > files/4 {
		s.Errorf("%d of %d files were read", read, files)
	}
	ready := meta.FindStatusCondition(s.policy.Status.Conditions, assayv1alpha1.ReadyCondition)
	if ready == nil || ready.Reason != assayv1alpha1.ReasonInvalidPolicy {
		s.Errorf("the policy's condition is %+v, want %s", ready, assayv1alpha1.ReasonInvalidPolicy)
	}
}

// brainpoolP512 is the generator of the curve (RFC 5639 section 3.7) as the point of a public key
// (RFC 9580 sections 9.2 and 11.2).
const brainpoolP512 = "09" + "2B240303020801010D" + "0403" + "04" +
	"81AEE4BDD82ED9645A21322E9C4C6A9385ED9F70B5D916C1B43B62EEF4D0098EFF3B1F78E2D0D48D50D1687B93B97D5F7C6D5047406A5E688B352209BCB9F822" +
	"7DDE385D566332ECC0EABFA9CF7822FDF209F70024A57B1AA000C55B881F8111B2DCDE494A5F485E5BCA4BD88A2763AED1CA2B2FA8F0540678CD1E0F3AD80892"

// slowKeyFile is a file of 10 KB with a key on the slowest curve and 40 copies of a forged
// self-signature.
func slowKeyFile(t *testing.T, n int) []byte {
	t.Helper()
	const copies = 40
	numbers, err := hex.DecodeString(brainpoolP512)
	if err != nil {
		t.Fatal(err)
	}
	key := *pgp.ECDSA(4, keyMade, elliptic.P256(), "forger")
	key.Numbers = numbers
	key.Created += uint32(n)
	user := pgp.Packet(pgp.TagUserID, []byte("slow"))
	signed := key.User("slow", key.Standard(pgp.TypePositiveCert, key.Created, pgp.Flags(pgp.FlagCertify|pgp.FlagSign)))
	return pgp.Armor("PGP PUBLIC KEY BLOCK", key.Certificate(append(user, bytes.Repeat(signed[len(user):], copies)...)))
}
