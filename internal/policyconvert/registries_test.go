// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package policyconvert_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/imageref"
	"github.com/assay-project/assay/internal/policyconvert"
)

// redHat are the two files that Red Hat's systems have in /etc/containers/registries.d.
var redHat = map[string]string{
	"registry.access.redhat.com.yaml": "docker:\n     registry.access.redhat.com:\n         lookaside: https://access.redhat.com/webassets/docker/content/sigstore\n",
	"registry.redhat.io.yaml":         "docker:\n     registry.redhat.io:\n         sigstore: https://registry.redhat.io/containers/sigstore\n",
}

// stockDefault is default.yaml as skopeo's package has it.
const stockDefault = `# This is a default registries.d configuration file.
# lookaside: indicates a location that is read and write
# lookaside-staging: indicates a location that is only for write
default-docker:
#  lookaside: https://privateregistry.com/sigstore/
  lookaside-staging: file:///var/lib/containers/sigstore
`

// openShift is what OpenShift's nodes have of an ImageDigestMirrorSet and an insecure registry.
const openShift = `unqualified-search-registries = ["registry.access.redhat.com", "docker.io"]
short-name-mode = ""

[[registry]]
  prefix = ""
  location = "quay.io/openshift-release-dev/ocp-release"

  [[registry.mirror]]
    location = "mirror.example.com:5000/ocp/release"
    pull-from-mirror = "digest-only"

[[registry]]
  prefix = ""
  location = "registry.redhat.io"
  blocked = false

  [[registry.mirror]]
    location = "mirror.example.com:5000/redhat"
    pull-from-mirror = "digest-only"
  [[registry.mirror]]
    location = "tags.example.com/redhat"
    pull-from-mirror = "tag-only"

[[registry]]
  prefix = ""
  location = "insecure.example.com:5000"
  insecure = true
`

// convertRegistries converts files: those called *.conf are TOML.
func convertRegistries(t *testing.T, files ...string) (configs []assayv1alpha1.RegistryConfig, notes []string, err error) {
	t.Helper()
	c := policyconvert.New(policyconvert.Options{})
	for i, text := range files {
		name := fmt.Sprintf("file%d", i)
		add := c.Add
		if !strings.Contains(text, "docker:") {
			add = c.AddRegistriesConf
		}
		if err := add(name, []byte(text)); err != nil {
			return nil, nil, err
		}
	}
	policies, more := c.Result()
	if len(policies) > 0 {
		t.Errorf("TrustPolicies: %+v", policies)
	}
	configs, registryNotes := c.Registries()
	for _, note := range append(more, registryNotes...) {
		mark := ""
		if note.Lost {
			mark = "!"
		}
		notes = append(notes, mark+note.Where+": "+note.Text)
	}
	return configs, notes, nil
}

// describeRegistry is a RegistryConfig in one line.
func describeRegistry(c *assayv1alpha1.RegistryConfig) string {
	var b strings.Builder
	for _, scope := range c.Spec.Scopes {
		b.WriteString(string(scope))
	}
	if c.Spec.Lookaside != "" {
		b.WriteString(" lookaside " + string(c.Spec.Lookaside))
	}
	for _, m := range c.Spec.Mirrors {
		b.WriteString(" mirror " + string(m))
	}
	if c.Spec.MirrorSourcePolicy != "" {
		b.WriteString(" " + string(c.Spec.MirrorSourcePolicy))
	}
	if c.Spec.Attachments != "" {
		b.WriteString(" attachments " + string(c.Spec.Attachments))
	}
	if c.Spec.Insecure {
		b.WriteString(" insecure")
	}
	return b.String()
}

