"""What every REST API of the orchestrator is made of: who asks, errors, lists, bodies, answers, the OpenAPI document.

Law: knows HTTP, DRF and no room. It finds tokens by a function that a room above registers. Import from the module that has the name;
here stand only those that the settings name.
"""

from mimir.api.authentication import BearerAuthentication
from mimir.api.errors import exception_handler

__all__ = ["BearerAuthentication", "exception_handler"]
