"""Stand-ins for whole servers that tests talk to over the network.

A fake of one of our own protocols lives beside the real thing instead.
"""
