"""Compare each attempt with the observation of its cluster and move it one step.

`once` is one pass over one cluster (read rows, list the cluster, read rows again, decide,
apply); `loop` runs passes for all clusters while this process holds the lease; `decide` is the
pure decision. Passes are level-triggered and idempotent: two at the same time are harmless.
Imported by the commands and the dispatcher.
"""
