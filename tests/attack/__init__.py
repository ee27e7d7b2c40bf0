"""Attacks on a whole installation, measured: what they cost the servers, and what a signed-in
reader notices.

`make attack` runs all of them and prints a table; `tests/attack/test_attacks.py` is a short run of
the same. Everything goes to 127.0.0.1, with a fixed number of requests and an end.
"""
