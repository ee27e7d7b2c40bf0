"""Network servers that stand in for real services in tests.

The fake of one of our own protocols is kept beside its real implementation instead.
"""
