"""Equal parts of objects are stored once, and the objects stay equal."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jobs.clusters.launchers.kubernetes.shared_parts import SharedParts

_scalars = st.one_of(
    st.none(), st.booleans(), st.sampled_from([0, 1, 1.0, "", "1", "Running", "a long text " * 4])
)
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)
_objects = st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), _values)


def _exact(value: Any) -> object:
    """Return the value in a form in which 1, 1.0 and True differ."""
    if isinstance(value, dict):
        return {name: _exact(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_exact(part) for part in value]
    return type(value), value


@given(st.lists(_objects, max_size=6))
def test_an_object_of_shared_parts_is_equal_to_the_whole_one(objects: list[Any]) -> None:
    parts = SharedParts()
    for each in objects:
        assert _exact(parts.of(each)) == _exact(each)


def _pod(name: str, phase: str) -> dict[str, Any]:
    condition = {"type": "Ready", "status": "".join(["Tr", "ue"])}
    return {"metadata": {"name": name}, "status": {"phase": phase, "conditions": [condition]}}


def test_two_pods_share_what_is_equal() -> None:
    parts = SharedParts()
    one, other = parts.of(_pod("a", "Running")), parts.of(_pod("b", "Running"))
    third: Any = parts.of(_pod("c", "Pending"))
    whole: Any = one
    assert other["status"] is one["status"]
    assert third["status"] is not one["status"]
    assert third["status"]["conditions"] is whole["status"]["conditions"]
    assert one["metadata"] == {"name": "a"}
