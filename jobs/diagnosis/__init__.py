"""Why an attempt waits or failed.

`job` explains a failed attempt to its user; `kubernetes` reads causes from a cluster's objects;
`termination` reads a worker's own exit report. Pure.
"""
