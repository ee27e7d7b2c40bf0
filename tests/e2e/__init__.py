"""`make e2e`.

A whole installation on the cluster of KUBECONFIG, using only the shipped manifests and the public
API.
"""
