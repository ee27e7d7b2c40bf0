"""Sweep of the dispatcher: an unresponsive cluster does not delay others."""

import threading
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from jobs.dispatch import dispatcher
from jobs.models import Cluster

pytestmark = pytest.mark.django_db(transaction=True)


def test_launches_that_hang_hold_up_neither_the_sweep_nor_another_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    due = {"hangs": uuid4(), "works": uuid4()}
    for name in due:
        Cluster.objects.create(
            name=name, capacity_jobs=1, capacity_cpu_millicores=0, capacity_memory_bytes=0
        )
    reported: list[str] = []
    swept, works = threading.Event(), threading.Event()

    def launch(ids: Sequence[UUID]) -> None:
        (name,) = [name for name, each in due.items() if each in ids]
        if name == "hangs":
            reported.append("asked")
            swept.wait(10)
            works.wait(10)
            reported.append("answered")
        else:
            reported.append("launched placed")
            works.set()

    monkeypatch.setattr(dispatcher, "attempts_launch", launch)
    monkeypatch.setattr(
        dispatcher,
        "attempts_to_launch",
        lambda *, cluster, **_rest: [due[cluster]] if cluster in due else [],
    )
    launches = dispatcher.Launches()
    dispatcher.sweep_once(launches)
    dispatcher.sweep_once(launches)
    reported.append("swept twice")
    swept.set()
    launches.join(20)
    assert reported.count("asked") == 1, "those under way are not begun again"
    assert reported.index("swept twice") < reported.index("answered")
    assert reported.index("launched placed") < reported.index("answered")
