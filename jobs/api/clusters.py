"""Clusters for site administrators; names and regions of clusters for users who submit jobs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import serializers_clusters as serializers
from jobs.api.serializers_clusters import ClusterFields
from jobs.clusters.edit import (
    cluster_change,
    cluster_create,
    cluster_delete,
    cluster_etag,
    cluster_faults,
)
from jobs.clusters.listing import cluster_get, cluster_list, clusters_as_dicts
from jobs.core.resources import parse_cpu, parse_memory
from jobs.models import Cluster
from mimir.api.etags import preconditions
from mimir.api.pagination import paginate
from mimir.api.schema import CURSOR, IF_MATCH, IF_NONE_MATCH, LIMIT, NOT_MODIFIED, errors, listing
from mimir.api.views import ApiView, caller, demand_administrator, validated
from mimir.lib.errors import Invalid
from projects.core.access import project_for

_ADMINISTRATORS_ONLY = "Only site administrators can manage clusters."
_COLUMNS = {
    "jobs": "capacity_jobs",
    "cpu": "capacity_cpu_millicores",
    "memory": "capacity_memory_bytes",
    "gpu": "capacity_gpus",
}
_PARSERS: dict[str, Callable[[str], int]] = {"cpu": parse_cpu, "memory": parse_memory}


def _response(row: Cluster, status: int = 200) -> Response:
    return Response(clusters_as_dicts([row])[0], status=status, headers={"ETag": cluster_etag(row)})


def _columns(body: ClusterFields, cluster: Cluster | None) -> dict[str, object]:
    """Return the row's columns for a request body. Capacity is in quantities; null means unlimited.

    Raises: Invalid with every error.
    """
    columns = {name: value for name, value in body.items() if name != "capacity"}
    faults: dict[str, str] = {}
    for part, value in body.get("capacity", {}).items():
        try:
            columns[_COLUMNS[part]] = (
                _PARSERS[part](str(value or "0")) if part in _PARSERS else value
            )
        except ValueError as error:
            faults[f"capacity.{part}"] = str(error)
    if faults:
        raise Invalid(
            "The cluster is invalid. See the errors of its fields.",
            detail=faults | _paths(cluster_faults(values=columns, cluster=cluster)),
        )
    return columns


def _paths(faults: Mapping[str, str]) -> dict[str, str]:
    """Return the errors by field path of the body instead of by column name."""
    paths = {column: f"capacity.{part}" for part, column in _COLUMNS.items()}
    return {paths.get(name, name): fault for name, fault in faults.items()}


@contextmanager
def _errors_by_field() -> Iterator[None]:
    """Rename the columns in errors of the service to the fields of the body."""
    try:
        yield
    except Invalid as error:
        raise Invalid(error.message, detail=_paths(error.detail)) from None


class ClustersView(ApiView):
    """All clusters."""

    @extend_schema(
        operation_id="clusters_list",
        parameters=[CURSOR, LIMIT],
        responses={200: listing("ClusterList", serializers.ClusterShape), **errors(400, 403)},
    )
    def get(self, request: Request) -> Response:
        """List clusters by name, with their health and the capacity in use."""
        demand_administrator(request, _ADMINISTRATORS_ONLY)
        page = paginate(cluster_list(), request, keys=("name",))
        return Response({"results": clusters_as_dicts(page.results), "next": page.next})

    @extend_schema(
        operation_id="clusters_create",
        request=serializers.ClusterRequest,
        responses={201: serializers.ClusterShape, **errors(400, 403, 409)},
    )
    def post(self, request: Request) -> Response:
        """Add a cluster. It gets jobs once it has been reached, unless `enabled` is false."""
        demand_administrator(request, _ADMINISTRATORS_ONLY)
        columns = _columns(validated(serializers.ClusterRequest, request), None)
        name, launcher = str(columns.pop("name")), str(columns.pop("launcher"))
        with _errors_by_field():
            row = cluster_create(name=name, actor=_actor(request), launcher=launcher, **columns)
            return _response(row, 201)


class ClusterView(ApiView):
    """One cluster."""

    @extend_schema(
        operation_id="clusters_read",
        parameters=[IF_NONE_MATCH],
        responses={200: serializers.ClusterShape, **NOT_MODIFIED, **errors(403, 404)},
    )
    def get(self, request: Request, name: str) -> Response:
        """Show a cluster, its health and its used capacity; of a kubeconfig, the context only."""
        demand_administrator(request, _ADMINISTRATORS_ONLY)
        return _response(cluster_get(name=name))

    @extend_schema(
        operation_id="clusters_update",
        parameters=[IF_MATCH],
        request=serializers.ClusterChange,
        responses={200: serializers.ClusterShape, **errors(400, 403, 404, 409, 412)},
    )
    def patch(self, request: Request, name: str) -> Response:
        """Change the given fields.

        Name and launcher cannot change; context and namespace cannot change while workers exist.
        """
        demand_administrator(request, _ADMINISTRATORS_ONLY)
        changes = _columns(validated(serializers.ClusterChange, request), cluster_get(name=name))
        with _errors_by_field():
            return _response(
                cluster_change(
                    name=name, changes=changes, actor=_actor(request), etags=preconditions(request)
                )
            )

    @extend_schema(
        operation_id="clusters_delete",
        parameters=[IF_MATCH],
        responses={204: None, **errors(403, 404, 409, 412)},
    )
    def delete(self, request: Request, name: str) -> Response:
        """Remove a cluster. A cluster on which jobs have run cannot be removed: disable it."""
        demand_administrator(request, _ADMINISTRATORS_ONLY)
        cluster_delete(name=name, actor=_actor(request), etags=preconditions(request))
        return Response(status=204)


class PlacesView(ApiView):
    """Clusters and regions that a project's jobs can request."""

    @extend_schema(
        operation_id="places_list",
        parameters=[CURSOR, LIMIT],
        responses={200: listing("PlaceList", serializers.PlaceShape), **errors(400, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """List values for `cluster` and `region` of a job. Every project can use every cluster."""
        project_for(caller(request), slug)
        page = paginate(cluster_list(), request, keys=("name",))
        rows = [
            {"name": row.name, "region": row.region, "enabled": row.enabled} for row in page.results
        ]
        return Response({"results": rows, "next": page.next})


def _actor(request: Request) -> str:
    return f"user:{caller(request).get_username()}"
