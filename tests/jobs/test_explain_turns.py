"""Queue of explanations: one at a time, a limited number waiting, and worker requests meanwhile."""

import threading
from collections.abc import Iterator

import pytest

from jobs.queries import explain_turns
from jobs.queries.explain_turns import WAITING_MAX, ExplainTurns, ExplanationsBusy
from tests.support.waiting import wait_for

LONG = 60.0


@pytest.fixture(autouse=True)
def released(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the threads that released their connection and slot before waiting."""
    found: list[int] = []
    monkeypatch.setattr(
        explain_turns, "connection_release", lambda: found.append(threading.get_ident())
    )
    return found


class Explaining:
    """Explanation requests in threads. Each one runs until `go` is set."""

    def __init__(self) -> None:
        self.turns = ExplainTurns()
        self.go = threading.Event()
        self.began: list[str] = []
        self.refused: dict[str, float | None] = {}
        self.most = self.running = 0
        self._threads: list[threading.Thread] = []

    def ask(self, user: str, name: str = "", wait_seconds: float = LONG) -> None:
        """Send a request in a thread. Return once it runs, waits or is refused."""
        waiting, decided = len(self.turns._waiting), threading.Event()

        def run() -> None:
            try:
                with self.turns.held(user, wait_seconds=wait_seconds):
                    decided.set()
                    self.running += 1
                    self.most = max(self.most, self.running)
                    self.began.append(name or user)
                    assert self.go.wait(LONG)
                    self.running -= 1
            except ExplanationsBusy as busy:
                self.refused[name or user] = busy.retry_after_seconds
                decided.set()

        thread = threading.Thread(target=run)
        self._threads.append(thread)
        thread.start()
        wait_for(
            lambda: decided.is_set() or len(self.turns._waiting) > waiting,
            "it runs, waits or is refused",
        )

    def end(self) -> None:
        """Let all requests end."""
        self.go.set()
        for thread in self._threads:
            thread.join(LONG)
            assert not thread.is_alive()


@pytest.fixture
def explaining() -> Iterator[Explaining]:
    explaining = Explaining()
    yield explaining
    explaining.end()


def test_of_fifty_at_once_one_runs_few_wait_and_the_others_are_refused(
    explaining: Explaining, released: list[int]
) -> None:
    users = [f"user{number}" for number in range(50)]
    for user in users:
        explaining.ask(user)
    assert explaining.began == users[:1]
    assert list(explaining.refused) == users[1 + WAITING_MAX :], "at once"
    assert all(seconds and seconds >= 1 for seconds in explaining.refused.values())
    assert len(set(released)) == len(released) == WAITING_MAX, "those that wait hold nothing"
    explaining.end()
    assert explaining.began == users[: 1 + WAITING_MAX], "in the order of arrival"
    assert explaining.most == 1


def test_of_one_user_only_the_newest_request_waits(explaining: Explaining) -> None:
    explaining.ask("ada", "first")
    explaining.ask("ada", "second")
    explaining.ask("ben")
    waiting = threading.Thread(target=explaining.ask, args=("ada", "third"))
    waiting.start()
    wait_for(lambda: "second" in explaining.refused, "the older one is refused")
    explaining.go.set()
    waiting.join(LONG)
    wait_for(lambda: len(explaining.began) == 3, "all others ran")
    assert explaining.began == ["first", "third", "ben"]


def test_a_request_waits_for_a_bounded_time(explaining: Explaining) -> None:
    explaining.ask("ada")
    explaining.ask("ben", wait_seconds=0.05)
    wait_for(lambda: "ben" in explaining.refused, "it is refused")
    assert not explaining.turns._waiting


def test_the_next_request_runs_after_an_error(explaining: Explaining) -> None:
    with pytest.raises(ValueError, match="no"), explaining.turns.held("ada"):
        raise ValueError("no")
    with explaining.turns.held("ben"):
        pass
