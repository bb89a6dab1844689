# Copyright The Assay Authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # work and out are set by generate.sh
#
# Makes, revokes and exports the keys of the samples.

# gpg is told what time it is, so that the samples are valid on machines whose clock is
# behind, and so that a key can have expired a while ago.
readonly EXPIRED_KEY_MADE=20230102T090000
readonly EXPIRED_KEY_IN_USE=20230601T090000
readonly KEYS_MADE=20250106T090000
readonly SIGNED=20250602T090000
readonly REVOKED=20250901T090000

# at sets the clock of every later gpg, also of the one that skopeo runs.
at() {
	printf 'batch\nno-tty\nquiet\npinentry-mode loopback\npassphrase ""\nno-auto-check-trustdb\ntrust-model always\nfaked-system-time %s\n' "$1" \
		>"$work/signer/gpg.conf"
}

# signer runs gpg with the private keys, less its warning about the clock.
signer() {
	gpg --homedir "$work/signer" "$@" 2> >(grep -v 'running with faked system time' >&2)
}

# new_key NAME USER-ID ALGORITHM USAGE EXPIRY sets the variable NAME to the fingerprint.
new_key() {
	signer --status-fd 3 --quick-gen-key "$2" "$3" "$4" "$5" 3>"$work/status" 2>/dev/null
	printf -v "$1" %s "$(sed -n 's/^\[GNUPG:\] KEY_CREATED [BP] \([0-9A-F]*\).*/\1/p' "$work/status")"
}

make_keys() {
	install -d -m 700 "$work/signer"
	echo "making keys (RSA of 4096 bits takes some seconds)" >&2
	at "$EXPIRED_KEY_MADE"
	new_key former "Example Platform Team 2023 <platform@example.com>" rsa2048 sign 1y
	at "$KEYS_MADE"
	new_key release "Example Shop Release <release@example.com>" rsa4096 sign never
	new_key platform_key "Example Platform Team <platform@example.com>" ed25519 cert never
	signer --quick-add-key "$platform_key" ed25519 sign never
	new_key compromised "Example Platform Build Host <build@example.com>" rsa3072 sign never
	new_key vendor "Vendor Product Signing <security@vendor.example>" nistp256 sign never
	new_key unknown "Somebody Else <somebody@example.net>" ed25519 sign never
	at "$SIGNED"
}

# revoke puts a revocation on a key, with the reason "key has been compromised".
revoke() {
	at "$REVOKED"
	printf 'y\n1\n\ny\n' | signer --no-batch --command-fd 0 --gen-revoke "$1" >"$work/revocation.asc" 2>/dev/null
	signer --import "$work/revocation.asc"
}

export_keys() {
	local file key
	while read -r file key; do
		signer --armor --export-options export-minimal --export "$key" >"$out/keys/$file.asc"
	done <<-END
		release $release
		platform $platform_key
		platform-2023 $former
		build-host $compromised
		vendor $vendor
	END
}
