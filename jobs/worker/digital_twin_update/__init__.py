"""`digital_twin_update`: compute the changes of a twin from a dataset version.

The libraries of this job type take seconds to import, so modules that other job types also import
import them inside functions.
"""
