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

Give the key back, and see the second Pod of web come:

  kubectl apply -f keys.yaml
  kubectl -n %[5]s get pods --watch

Give Assay the key that a sample lacks, and see keys-missing become verified:

  kubectl -n %[6]s create secret generic staging-key --from-file=key.asc=%[7]s/config/samples/keys/release.asc
  kubectl get image keys-missing

test/demo/cluster also made a Deployment of the operator. There is no node here that runs Pods, so all of
them stay Pending, and the operator runs on this machine, with the permissions of the Deployment's service
account. Its log: %[8]s

Press Ctrl-C to stop.
`, d.dir, d.cp.Kubeconfig(), d.programs, d.site.image(legacyImage), namespace, manager.Namespace, d.root, d.logFile())
}
