"""Entities of twins: as they stand, where each value came from, edits over them.

An entity has two addresses: by path, where its key may hold slashes as they are, and by query (`entity/?type=&key=`), for keys that no
path can carry through every proxy, with `//`, `..` or a backslash.
"""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from mimir.api.etags import preconditions
from mimir.api.pagination import paginate
from mimir.api.schema import CURSOR, IF_MATCH, IF_NONE_MATCH, LIMIT, NOT_MODIFIED, errors, listing
from mimir.api.views import ApiView, caller, validated
from mimir.lib.errors import Invalid
from projects.models import Entity, Role, Twin
from projects.twins import rendering, shapes
from projects.twins.api import TYPE, twin_for
from projects.twins.edits import entity_etag, overlay_edit
from projects.twins.entities import entity_changes, entity_detail, entity_get, entity_list
from projects.twins.sources import sources_of

_NOT_EMPTY = {"type": "string", "minLength": 1}
_BY_QUERY = [
    OpenApiParameter("type", _NOT_EMPTY, required=True, description="The entity's type."),
    OpenApiParameter("key", _NOT_EMPTY, required=True, description="The entity's key."),
]
_HISTORY = listing("EntityHistory", shapes.ChangeShape)
_PROPERTY = OpenApiParameter(
    "property",
    OpenApiTypes.STR,
    description="Only of this property; left out: of all, and of the entity itself.",
)


class EntitiesView(ApiView):
    """The entities of a twin."""

    @extend_schema(
        operation_id="twins_entities",
        parameters=[
            TYPE,
            OpenApiParameter("q", OpenApiTypes.STR, description="In the key."),
            CURSOR,
            LIMIT,
        ],
        responses={200: listing("EntityList", shapes.EntityShape), **errors(400, 404)},
    )
    def get(self, request: Request, slug: str, name: str) -> Response:
        """As they stand, by type and key; removed ones are left out."""
        twin = twin_for(request, slug, name)
        entities = entity_list(
            twin=twin, type=self.query.get("type") or None, text=self.query.get("q") or None
        )
        page = paginate(entities, request, keys=("type", "key"))
        return Response(
            {"results": [rendering.entity(row) for row in page.results], "next": page.next}
        )


def _named(asked: Mapping[str, Any], type: str | None, key: str | None) -> tuple[str, str]:
    """Type and key, from the path or else from the query. Raises: Invalid."""
    if type is not None and key is not None:
        return type, key
    found = {name: asked.get(name) for name in ("type", "key")}
    missing = {
        name: "is missing: it names the entity" for name, value in found.items() if not value
    }
    if missing:
        raise Invalid(
            " ".join(f"{name}: {message}." for name, message in missing.items()), detail=missing
        )
    return str(found["type"]), str(found["key"])


def _entity(asked: Mapping[str, Any], twin: Twin, type: str | None, key: str | None) -> Entity:
    kind, name = _named(asked, type, key)
    return entity_get(twin=twin, type=kind, key=name)


def _detail(twin: Twin, entity: Entity) -> Response:
    return Response(
        rendering.entity_detail(entity_detail(twin=twin, entity=entity)),
        headers={"ETag": entity_etag(entity)},
    )


class EntityView(ApiView):
    """One entity."""

    @extend_schema(
        operation_id="twins_entity",
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.EntityDetailShape, **NOT_MODIFIED, **errors(404)},
    )
    def get(
        self,
        request: Request,
        slug: str,
        name: str,
        type: str | None = None,
        key: str | None = None,
    ) -> Response:
        """Each value with its source; an edit beside what is reported."""
        twin = twin_for(request, slug, name)
        return _detail(twin, _entity(self.query, twin, type, key))


class OverlayView(ApiView):
    """Edits over what updates report."""

    @extend_schema(
        operation_id="twins_edit",
        parameters=[IF_MATCH],
        request=shapes.OverlayRequest,
        responses={200: shapes.EntityDetailShape, **errors(400, 403, 404, 409, 412)},
    )
    def patch(
        self,
        request: Request,
        slug: str,
        name: str,
        type: str | None = None,
        key: str | None = None,
    ) -> Response:
        """Set values that no update overwrites; null takes an edit away. A revision of its own."""
        twin = twin_for(request, slug, name, Role.OPERATOR)
        kind, entity_key = _named(self.query, type, key)
        body = validated(shapes.OverlayRequest, request)
        overlay_edit(
            twin=twin,
            type=kind,
            key=entity_key,
            values=body["values"],
            note=body["note"],
            user=caller(request),
            etags=preconditions(request),
        )
        return _detail(twin, entity_get(twin=twin, type=kind, key=entity_key))


class HistoryView(ApiView):
    """What became of an entity's values."""

    @extend_schema(
        operation_id="twins_history",
        parameters=[_PROPERTY, CURSOR, LIMIT],
        responses={200: _HISTORY, **errors(400, 404)},
    )
    def get(
        self,
        request: Request,
        slug: str,
        name: str,
        type: str | None = None,
        key: str | None = None,
    ) -> Response:
        """Each change with its source, newest first."""
        twin = twin_for(request, slug, name)
        entity = _entity(self.query, twin, type, key)
        page = paginate(
            entity_changes(entity=entity, name=self.query.get("property") or None),
            request,
            keys=("-number", "-id"),
        )
        sources = sources_of(twin=twin, numbers=[row.number for row in page.results])
        return Response(
            {"results": [rendering.change(row, sources) for row in page.results], "next": page.next}
        )


class EntityByQueryView(EntityView):
    """The same, named by the query."""

    @extend_schema(
        operation_id="twins_entity_by_query",
        parameters=[*_BY_QUERY, IF_NONE_MATCH],
        responses={200: shapes.EntityDetailShape, **NOT_MODIFIED, **errors(400, 404)},
    )
    def get(self, request: Request, slug: str, name: str) -> Response:  # type: ignore[override]
        """Each value with its source; an edit beside what is reported."""
        return super().get(request, slug, name)


class OverlayByQueryView(OverlayView):
    """The same, named by the query."""

    @extend_schema(
        operation_id="twins_edit_by_query",
        parameters=[*_BY_QUERY, IF_MATCH],
        request=shapes.OverlayRequest,
        responses={200: shapes.EntityDetailShape, **errors(400, 403, 404, 409, 412)},
    )
    def patch(self, request: Request, slug: str, name: str) -> Response:  # type: ignore[override]
        """Set values that no update overwrites; null takes an edit away. A revision of its own."""
        return super().patch(request, slug, name)


class HistoryByQueryView(HistoryView):
    """The same, named by the query."""

    @extend_schema(
        operation_id="twins_history_by_query",
        parameters=[*_BY_QUERY, _PROPERTY, CURSOR, LIMIT],
        responses={200: _HISTORY, **errors(400, 404)},
    )
    def get(self, request: Request, slug: str, name: str) -> Response:  # type: ignore[override]
        """Each change with its source, newest first."""
        return super().get(request, slug, name)
