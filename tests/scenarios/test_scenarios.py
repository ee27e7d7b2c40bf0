"""Every trouble in every phase of an attempt: 500 scenarios here, 10,000 by `make chaos`."""

import os
from collections.abc import Iterator

import pytest

from tests.fakes.kubernetes.client import FakeKubernetes
from tests.scenarios.matrix import A_WORLD, ALL, Result, run_world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(7200)]
WORLDS = -(-int(os.environ.get("SCENARIOS", "500")) // A_WORLD)


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeKubernetes]:
    with FakeKubernetes() as running:
        yield running


@pytest.fixture(scope="module")
def result() -> Result:
    """Totals over the worlds of this run."""
    return Result()


@pytest.mark.parametrize("number", range(WORLDS))
def test_every_promise_is_kept_under_any_fault(
    fake: FakeKubernetes, result: Result, number: int
) -> None:
    wrong = run_world(fake, number, result)
    assert not wrong, "\n".join(wrong)


def test_every_trouble_began_in_every_phase(
    result: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    """Print the table, and check it if all worlds ran."""
    with capsys.disabled():
        print("\n" + result.table())
    if result.scenarios >= WORLDS * A_WORLD >= 500:
        assert not [cell for cell in ALL if not result.begun[cell]]
