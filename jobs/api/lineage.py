"""Lineage graph of a version: jobs and versions upstream and downstream."""

import re

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api.serializers_lineage import LineageShape
from jobs.queries.lineage import NODES_MAX, NodeKind, lineage_of
from mimir.api.schema import errors
from mimir.api.views import ApiView, caller
from mimir.lib.errors import Invalid
from projects.core.access import project_for

_RULE = (
    "must be dataset:<name>@<version>, model:<name>@<version> or twin:<name>@<revision>,"
    " with a number or latest after the @"
)
_OF = re.compile(r"(dataset|model|twin):([^@\u0000]{1,200})@(latest|[0-9]{1,9})")
_OF_SCHEMA = {"type": "string", "pattern": f"^{_OF.pattern}$", "x-rule": _RULE}


class LineageView(ApiView):
    """Lineage of a version."""

    @extend_schema(
        operation_id="lineage",
        parameters=[
            OpenApiParameter(
                "of",
                _OF_SCHEMA,
                required=True,
                description=f"The version at the centre of the graph: {_RULE}.",
            )
        ],
        responses={200: LineageShape, **errors(400, 404)},
        description="Everything upstream and downstream of one version:"
        f" the nearest {NODES_MAX} nodes. Edges point in the direction of data flow.",
    )
    def get(self, request: Request, slug: str) -> Response:
        """Return the lineage graph of one version."""
        project = project_for(caller(request), slug)
        kind, name, number = _parsed(self.query.get("of", ""))
        found = lineage_of(project=project, kind=kind, name=name, number=number)
        return Response(
            {
                "of": found.of,
                "nodes": found.nodes,
                "edges": found.edges,
                "truncated": found.truncated,
            }
        )


def _parsed(of: str) -> tuple[NodeKind, str, int | None]:
    """Parse `of` into kind, name and number; None means the latest. Raises: Invalid."""
    match = _OF.fullmatch(of)
    if match is None:
        raise Invalid(f"of: {_RULE}.", detail={"of": _RULE})
    kind, name, number = match.groups()
    return NodeKind(kind), name, None if number == "latest" else int(number)
