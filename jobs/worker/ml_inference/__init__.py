"""`ml_inference`: apply a model to a dataset version.

The libraries of this job type take seconds to import, so modules that other job types also import
import them inside functions.
"""
