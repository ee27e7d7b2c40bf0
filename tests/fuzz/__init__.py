"""Generated requests against the API by schemathesis, as a viewer, a maintainer and a site
administrator.

`make fuzz` starts an installation on loopback, fills it (`content`), runs schemathesis once for
each role (`run`) with the rules of `schemathesis.toml` and `hooks.py`, and prints a table. With URL
and TOKEN it runs once against an existing installation.
"""