func TestRegistries(t *testing.T) {
	mirrored := func(table string) string { return "[[registry]]\nprefix = \"a.example.com/team\"\n" + table }
	tests := map[string]struct {
		files []string
		want  []string
		// notes are parts of the notes; a lost one begins with an exclamation mark.
		notes []string
	}{
		"Red Hat": {
			files: []string{redHat["registry.access.redhat.com.yaml"], redHat["registry.redhat.io.yaml"], stockDefault},
			want: []string{
				"registry.access.redhat.com lookaside https://access.redhat.com/webassets/docker/content/sigstore",
				"registry.redhat.io lookaside https://registry.redhat.io/containers/sigstore",
			},
			notes: []string{"file2: default-docker: lookaside-staging is left out"},
		},
		"OpenShift with Red Hat's stores": {
			files: []string{redHat["registry.redhat.io.yaml"], openShift},
			want: []string{
				"registry.redhat.io lookaside https://registry.redhat.io/containers/sigstore mirror mirror.example.com:5000/redhat",
				"quay.io/openshift-release-dev/ocp-release mirror mirror.example.com:5000/ocp/release",
				"insecure.example.com:5000 insecure",
			},
			notes: []string{
				"file1: short names: they are left out", `file1: registry 2: "registry.redhat.io": mirror "tags.example.com/redhat" is left out: it is for tags`,
				`file1: registry 3: "insecure.example.com:5000": insecure makes Assay ask by http`,
			},
		},
		"fields of a section come from wider ones": {
			files: []string{`docker:
  a.example.com: {lookaside: https://s.example.com/a, use-sigstore-attachments: false}
  a.example.com/team: {use-sigstore-attachments: true}
  a.example.com/team/app: {lookaside: https://s.example.com/app}
  b.example.com: {use-sigstore-attachments: true}
  "*.example.com": {lookaside: https://s.example.com/any}
  other.example: {}
`},
			want: []string{
				"*.example.com lookaside https://s.example.com/any",
				"a.example.com lookaside https://s.example.com/a attachments Never",
				"a.example.com/team lookaside https://s.example.com/a",
				"a.example.com/team/app lookaside https://s.example.com/app",
				"b.example.com lookaside https://s.example.com/any",
			},
		},
		"a default store": {
			files: []string{"default-docker:\n  lookaside: https://s.example.com\ndocker:\n  a.example.com:\n    lookaside-staging: file:///x\n"},
			want:  []string{"a.example.com lookaside https://s.example.com"},
			notes: []string{"lookaside-staging is left out", "!file0: default-docker: the store is for every registry"},
		},
		"stores that the API does not have": {
			files: []string{`docker:
  a.example.com: {lookaside: "file:///var/lib/containers/sigstore"}
  a.example.com/team: {}
  b.example.com: {lookaside: "http://s.example.com"}
  c.example.com: {lookaside: "https://user:secret@s.example.com"}
`},
			notes: []string{
				`!file0: docker: "a.example.com": "file:///var/lib/containers/sigstore" is a directory of one machine`,
				`!file0: docker: "b.example.com": "http://s.example.com" is left out: http takes insecure`,
				`!file0: docker: "c.example.com": "https://user:secret@s.example.com" is left out: a store is`,
			},
		},
		"an http store of an insecure registry": {
			files: []string{"docker: {a.example.com: {lookaside: 'http://s.example.com'}}\n", "[[registry]]\nlocation = 'a.example.com'\ninsecure = true\n"},
			want:  []string{"a.example.com lookaside http://s.example.com insecure"},
			notes: []string{"insecure makes Assay ask by http"},
		},
		"scopes that a RegistryConfig does not have": {
			files: []string{`docker:
  a.example.com/app:v1: {lookaside: https://s.example.com}
  busybox: {lookaside: https://s.example.com}
  docker.io/library/busybox: {lookaside: https://s.example.com}
`},
			want: []string{"docker.io/library/busybox lookaside https://s.example.com"},
			notes: []string{
				`!file0: docker: "a.example.com/app:v1": it is left out: a RegistryConfig is for repositories`,
				`!file0: docker: "busybox": it is left out: it applies to no image`,
			},
		},
		"a mirror of a wider scope": {
			files: []string{"docker: {a.example.com/team: {lookaside: https://s.example.com}}\n",
				"[[registry]]\nprefix = 'a.example.com'\nlocation = 'a.example.com'\n[[registry.mirror]]\nlocation = 'm.example.com/a'\n"},
			want: []string{
				"a.example.com/team lookaside https://s.example.com mirror m.example.com/a/team",
				"a.example.com mirror m.example.com/a",
			},
		},
		"a table without a mirror below one with mirrors": {
			files: []string{"[[registry]]\nlocation = 'a.example.com'\n[[registry.mirror]]\nlocation = 'm.example.com'\n[[registry]]\nlocation = 'a.example.com/own'\n"},
			want:  []string{"a.example.com mirror m.example.com", "a.example.com/own"},
		},
		"another location": {
			files: []string{mirrored("location = \"real.example.com/moved\"\n[[registry.mirror]]\nlocation = \"m.example.com/team\"\n")},
			want:  []string{"a.example.com/team mirror m.example.com/team mirror real.example.com/moved NeverContactSource"},
		},
		"a later file replaces a prefix": {
			files: []string{
				mirrored("[[registry.mirror]]\nlocation = \"old.example.com\"\n"),
				mirrored("[[registry.mirror]]\nlocation = \"new.example.com\"\n"),
			},
			want: []string{"a.example.com/team mirror new.example.com"},
		},
		"mirrors that a RegistryConfig does not have": {
			files: []string{mirrored("[[registry.mirror]]\nlocation = \"mirror\"\n[[registry.mirror]]\nlocation = \"M.example.com\"\n[[registry.mirror]]\nlocation = \"m.example.com:5000\"\n")},
			want:  []string{"a.example.com/team mirror m.example.com:5000"},
			notes: []string{`!file0: registry 1: "a.example.com/team": mirror "mirror" is left out`, `mirror "M.example.com" is left out`},
		},
		"too many mirrors": {
			files: []string{mirrored(strings.Repeat("[[registry.mirror]]\nlocation = \"m.example.com\"\n", 9))},
			want:  []string{"a.example.com/team" + strings.Repeat(" mirror m.example.com", 8)},
			notes: []string{"a RegistryConfig has at most 8"},
		},
		"an insecure mirror": {
			files: []string{mirrored("[[registry.mirror]]\nlocation = \"m.example.com\"\ninsecure = true\n")},
			want:  []string{"a.example.com/team mirror m.example.com"},
			notes: []string{"!file0: registry 1: \"a.example.com/team\": insecure is left out: it is for some of"},
		},
		"blocked": {
			files: []string{mirrored("blocked = true\n[[registry.mirror]]\nlocation = \"m.example.com\"\n")},
			notes: []string{"!file0: registry 1: \"a.example.com/team\": blocked is left out"},
		},
		"a wildcard": {
			files: []string{"[[registry]]\nprefix = \"*.example.com\"\nlocation = \"m.example.com\"\n"},
			notes: []string{"!file0: registry 1: \"*.example.com\": mirrors and location are left out"},
		},
		"podman's own file": {
			files: []string{`unqualified-search-registries = ["registry.fedoraproject.org", "registry.access.redhat.com", "docker.io"]
# [[registry]]
# prefix = "example.com/foo"
short-name-mode = "enforcing"
credential-helpers = ["secretservice"]
additional-layer-store-auth-helper = "x"
[aliases]
"fedora" = "registry.fedoraproject.org/fedora"
[[registry]]
location = "localhost:5000"
insecure = false
`},
			notes: []string{
				`!file0: "additional-layer-store-auth-helper": it is left out: it is not known`, "file0: short names", "file0: credential-helpers",
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			configs, notes, err := convertRegistries(t, tt.files...)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i := range configs {
				got = append(got, describeRegistry(&configs[i]))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(notes) != len(tt.notes) {
				t.Fatalf("notes %q, want %q", notes, tt.notes)
			}
			for i, note := range notes {
				if !strings.Contains(note, strings.TrimPrefix(tt.notes[i], "!")) || strings.HasPrefix(tt.notes[i], "!") && !strings.HasPrefix(note, "!") {
					t.Errorf("note %q, want %q", note, tt.notes[i])
				}
			}
		})
	}
}

// TestRegistriesRefused checks files that their own readers refuse, and that nothing of them is left.
func TestRegistriesRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		files []string
		want  string
	}{
		"a scope in two files":     {[]string{redHat["registry.redhat.io.yaml"], redHat["registry.redhat.io.yaml"]}, `file1: docker: "registry.redhat.io" is also in file0: docker`},
		"two defaults":             {[]string{stockDefault, stockDefault}, "default-docker is also in file0"},
		"a scope twice":            {[]string{"docker:\n  a.example.com: {}\n  a.example.com: {}\n"}, "a.example.com"},
		"a section that is a text": {[]string{"docker: {a.example.com: 'https://s.example.com'}\n"}, "a.example.com"},
		"a store that is a list":   {[]string{"docker: {a.example.com: {lookaside: [x]}}\n"}, "lookaside"},
		"attachments that are no":  {[]string{"docker: {a.example.com: {use-sigstore-attachments: maybe}}\n"}, "use-sigstore-attachments"},
		"something else":           {[]string{"docker: {}\npodman: {}\n"}, `member "podman" is not known`},
		"no TOML":                  {[]string{"[[registry]\n"}, "the file is not TOML"},
		"a number as location":     {[]string{"[[registry]]\nlocation = 5\n"}, "the file is not TOML"},
		"version 1":                {[]string{"[registries.search]\nregistries = ['docker.io']\n"}, "version 1"},
		"no location":              {[]string{"[[registry]]\ninsecure = true\n"}, "neither prefix nor location"},
		"an unknown mode":          {[]string{"[[registry]]\nlocation = 'a.example.com'\n[[registry.mirror]]\nlocation = 'b.example.com'\npull-from-mirror = 'never'\n"}, "pull-from-mirror"},
		"deep":                     {[]string{"a = " + strings.Repeat("[", 100_000)}, "nested too deep"},
		"large":                    {[]string{strings.Repeat("#", policyconvert.MaxSize+1)}, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			configs, notes, err := convertRegistries(t, tt.files...)
			if err == nil || !strings.Contains(err.Error(), tt.want) || configs != nil || notes != nil {
				t.Errorf("error %v, want %q; %+v, %q", err, tt.want, configs, notes)
			}
		})
	}
}

