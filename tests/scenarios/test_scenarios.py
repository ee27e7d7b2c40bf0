"""Every trouble in every phase of an attempt: 500 scenarios here, 10,000 by `make chaos`."""

import os
from collections.abc import Iterator

import pytest

from tests.fakes.kubernetes.client import FakeKubernetes
from tests.scenarios.matrix import A_WORLD, ENOUGH, Result, run_world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(7200)]
WORLDS = -(-int(os.environ.get("SCENARIOS") or ENOUGH) // A_WORLD)


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


def test_every_planned_trouble_began_in_its_phase(
    result: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    """Print the table and check what the worlds of this run planned."""
    with capsys.disabled():
        print("\n" + result.table())
    if not result.scenarios:
        pytest.fail("No scenario ran before this test. Run the whole file.")
    assert result.missed() == []
    if result.scenarios >= ENOUGH:
        assert result.unplanned() == []
