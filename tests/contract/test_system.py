"""State of the installation through the frontend's port."""

from collections.abc import Callable

from tests.contract.conftest import Api


def test_the_running_stack_has_metrics(api: Api, as_user: Callable[[str | None], Api]) -> None:
    told = api.get("system/")
    parts = {row["component"]: row["state"] for row in told["components"]}
    assert parts.keys() == {"dispatcher", "reconciler", "web", "database", "redis", "storage"}
    assert parts["database"] == "alive"
    assert told["capacity"][0]["launcher"] == "process"
    assert told["reconcile"]["lag_seconds"] is not None
    assert as_user(None)("GET", "system/").status_code == 401
