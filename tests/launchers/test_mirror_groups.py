"""Objects of one group in a mirror are those of all objects that are in the group."""

import json
from collections.abc import Iterator
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from jobs.clusters.launchers.kubernetes.client import Api
from jobs.clusters.launchers.kubernetes.mirror import Mirror
from jobs.diagnosis.kubernetes.objects import Object, at

NAMES, GROUPS = ("a", "b", "c"), ("one", "two", "")
_CHANGE = st.tuples(
    st.sampled_from(NAMES), st.sampled_from(GROUPS), st.sampled_from(("put", "delete"))
)
_LIST = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(GROUPS))


class ListedApi:
    """An API server that returns `listed`."""

    def __init__(self) -> None:
        self.listed: dict[str, str] = {}

    def path(self, resource: str) -> str:
        return resource

    def pages(self, path: str, query: object) -> Iterator[Any]:
        yield {"items": [_object(name, group) for name, group in self.listed.items()]}


def _object(name: str, group: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"group": group}}}


def _group(each: Object) -> str:
    return str(at(each, "metadata", "labels").get("group"))


@given(st.lists(st.one_of(_CHANGE, _LIST), max_size=12))
def test_groups_follow_changes_and_lists(steps: list[Any]) -> None:
    api = ListedApi()
    mirror = Mirror(cast(Api, api), "pods", {}, lambda each: each, lambda name, line: None, _group)
    mirror.list()
    for step in steps:
        if isinstance(step, dict):
            api.listed = step
            mirror.list()
        else:
            name, group, what = step
            kind = "MODIFIED" if what == "put" else "DELETED"
            mirror._apply(json.dumps({"type": kind, "object": _object(name, group)}).encode())
        objects = mirror.objects()
        for group in GROUPS:
            expected = {name for name, each in objects.items() if _group(each) == group}
            found = {str(at(each, "metadata")["name"]) for each in mirror.in_group(group)}
            assert found == expected
        assert set(mirror._groups) == {_group(each) for each in objects.values()}
