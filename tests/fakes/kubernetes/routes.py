"""Map requests to objects and RBAC verbs."""

from dataclasses import dataclass

from tests.fakes.kubernetes.http import Refused, Request
from tests.fakes.kubernetes.resources import NAMESPACES, RESOURCES, Resource

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}


@dataclass(frozen=True, slots=True)
class Route:
    resource: Resource
    verb: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def rbac_resource(self) -> str:
        return (
            f"{self.resource.plural}/{self.subresource}"
            if self.subresource
            else self.resource.plural
        )


def route_of(request: Request) -> Route:
    """Return the route of a request. Raises: Refused, with 404 for unknown paths and 405 for
    methods.
    """
    parts = request.path.strip("/").split("/")
    if parts[:2] == ["api", "v1"]:
        group, rest = "", parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3 and parts[2] == "v1":
        group, rest = parts[1], parts[3:]
    else:
        raise _not_found()
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource = RESOURCES.get(rest[0]) if rest else None
    if (
        resource is None
        or resource.group != group
        or len(rest) > 3
        or (namespace and not resource.namespaced)
    ):
        raise _not_found()
    name, subresource = (rest + ["", ""])[1:3]
    return Route(resource, _verb(request, resource, namespace, name), namespace, name, subresource)


def _verb(request: Request, resource: Resource, namespace: str, name: str) -> str:
    verb = _VERBS.get(request.method)
    needs_name = verb in ("update", "patch")
    if (
        verb is None
        or (needs_name and not name)
        or (
            verb == "create"
            and resource is not NAMESPACES
            and not namespace
            and resource.namespaced
        )
    ):
        raise Refused(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
    if verb == "get" and request.query.get("watch", "").lower() in ("true", "1"):
        return "watch"
    if not name:
        return {"get": "list", "delete": "deletecollection"}.get(verb, verb)
    return verb


def _not_found() -> Refused:
    return Refused(404, "NotFound", "the server could not find the requested resource")
