"""Why an attempt waits or failed.

`failures` explains a failed attempt to its user; `kubernetes` finds causes in a cluster's objects;
`termination` reads a worker's own exit report. Pure.
"""
