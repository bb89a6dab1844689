// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package filekind

// kind is what a file is.
type kind struct {
	// name has an article: an HTML page.
	name string
	// key is what to do where a public key belongs; empty where the file is one.
	key string
	// signature is what to do where the signature of an image belongs; empty where the file is one.
	signature string
	// isSignatureOf is the format of signatures that the file is of: atomic or sigstore.
	isSignatureOf string
}

// Formats of signatures, by verify.Format.Name.
const (
	Atomic   = "atomic"
	Sigstore = "sigstore"
)

// Advice that several kinds share.
const (
	keyElsewhere       = "public keys go into a TrustPolicy or to --trusted-key"
	signatureElsewhere = "signatures go into an Image; get the public key of its signer"
	signerKey          = "get the public key of its signer"
	exportKey          = "export the public key (gpg --export --armor)"
	privateKey         = "remove it, and take it for known to others"
	unpack             = "unpack it first"
	getFile            = "get the file itself and not a page about it"
	imageElsewhere     = "it is what signatures are about"
)

var (
	openPGPKey     = kind{name: "an OpenPGP public key", signature: keyElsewhere}
	pemKey         = kind{name: "a public key in PEM", signature: keyElsewhere}
	openPGPMessage = kind{
		name: "a signed OpenPGP message", key: signatureElsewhere, isSignatureOf: Atomic,
	}
	bundle = kind{name: "a sigstore bundle", key: signatureElsewhere, isSignatureOf: Sigstore}
	blob   = kind{
		name: "a signature of sigstore as containers/image keeps it", key: signatureElsewhere, isSignatureOf: Sigstore,
	}

	empty           = kind{name: "empty", key: "-", signature: "-"}
	openPGPPrivate  = kind{name: "an OpenPGP private key", key: exportKey, signature: privateKey}
	openPGPDetached = kind{
		name: "a detached OpenPGP signature", key: signerKey,
		signature: "make one with gpg --sign or skopeo standalone-sign",
	}
	openPGPEncrypted = kind{name: "an encrypted OpenPGP message", key: exportKey, signature: "decrypt it first"}
	armoredDetached  = kind{name: "an armored detached OpenPGP signature", key: signerKey, signature: openPGPDetached.signature}
	armoredMessage   = kind{
		name: "an armored OpenPGP message", key: signatureElsewhere,
		signature: "only the binary form is accepted; use gpg --dearmor",
	}
	cleartext = kind{
		name: "a cleartext signed OpenPGP message", key: "gpg --decrypt writes the text that it holds",
		signature: openPGPDetached.signature,
	}
	keybox = kind{name: "a GnuPG keybox", key: "export its keys with gpg --export", signature: keyElsewhere}

	pemCertificate = kind{
		name: "a certificate in PEM", key: "take the public key out of it (openssl x509 -pubkey -noout)", signature: keyElsewhere,
	}
	pemPrivate = kind{
		name: "a private key in PEM", key: "give its public key instead (cosign public-key --key, openssl pkey -pubout)",
		signature: privateKey,
	}
	pemOther     = kind{name: "PEM of another kind", key: "public keys in PEM are in blocks PUBLIC KEY", signature: "signatures are not PEM"}
	der          = kind{name: "binary DER", key: "write the key in PEM (openssl pkey -pubin -inform DER)", signature: "it does not name an image"}
	sshKey       = kind{name: "an SSH key", key: "keys are OpenPGP or PEM", signature: keyElsewhere}
	sshSignature = kind{name: "an SSH signature", key: "keys are OpenPGP or PEM", signature: "signatures are of gpg, skopeo or cosign"}
	minisign     = kind{name: "a file of minisign or signify", key: "keys are OpenPGP or PEM", signature: "signatures are of gpg, skopeo or cosign"}
	bare         = kind{
		name: "a bare signature without what it signs", key: signerKey,
		signature: "cosign keeps its payload beside it; use a bundle (cosign sign --bundle)",
	}

	payload = kind{
		name: "the unsigned payload of a signature", key: exportKey, signature: "sign it with gpg --sign",
	}
	envelope     = kind{name: "an attestation", key: signerKey, signature: "use a bundle of cosign sign"}
	legacyBundle = kind{
		name: "a bundle of an old cosign", key: signatureElsewhere, signature: "use cosign sign --bundle with --new-bundle-format",
	}
	manifest   = kind{name: "the manifest of an image", key: imageElsewhere, signature: imageElsewhere + "; it belongs to --manifest"}
	kubernetes = kind{
		name: "a Kubernetes object", key: "give the key that it holds, decoded", signature: "give the signature that it holds, decoded",
	}
	jsonText = kind{name: "a JSON document", key: "keys are OpenPGP or PEM", signature: "signatures are of gpg, skopeo or cosign"}
	archive  = kind{
		name: "an archive of an image (docker save, skopeo copy)", key: imageElsewhere,
		signature: imageElsewhere + ", which podman push --sign-by and skopeo write to a lookaside store",
	}
	tarball    = kind{name: "a tar archive", key: unpack, signature: unpack}
	compressed = kind{name: "a compressed file", key: unpack, signature: unpack}
	page       = kind{name: "an HTML page", key: getFile, signature: getFile}
	xml        = kind{name: "an XML document, as stores answer with errors", key: getFile, signature: getFile}
	utf16      = kind{
		name: "text in UTF-16, as PowerShell writes it behind >", key: "write it with gpg --output", signature: "write it with --output",
	}
	lfsPointer = kind{name: "a pointer of Git LFS", key: "get the file with git lfs pull", signature: "get the file with git lfs pull"}
)

// labels are the kinds of PEM and of armor, by their labels.
var labels = map[string]*kind{
	"PGP PUBLIC KEY BLOCK":  &openPGPKey,
	"PGP PRIVATE KEY BLOCK": &openPGPPrivate,
	"PGP SIGNATURE":         &armoredDetached,
	"PGP MESSAGE":           &armoredMessage,
	"PGP SIGNED MESSAGE":    &cleartext,
	"PUBLIC KEY":            &pemKey,
	"CERTIFICATE":           &pemCertificate,
	"SSH SIGNATURE":         &sshSignature,
}
