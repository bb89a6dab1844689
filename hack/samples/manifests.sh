# Copyright The Assay Authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # work is set by generate.sh
#
# Makes the manifests of the samples. The images do not exist in any registry: the digests
# of their layers are those of made-up text.

# manifest oci|docker SEED writes a manifest and sets manifest_file, digest, media_type,
# layer_media_type, layer_digests and layer_sizes.
manifest() {
	local config_media_type
	case $1 in
	oci)
		media_type=application/vnd.oci.image.manifest.v1+json
		config_media_type=application/vnd.oci.image.config.v1+json
		layer_media_type=application/vnd.oci.image.layer.v1.tar+gzip
		;;
	docker)
		media_type=application/vnd.docker.distribution.manifest.v2+json
		config_media_type=application/vnd.docker.container.image.v1+json
		layer_media_type=application/vnd.docker.image.rootfs.diff.tar.gzip
		;;
	esac
	manifest_file=$work/manifest.json
	layer_digests=("$(digest_of "$2: layer 1")" "$(digest_of "$2: layer 2")")
	layer_sizes=(29126484 4871162)
	# Without a newline at the end, as registries store them.
	printf %s "$(manifest_json "$2" "$config_media_type")" >"$manifest_file"
	digest=sha256:$(sha256sum <"$manifest_file" | cut -d' ' -f1)
}

digest_of() { printf 'sha256:%s' "$(printf %s "$1" | sha256sum | cut -d' ' -f1)"; }

# manifest_json SEED CONFIG-MEDIA-TYPE
manifest_json() {
	cat <<-END
		{
		  "schemaVersion": 2,
		  "mediaType": "$media_type",
		  "config": {
		    "mediaType": "$2",
		    "digest": "$(digest_of "$1: config")",
		    "size": 6183
		  },
		  "layers": [
		    {
		      "mediaType": "$layer_media_type",
		      "digest": "${layer_digests[0]}",
		      "size": ${layer_sizes[0]}
		    },
		    {
		      "mediaType": "$layer_media_type",
		      "digest": "${layer_digests[1]}",
		      "size": ${layer_sizes[1]}
		    }
		  ]
		}
	END
}
