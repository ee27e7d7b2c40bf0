"""Launch and reconcile against the fake Kubernetes API, step by step in virtual time: whatever goes
wrong, whenever.

`world.py` drives the product's own step functions, `troubles.py` says what may go wrong and in
which phase of an attempt, `workers.py` plays what runs in the containers, `oracle.py` judges by the
fake's ledger, `matrix.py` counts. Nothing sleeps and nothing waits for the wall clock.
"""
