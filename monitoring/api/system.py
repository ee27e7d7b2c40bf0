"""State of the installation, for administrators."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from mimir.api.schema import errors
from mimir.api.views import ApiView, demand_administrator
from monitoring.api import serializers
from monitoring.selectors.system import system_state


class SystemView(ApiView):
    """The state of the installation."""

    @extend_schema(operation_id="system", responses={200: serializers.SystemShape, **errors(403)})
    def get(self, request: Request) -> Response:
        """Return components, queues, workers, capacity, limits, storage, versions, failures and
        headline.
        """
        demand_administrator(request, "The state of the installation is for site administrators.")
        return Response(system_state())
