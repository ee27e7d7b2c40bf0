"""Retry limit of a transfer while the orchestrator or its storage is unavailable."""

from pathlib import Path
from typing import Any, cast

import pytest

from jobs.contract import WorkerLimits
from jobs.worker.stopping import Stop
from jobs.worker.transfers import Transfers
from tests.support.orchestrator import LIMITS


@pytest.mark.parametrize(
    "call",
    [
        {"call": 1, "fetch": "x"},
        {"call": 1, "artifact": "a", "name": "a", "role": "artifact", "media_type": "x"},
    ],
)
def test_a_transfer_is_retried_until_the_time_limit_and_not_for_an_hour(
    tmp_path: Path, call: dict[str, Any]
) -> None:
    patience: list[float] = []

    class Patient:
        """Client that records how long it is asked to retry."""

        def get_input(self, _name: str, _file: Any, *, patience_seconds: float) -> None:
            patience.append(patience_seconds)

        def put_artifact(
            self, _name: str, _file: Any, *, patience_seconds: float, **_facts: Any
        ) -> None:
            patience.append(patience_seconds)

    (tmp_path / "a").write_bytes(b"x")
    limits = WorkerLimits(**{**LIMITS, "timeout_seconds": 7200})
    transfers = Transfers(
        cast("Any", Patient()),
        Stop(lambda: None),
        limits=limits,
        data_dir=tmp_path,
        answer=lambda _answer: None,
    )
    call_with_path = {**call, "artifact": str(tmp_path / "a")} if "artifact" in call else call
    assert "error" not in transfers._answered(call_with_path)
    assert patience == [7200.0]
