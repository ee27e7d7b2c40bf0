"""An installation on one machine: embedded PostgreSQL and Valkey, a supervisor, the demo.

For laptops and tests. It starts the same processes with the same settings as a cluster, and imports
no app of the product.
"""
