"""`digital_twin_update`: compute the changes of a twin from a dataset version.

The libraries of a type take seconds to import: modules that other types load as well import them
inside functions.
"""
