// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/assay-project/assay/internal/testenv/manager"

// explain prints how to explore the running demo.
func (d *demo) explain() {
	d.out.printf(`== Look closer, in another terminal ==

  cd %[1]s
  export KUBECONFIG=%[2]s PATH=$PATH:%[3]s
  kubectl describe image %[4]s
  kubectl get images -o wide
  kubectl get registryconfig demo -o yaml
  kubectl explain image.signatures.conditions
  ./assay status

The API server in the last table is unknown here: it has a loopback address, which Kubernetes does not publish.

Give the key back. A ReplicaSet waits longer after each refusal; scaling web has it try again at once:

  kubectl apply -f keys.yaml
  kubectl wait --for=condition=Verified image/%[9]s
  kubectl -n %[5]s scale deployment web --replicas=3
  kubectl -n %[5]s get pods

Give Assay the key that a sample lacks, see keys-missing become verified, and take the key away again:

  kubectl -n %[6]s create secret generic staging-key --from-file=key.asc=%[7]s/config/samples/keys/release.asc
  kubectl get image keys-missing
  kubectl -n %[6]s delete secret staging-key

test/demo/cluster also made a Deployment of the operator. There is no node here that runs Pods, so all of
them stay Pending, and the operator runs on this machine, with the permissions of the Deployment's service
account. Its log: %[8]s

Press Ctrl-C to stop.
`, d.dir, d.cp.Kubeconfig(), d.programs, d.site.image(legacyImage), namespace, manager.Namespace, d.root, d.logFile(),
		d.site.image(webImage))
}
