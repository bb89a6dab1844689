// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagecache

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	imagev1 "github.com/assay-project/assay/api/image/v1"
	"github.com/assay-project/assay/internal/imagejson"
	"github.com/assay-project/assay/internal/verify"
)

// Image is what the cache keeps of an Image: see package imagejson for what that is. It is
// for reading alone, because writing it back would remove what was left out.
type Image struct {
	imagev1.Image `json:",inline"`

	// Size is that of the stored Image, in bytes of JSON.
	Size int `json:"-"`

	// Manifest is what the bytes of the manifest say, which are left out.
	Manifest verify.Manifest `json:"-"`

	// Fault is why the Image cannot be verified, nil if nothing stands against it. With a
	// fault, the Image has no signatures.
	Fault *imagejson.Fault `json:"-"`

	// Omitted is set where the signatures are left out, and what an index lists. It is nil for an
	// Image that was not read from the cache.
	Omitted *Omitted `json:"-"`
}

func newImage(e imagejson.Entry) Image {
	e.Image.Finalizers = nil // Nobody needs them, and they may take much.
	return Image{Image: e.Image, Size: e.Size, Manifest: e.Manifest, Fault: e.Fault}
}

// UnmarshalJSON implements json.Unmarshaler, so that an Image that is read without the cache is
// the same.
func (in *Image) UnmarshalJSON(text []byte) error {
	e, err := imagejson.Decode(text, keptAnnotations...)
	*in = newImage(e)
	return err
}

// DeepCopyInto copies an Image into out.
func (in *Image) DeepCopyInto(out *Image) {
	in.Image.DeepCopyInto(&out.Image)
	// What is omitted does not change.
	out.Size, out.Manifest, out.Fault, out.Omitted = in.Size, in.Manifest, nil, in.Omitted
	if in.Fault != nil {
		fault := *in.Fault
		out.Fault = &fault
	}
}

// DeepCopy copies an Image.
func (in *Image) DeepCopy() *Image {
	if in == nil {
		return nil
	}
	out := &Image{}
	in.DeepCopyInto(out)
	return out
}

// DeepCopyObject implements runtime.Object.
func (in *Image) DeepCopyObject() runtime.Object {
	if in == nil {
		return nil
	}
	return in.DeepCopy()
}

// ImageList is a list of Images.
type ImageList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Image `json:"items"`
}

// DeepCopy copies a list with its Images.
func (in *ImageList) DeepCopy() *ImageList {
	if in == nil {
		return nil
	}
	out := &ImageList{TypeMeta: in.TypeMeta}
	in.ListMeta.DeepCopyInto(&out.ListMeta)
	if in.Items != nil {
		out.Items = make([]Image, len(in.Items))
		for i := range in.Items {
			in.Items[i].DeepCopyInto(&out.Items[i])
		}
	}
	return out
}

// DeepCopyObject implements runtime.Object.
func (in *ImageList) DeepCopyObject() runtime.Object {
	if in == nil {
		return nil
	}
	return in.DeepCopy()
}

// AddToScheme makes a scheme know Image and ImageList as the kinds of image.openshift.io/v1, in
// place of the types of the API: a scheme has one type for each kind.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(imagev1.GroupVersion, &Image{}, &ImageList{})
	metav1.AddToGroupVersion(scheme, imagev1.GroupVersion)
	return nil
}
