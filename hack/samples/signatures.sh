# Copyright The Assay Authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # work, out, sample and the rest are set by the files beside this one
#
# Makes the signatures of the samples, and checks them with gpg and skopeo.

# payload REFERENCE DIGEST prints the JSON of containers-signature(5).
payload() {
	printf '{"critical":{"identity":{"docker-reference":"%s"},"image":{"docker-manifest-digest":"%s"},"type":"atomic container signature"},"optional":{"creator":"gpg (GnuPG)","timestamp":1748854800}}' "$1" "$2"
}

# sign_with_gpg KEY [OPTION...] signs standard input into the current blob.
sign_with_gpg() {
	local key=$1
	shift
	signer --yes --local-user "$key" --output "$blob" "$@" --sign
}

# sign_with_skopeo REFERENCE KEY signs the current manifest into the current blob.
sign_with_skopeo() {
	GNUPGHOME=$work/signer skopeo standalone-sign "$manifest_file" "$1" "$2" --output "$blob"
}

# with_other_last_digit DIGEST prints a digest that differs in its last digit.
with_other_last_digit() {
	case $1 in
	*0) printf %s1 "${1%?}" ;;
	*) printf %s0 "${1%?}" ;;
	esac
}

# replace_in_signature OLD NEW changes the signed text of an uncompressed signature.
replace_in_signature() {
	sed "s/$1/$2/" "$blob" >"$blob.changed"
	if [ "$(cmp -l "$blob" "$blob.changed" | wc -l)" -ne 1 ]; then
		echo "generate.sh: $sample: expected one byte to differ" >&2
		exit 1
	fi
	mv "$blob.changed" "$blob"
}

# The keyring of the checks holds what the samples trust, and gpg has its real clock there.
verifier() { gpg --homedir "$work/verifier" --batch --no-tty --quiet --trust-model always "$@"; }

# gpg_says STATUS BLOB checks that gpg's verdict is that status word, and no other.
gpg_says() {
	local words
	words=$(verifier --status-fd 1 --verify "$work/blobs/$2" 2>/dev/null |
		sed -n 's/^\[GNUPG:\] \([A-Z]*SIG\) .*/\1/p' | grep -v -e VALIDSIG -e NEWSIG || true)
	if [ "$words" != "$1" ]; then
		echo "generate.sh: $2: gpg says '$words', expected '$1'" >&2
		exit 1
	fi
}

# skopeo_accepts MANIFEST-OF REFERENCE KEY BLOB
skopeo_accepts() {
	GNUPGHOME=$work/verifier skopeo standalone-verify \
		"$work/blobs/$1.manifest" "$2" "$3" "$work/blobs/$4" >/dev/null 2>&1
}

# skopeo_says yes|no SAMPLE REFERENCE KEY
skopeo_says() {
	local answer=no
	if skopeo_accepts "$2" "$3" "$4" "$2-1"; then answer=yes; fi
	if [ "$answer" != "$1" ]; then
		echo "generate.sh: $2: skopeo standalone-verify says $answer, expected $1" >&2
		exit 1
	fi
}

# check_all compares every signature with what gpg and skopeo make of it.
check_all() {
	local status blobs each
	install -d -m 700 "$work/verifier"
	verifier --import "$out"/keys/*.asc
	while read -r status blobs; do
		for each in $blobs; do gpg_says "$status" "$each"; done
	done <<-END
		GOODSIG verified-1 named-by-digest-1 signed-by-subkey-1 two-signatures-2 mirrored-1
		GOODSIG other-digest-1 other-name-1 armored-1 no-policy-1 keys-missing-1
		BADSIG tampered-1
		ERRSIG unknown-key-1 two-signatures-1
		EXPKEYSIG expired-key-1
		REVKEYSIG revoked-key-1
	END
	skopeo_says yes verified "$shop/frontend:v1.4.2" "$release"
	skopeo_says yes named-by-digest "$shop/frontend:v1.5.0" "$release"
	skopeo_says yes mirrored registry.vendor.example/products/database:17.2 "$vendor"
	skopeo_says no tampered "$shop/checkout:v2.0.0" "$release"
	skopeo_says no other-digest "$shop/cart:v1.8.0" "$release"
	skopeo_says no other-name "$shop/payments:v3.1.0" "$release"
}
