"""A short run of the attacks: no server ends or grows, the reader gets every response, and no
forged message is accepted.

Latencies are printed but not checked, because other tests run at the same time. `make attack`
checks them.
"""

from collections.abc import Iterator

import pytest

from tests.attack.attacks import ATTACKS
from tests.attack.run import attacked, table
from tests.support.stack import Stack, running


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from running(tmp_path_factory.mktemp("attack"))


@pytest.mark.timeout(300)
def test_no_attack_stops_a_server_or_fills_its_memory(stack: Stack) -> None:
    short = [name for name in ATTACKS if name != "3 huge profiles"]
    idle, rows = attacked(stack, short, idle_seconds=2, hold_seconds=3, settle_seconds=10)
    print(table(idle, rows))
    over = {row.name: [what for what in row.over if "p95" not in what] for row in rows}
    assert {name: what for name, what in over.items() if what} == {}, table(idle, rows)
