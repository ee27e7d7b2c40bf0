"""`ml_inference`: apply a model to a dataset version.

The libraries of a type take seconds to import: modules that other types load as well import them
inside functions.
"""
