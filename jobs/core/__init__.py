"""Code that all packages of jobs share.

States, transitions, resources, tokens, bulk inserts, metrics, hints over Redis and the live feed.
Imported by all packages of jobs; imports only `models` and `contract`.
"""
