"""Starting, seeing and ending workers on a cluster; one module a kind of cluster.

Law: plain values in and out; no Django, no rows. Imported by `services` and the reconciler through `factory` alone.
"""
