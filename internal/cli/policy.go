// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"slices"

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
		Short: "Convert the policies of other programs to TrustPolicies",
		Long: `Convert to TrustPolicies: containers-policy.json(5), OpenShift's ClusterImagePolicy and
ImagePolicy, policy-controller's ClusterImagePolicy, and Kyverno's ClusterPolicy and Policy
with verifyImages. The TrustPolicies go to standard output. Standard error lists
requirements that a TrustPolicy cannot express, and steps that remain to be done.

Regular expressions and wildcards in identities are never converted. Standard error
suggests what to write instead.

A key that a file names by its path becomes a reference to a Secret, and a note shows the
command that creates it. With --inline-keys the keys are read and written into the
TrustPolicies.

Exit status:

    0  the TrustPolicies are equivalent to the files
    1  some requirements were lost; standard error lists them
    2  wrong usage, or a file that cannot be read or converted`,
		Example: `  # convert the policy of podman and skopeo on this machine
  assay policy convert --inline-keys /etc/containers/policy.json > trustpolicies.yaml

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
		data, err := readInput(name, stdin)
		if err != nil {
			return err
		}
		if name == "-" {
			name = "standard input"
		}
		if err := converter.Add(name, data); err != nil {
			return err
		}
	}
	policies, notes := converter.Result()
	if err := writePolicies(stdout, policies); err != nil {
		return fmt.Errorf("writing the TrustPolicies: %w", err)
	}
	return printNotes(stderr, notes)
}

// policyDocument is a TrustPolicy as users write it, without a status.
type policyDocument struct {
	APIVersion string                        `json:"apiVersion"`
	Kind       string                        `json:"kind"`
	Metadata   policyMetadata                `json:"metadata"`
	Spec       assayv1alpha1.TrustPolicySpec `json:"spec"`
}

type policyMetadata struct {
	Name string `json:"name"`
}

func writePolicies(w io.Writer, policies []assayv1alpha1.TrustPolicy) error {
	for i := range policies {
		p := &policies[i]
		data, err := yaml.Marshal(policyDocument{p.APIVersion, p.Kind, policyMetadata{p.Name}, p.Spec})
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "---\n%s", data); err != nil {
			return err
		}
	}
	return nil
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
