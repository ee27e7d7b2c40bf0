"""Launchers: start, list and end workers on a cluster; one module per kind of cluster.

Plain values in and out, no Django and no rows. Other packages import `base` for the types and
`factory` for a launcher.
"""
