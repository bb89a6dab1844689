// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
	"github.com/assay-project/assay/internal/policyconvert"
)

func newPolicyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Work with TrustPolicies",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return usagef("a command is needed: convert") },
	}
	cmd.AddCommand(newPolicyConvertCommand())
	return cmd
}

type policyConvertOptions struct {
	inlineKeys  bool
	namespace   string
	enforcement string
}

func newPolicyConvertCommand() *cobra.Command {
	o := policyConvertOptions{}
	cmd := &cobra.Command{
		Use:   "convert FILE...",
		Short: "Convert the policies of other programs to TrustPolicies and RegistryConfigs",
		Long: `Convert to TrustPolicies: containers-policy.json(5), OpenShift's ClusterImagePolicy and
ImagePolicy, policy-controller's ClusterImagePolicy, and Kyverno's ClusterPolicy and Policy
with verifyImages. Convert to RegistryConfigs: containers-registries.d(5), and files *.conf
of containers-registries.conf(5). A directory stands for its files *.yaml and *.conf. The
objects go to standard output. Standard error lists what they cannot express, and steps
that remain to be done.

Where registries.d and registries.conf say something about the same images, name both in
one command: a RegistryConfig takes over nothing from another one.

Regular expressions and wildcards in identities are never converted. Standard error
suggests what to write instead.

A key that a file names by its path becomes a reference to a Secret, and a note shows the
command that creates it. With --inline-keys the keys are read and written into the
TrustPolicies.

Exit status:

    0  the objects are equivalent to the files
    1  something was lost; standard error lists it
    2  wrong usage, or a file that cannot be read or converted`,
		Example: `  # convert the policy of podman and skopeo on this machine
  assay policy convert --inline-keys /etc/containers/policy.json > trustpolicies.yaml

  # convert where signatures and mirrors are
  assay policy convert /etc/containers/registries.d /etc/containers/registries.conf > registryconfigs.yaml

  # convert the policies of policy-controller and Kyverno
  kubectl get clusterimagepolicies.policy.sigstore.dev,clusterpolicies -o yaml > policies.yaml
  assay policy convert policies.yaml

  # convert OpenShift's policies, and only audit at first
  oc get clusterimagepolicies -o yaml > policies.yaml
  assay policy convert --enforcement Audit policies.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(args, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.inlineKeys, "inline-keys", false, "read keys that are named by path, and write them into the TrustPolicies")
	flags.StringVar(&o.namespace, "operator-namespace", "assay-system", "`NAMESPACE` of the operator, for the Secrets")
	flags.StringVar(&o.enforcement, "enforcement", "", "`LEVEL` of every TrustPolicy: Enforce, Warn or Audit (default: the default of the API)")
	completeWords(cmd, "enforcement", string(assayv1alpha1.EnforcementEnforce), string(assayv1alpha1.EnforcementWarn), string(assayv1alpha1.EnforcementAudit))
	return cmd
}

func (o *policyConvertOptions) run(files []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(files) == 0 {
		return usagef("a file is needed, or - for standard input")
	}
	levels := []assayv1alpha1.Enforcement{"", assayv1alpha1.EnforcementEnforce, assayv1alpha1.EnforcementWarn, assayv1alpha1.EnforcementAudit}
	if !slices.Contains(levels, assayv1alpha1.Enforcement(o.enforcement)) {
		return usagef("--enforcement must be Enforce, Warn or Audit, and is %q", o.enforcement)
	}
	options := policyconvert.Options{Namespace: o.namespace, Enforcement: assayv1alpha1.Enforcement(o.enforcement)}
	if o.inlineKeys {
		options.ReadFile = readFile
	}
	converter := policyconvert.New(options)
	for _, name := range files {
		if err := addToConversion(converter, name, stdin); err != nil {
			return err
		}
	}
	policies, notes := converter.Result()
	registries, more := converter.Registries()
	if err := writePolicies(stdout, policies); err != nil {
		return fmt.Errorf("writing the TrustPolicies: %w", err)
	}
	if err := writeRegistries(stdout, registries); err != nil {
		return fmt.Errorf("writing the RegistryConfigs: %w", err)
	}
	return printNotes(stderr, slices.Concat(notes, more))
}

// addToConversion converts a file, or the files of a directory: *.yaml and then *.conf, in the order
// of their names.
func addToConversion(converter *policyconvert.Converter, name string, stdin io.Reader) error {
	if info, err := os.Stat(name); name == "-" || err != nil || !info.IsDir() {
		return addFileToConversion(converter, name, stdin)
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return err
	}
	found := false
	for _, suffix := range []string{".yaml", ".conf"} {
		for _, entry := range entries {
			if !strings.HasSuffix(entry.Name(), suffix) {
				continue
			}
			found = true
			if err := addFileToConversion(converter, filepath.Join(name, entry.Name()), stdin); err != nil {
				return err
			}
		}
	}
	if !found {
		return fmt.Errorf("%s is a directory without a file *.yaml or *.conf", name)
	}
	return nil
}

func addFileToConversion(converter *policyconvert.Converter, name string, stdin io.Reader) error {
	data, err := readInput(name, stdin)
	if err != nil {
		return err
	}
	switch {
	case strings.HasSuffix(name, ".conf"):
		return converter.AddRegistriesConf(name, data)
	case name == "-":
		return converter.Add("standard input", data)
	default:
		return converter.Add(name, data)
	}
}

// document is an object as users write it, without a status.
type document[S any] struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"`
	Metadata   documentMetadata `json:"metadata"`
	Spec       S                `json:"spec"`
}

type documentMetadata struct {
	Name string `json:"name"`
}

func writePolicies(w io.Writer, policies []assayv1alpha1.TrustPolicy) error {
	for i := range policies {
		p := &policies[i]
		if err := writeDocument(w, document[assayv1alpha1.TrustPolicySpec]{p.APIVersion, p.Kind, documentMetadata{p.Name}, p.Spec}); err != nil {
			return err
		}
	}
	return nil
}

func writeRegistries(w io.Writer, configs []assayv1alpha1.RegistryConfig) error {
	for i := range configs {
		c := &configs[i]
		if err := writeDocument(w, document[assayv1alpha1.RegistryConfigSpec]{c.APIVersion, c.Kind, documentMetadata{c.Name}, c.Spec}); err != nil {
			return err
		}
	}
	return nil
}

func writeDocument(w io.Writer, object any) error {
	data, err := yaml.Marshal(object)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "---\n%s", data)
	return err
}

// printNotes prints the notes of a conversion. Its error carries the exit code if anything was
// lost.
func printNotes(w io.Writer, notes []policyconvert.Note) error {
	lost := false
	for _, note := range notes {
		kind := "note"
		if note.Lost {
			kind, lost = "lost", true
		}
		// There is no way to report an error on standard error.
		_, _ = fmt.Fprintf(w, "%s: %s: %s\n", kind, note.Where, note.Text)
	}
	if lost {
		return exitError(ExitRefused)
	}
	return nil
}
