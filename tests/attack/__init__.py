"""Attacks on a whole installation, with measurements of their cost for the servers and for a
signed-in reader.

`make attack` runs all of them and prints a table; `tests/attack/test_attacks.py` is a short run of
the same attacks. All requests are sent to 127.0.0.1, in a limited number and for a limited time.
"""
