"""Shared helpers: rows, a simulated worker, a real installation on free ports.

No assertions here; tests never import other tests.
"""
