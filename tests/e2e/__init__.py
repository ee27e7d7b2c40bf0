"""`make e2e`.

A whole installation on the cluster that KUBECONFIG names, through the shipped manifests and the
public API alone.
"""
