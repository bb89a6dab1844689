#!/usr/bin/env bash
# Copyright The Assay Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Makes the data of config/samples again: new keys, and real signatures by gpg and
# `skopeo standalone-sign`. The private keys live in a temporary directory only and are
# thrown away. See README.md beside this file.
#
# usage: hack/samples/generate.sh [OUTPUT-DIRECTORY]

set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/../../config/samples}

# shellcheck source=hack/samples/keys.sh
source "$here/keys.sh"
# shellcheck source=hack/samples/manifests.sh
source "$here/manifests.sh"
# shellcheck source=hack/samples/signatures.sh
source "$here/signatures.sh"
# shellcheck source=hack/samples/objects.sh
source "$here/objects.sh"

shop=registry.example.com/shop
platform=registry.example.com/platform

for tool in gpg gpgconf skopeo sha256sum base64; do
	command -v "$tool" >/dev/null || { echo "generate.sh: $tool is needed (Debian: apt-get install gnupg skopeo)" >&2; exit 1; }
done

work=$(mktemp -d)
cleanup() {
	gpgconf --homedir "$work/signer" --kill all 2>/dev/null || true
	gpgconf --homedir "$work/verifier" --kill all 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

make_trusted_samples() {
	begin verified True Verified "The plain case: 'skopeo standalone-sign' made the signature with the release key, for this manifest and under this name."
	manifest oci shop/frontend
	sign_with_skopeo "$shop/frontend:v1.4.2" "$release"
	image "$shop/frontend:v1.4.2"
	signature AtomicImageV1

	begin named-by-digest True Verified "An Image as OpenShift's import makes it: its name, the digest in its reference and the bytes of its manifest all state the same digest. (A custom resource cannot be called sha256:<hex>, so the name has a dash.)"
	manifest docker shop/frontend-v1.5.0
	sign_with_skopeo "$shop/frontend:v1.5.0" "$release"
	name=${digest/:/-}
	image "$shop/frontend@$digest"
	image_metadata shop/frontend-v1.5.0
	signature atomic

	begin signed-by-subkey True Verified "A signing subkey made the signature; the primary key only certifies it and can stay offline. No manifest is stored: the digest in the reference says which image this is."
	manifest oci platform/ingress
	payload "$platform/ingress:v2.11.0" "$digest" | sign_with_gpg "$platform_key"
	image_without_manifest "$platform/ingress@$digest"
	signature AtomicImageV1

	begin two-signatures True Verified "Two signatures, the first by a key that nobody trusts. A bad signature never hides a good one: 1/2."
	manifest oci shop/recommendations
	image "$shop/recommendations:v0.9.3"
	payload "$shop/recommendations:v0.9.3" "$digest" | sign_with_gpg "$unknown"
	signature AtomicImageV1
	sign_with_skopeo "$shop/recommendations:v0.9.3" "$release"
	signature AtomicImageV1

	begin mirrored True Verified "A copy on a mirror, signed by its vendor under the original name. The TrustPolicy 'vendor' maps the mirror's prefix to the vendor's."
	manifest oci vendor/database
	sign_with_skopeo "registry.vendor.example/products/database:17.2" "$vendor"
	image "mirror.example.com/vendor/database:17.2"
	signature AtomicImageV1
}

make_refused_samples() {
	local other

	begin tampered False InvalidSignature "The signature was made for another digest; then one byte of it was changed, so that its content names this image. Digest and name agree: only the cryptography tells."
	manifest docker shop/checkout
	other=$(with_other_last_digit "$digest")
	payload "$shop/checkout:v2.0.0" "$other" | sign_with_gpg "$release" --compress-algo none
	replace_in_signature "$other" "$digest"
	image "$shop/checkout:v2.0.0"
	signature AtomicImageV1

	begin unknown-key False UntrustedKey "Correctly signed for this digest and name, by a key that no TrustPolicy for it trusts."
	manifest oci shop/search
	payload "$shop/search:v3.2.1" "$digest" | sign_with_gpg "$unknown"
	image "$shop/search:v3.2.1"
	signature AtomicImageV1

	begin expired-key False KeyExpired "Signed while the key was valid; the key has expired since, and the TrustPolicy says 'expiredKeys: Reject'."
	manifest docker platform/backup
	at "$EXPIRED_KEY_IN_USE"
	payload "$platform/backup:v1.0.7" "$digest" | sign_with_gpg "$former"
	at "$SIGNED"
	image "$platform/backup:v1.0.7"
	signature AtomicImageV1

	begin revoked-key False KeyRevoked "Signed before the key was revoked as compromised. Whoever has a stolen key writes any date, so a revocation counts for old signatures as well."
	manifest oci platform/logging
	payload "$platform/logging:v5.4.0" "$digest" | sign_with_gpg "$compromised"
	image "$platform/logging:v5.4.0"
	signature AtomicImageV1

	begin other-digest False DigestMismatch "A genuine signature of the release key, copied from the image that had this tag before."
	manifest oci shop/cart-before-the-rebuild
	other=$digest
	manifest oci shop/cart
	payload "$shop/cart:v1.8.0" "$other" | sign_with_gpg "$release"
	image "$shop/cart:v1.8.0"
	signature AtomicImageV1

	begin other-name False IdentityMismatch "The release key signed these very bytes as a release candidate. The tag v3.1.0 was put on them without a signature for it."
	manifest oci shop/payments
	sign_with_skopeo "$shop/payments:v3.1.0-rc.2" "$release"
	image "$shop/payments:v3.1.0"
	signature AtomicImageV1

	begin armored False MalformedSignature "A common mistake: made with 'gpg --armor'. A signature is the binary form."
	manifest oci shop/newsletter
	payload "$shop/newsletter:v1.1.0" "$digest" | sign_with_gpg "$release" --armor
	image "$shop/newsletter:v1.1.0"
	signature AtomicImageV1

	begin unsigned False NoSignatures "A TrustPolicy covers the image and asks for a signature. There is none."
	manifest oci shop/wishlist
	image "$shop/wishlist:v0.1.0"
}

make_unknown_samples() {
	begin unknown-type Unknown UnsupportedType "A signature in a format that Assay does not verify. It is neither trusted nor refused."
	manifest oci shop/reviews
	payload "$shop/reviews:v4.0.0" "$digest" >"$blob"
	image "$shop/reviews:v4.0.0"
	signature cosign

	begin no-policy Unknown NoTrustPolicy "Signed by a key that is trusted elsewhere, but no TrustPolicy is for this registry."
	manifest oci tools/probe
	sign_with_skopeo "registry.example.org/tools/probe:v1.0.0" "$release"
	image "registry.example.org/tools/probe:v1.0.0"
	signature AtomicImageV1

	begin keys-missing Unknown KeysUnavailable "The TrustPolicy names a Secret that does not exist yet. Once it does, the image is verified at once: kubectl -n assay-system create secret generic staging-key --from-file=key.asc=config/samples/keys/release.asc"
	manifest oci staging/frontend
	sign_with_skopeo "registry.example.com/staging/frontend:main" "$release"
	image "registry.example.com/staging/frontend:main"
	signature AtomicImageV1
}

rm -rf "$out/keys" "$out/images"
mkdir -p "$out/keys" "$out/images" "$out/policies" "$work/blobs"
make_keys
make_trusted_samples
make_refused_samples
make_unknown_samples
revoke "$compromised"
export_keys
write_vendor_policy
check_all
echo "$(find "$out/images" -name '*.yaml' | wc -l) images and $(find "$out/keys" -name '*.asc' | wc -l) key files in $(cd "$out" && pwd)"
