"""The whole system on one machine, without a cluster: embedded PostgreSQL and Valkey, every process under one small supervisor, the demo.

Law: for laptops and tests. Starts the same processes with the same settings as a cluster does; imports no room of the product.
"""
