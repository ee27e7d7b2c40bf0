"""Common parts of every REST API: authentication, errors, lists, bodies, OpenAPI document.

It knows HTTP and DRF, but no app of the product: tokens are looked up by a function that an app
registers. Import from the modules; only names that the settings need are exported here.
"""

from mimir.api.authentication import BearerAuthentication
from mimir.api.errors import exception_handler

__all__ = ["BearerAuthentication", "exception_handler"]
