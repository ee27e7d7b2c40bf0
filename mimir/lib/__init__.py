"""What every process may import: no Django, no third-party package beyond the standard library and structlog.

Law: a module here serves at least two rooms and knows none of them. Anybody may import it; it imports nobody.
"""
