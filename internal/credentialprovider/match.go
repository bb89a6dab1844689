// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package credentialprovider

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
)

// pattern matches images as matchImages of kubelet does, and the keys of the answers of programs: a
// star stands for a part of one label of the host, a port must be the same, and the path is a
// beginning of that of the image.
type pattern struct {
	labels     []string
	port, path string
}

func parsePattern(text string) (pattern, error) {
	p, err := splitImage(text)
	if err != nil {
		return p, fmt.Errorf("%q: %w", text, err)
	}
	for _, label := range p.labels {
		if _, err := path.Match(label, ""); err != nil {
			return p, fmt.Errorf("%q: %w", text, err)
		}
	}
	return p, nil
}

// splitImage reads host[:port][/path].
func splitImage(text string) (pattern, error) {
	u, err := url.Parse("https://" + text)
	if err != nil {
		return pattern{}, errors.New("it is no name of images")
	}
	if u.Hostname() == "" || strings.Contains(text, "://") {
		return pattern{}, errors.New("it must begin with a host, without a scheme")
	}
	return pattern{labels: strings.Split(u.Hostname(), "."), port: u.Port(), path: u.Path}, nil
}

// matches reports whether the pattern matches an image.
func (p *pattern) matches(image *pattern) bool {
	if len(p.labels) != len(image.labels) || p.port != image.port || !strings.HasPrefix(image.path, p.path) {
		return false
	}
	for i, label := range p.labels {
		if ok, err := path.Match(label, image.labels[i]); err != nil || !ok {
			return false
		}
	}
	return true
}