// TestRegistriesAfterRefusal checks that a file that is refused leaves nothing behind.
func TestRegistriesAfterRefusal(t *testing.T) {
	c := policyconvert.New(policyconvert.Options{})
	for _, err := range []error{
		c.Add("a", []byte("docker: {a.example.com: {lookaside: 'https://s.example.com'}, b.example.com: {lookaside: []}}\n")),
		c.AddRegistriesConf("b.conf", []byte("[[registry]]\nlocation = 'a.example.com'\ninsecure = true\n[[registry]]\n")),
	} {
		if err == nil {
			t.Error("no error")
		}
	}
	if configs, notes := c.Registries(); len(configs)+len(notes) > 0 {
		t.Errorf("%+v, %+v", configs, notes)
	}
}

// FuzzRegistries checks that any file of registries is refused, or gives what the API accepts, the
// same each time.
func FuzzRegistries(f *testing.F) {
	f.Add([]byte(openShift))
	f.Add([]byte("[[registry]]\nprefix='*.example.com'\nlocation='a.example.com:5000/x'\ninsecure=true\n"))
	f.Add([]byte("[[registry]]\nprefix='a.example.com/x'\n[[registry.mirror]]\nlocation='[::1]:5000'\n"))
	f.Add([]byte("x = " + strings.Repeat("[{a=", 20)))
	f.Fuzz(func(t *testing.T, data []byte) {
		convert := func() ([]assayv1alpha1.RegistryConfig, error) {
			c := policyconvert.New(policyconvert.Options{})
			err := c.AddRegistriesConf("file", data)
			configs, _ := c.Registries()
			return configs, err
		}
		configs, err := convert()
		if err != nil && len(configs) > 0 {
			t.Fatalf("refused with %v, and converted", err)
		}
		names := map[string]bool{}
		for i := range configs {
			c := &configs[i]
			if names[c.Name] || c.Name == "" || len(c.Name) > 253 || len(c.Spec.Scopes) != 1 || len(c.Spec.Mirrors) > 8 {
				t.Errorf("%+v", c)
			}
			names[c.Name] = true
			for _, text := range c.Spec.Scopes {
				if scope, err := imageref.ParseScope(string(text)); err != nil || scope.String() != string(text) {
					t.Errorf("scope %q: %v", text, err)
				}
			}
		}
		again, _ := convert()
		if diff := cmp.Diff(configs, again); diff != "" {
			t.Errorf("differs the next time:\n%s", diff)
		}
	})
}
