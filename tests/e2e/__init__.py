"""`make e2e`: a whole installation on the cluster that KUBECONFIG names, through the shipped manifests and the public API alone."""
