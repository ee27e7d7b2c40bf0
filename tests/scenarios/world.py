"""One installation and one cluster in virtual time, with many jobs and a trouble for each."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from jobs.admission.admit import admit_once
from jobs.clusters.launchers.kubernetes.launcher import KubernetesLauncher
from jobs.contract import TERMINAL
from jobs.dispatch.launch import attempts_launch
from jobs.dispatch.launch_rows import attempts_to_launch
from jobs.lifecycle.cancel import job_cancel
from jobs.liveness.uptime import web_beat
from jobs.models import Attempt, Cluster, Job
from jobs.reconcile.known_state import KnownState
from mimir.lib.errors import MimirError
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.scenarios.clock import VirtualClock
from tests.scenarios.oracle import one_valid_session
from tests.scenarios.places import Place
from tests.scenarios.troubles import (
    AWAY_SECONDS,
    OF_NODES,
    PERMANENT,
    Deed,
    Order,
    Phase,
    Trouble,
    begin,
    go_on,
)
from tests.scenarios.workers import Workers
from tests.support.reconciling import reconcile

BEGAN = 1_790_000_000.0
PACE = (
    2.0,
    2.0,
    2.0,
    30.0,
    120.0,
    600.0,
    600.0,
    3600.0,
)  # seconds per round, by the number of rounds without a change
ROUNDS_MAX = 600


@dataclass(slots=True)
class Scenario:
    """A job and the trouble that happens to it. `cancel_in`: the phase in which it is cancelled."""

    trouble: Trouble | None
    phase: Phase
    succeeds: bool = True
    cancel_in: Phase | None = None
    job_id: UUID | None = None
    order: Order | None = None
    cancelled: bool = False
    place: str = ""  # cluster of this job alone; empty: the shared cluster


@dataclass(slots=True)
class World:
    """State of a run in virtual time. `rounds` counts the rounds so far."""

    fake: FakeKubernetes
    clock: VirtualClock
    dice: random.Random
    launcher: KubernetesLauncher
    cluster: Cluster
    workers: Workers
    scenarios: list[Scenario]
    known: KnownState = field(default_factory=KnownState)
    rounds: int = 0
    unrecorded: set[UUID] = field(
        default_factory=set
    )  # attempts whose launch was not recorded, once
    away: Counter[str] = field(default_factory=Counter)  # failed passes by type of error
    places: dict[str, Place] = field(default_factory=dict)  # clusters of one job each, by name
    web_is_up: bool = True

    def run(self) -> None:
        """Run rounds until everything has ended. Raises: AssertionError after ROUNDS_MAX."""
        last, quiet = None, 0
        while not self.settled():
            assert self.rounds < ROUNDS_MAX, f"not settled: {self.open()}"
            self.advance(PACE[min(quiet, len(PACE) - 1)])
            self.round()
            now = self._fingerprint()
            last, quiet = now, quiet + 1 if now == last else 0

    def advance(self, seconds: float) -> None:
        """Advance the time of this process, the database and the cluster."""
        self.clock.advance_to(self.clock.now + seconds)
        self.fake.advance_to(self.clock.now)
        if self.web_is_up:
            web_beat()

    def round(self, *, workers_act: bool = True) -> None:
        """Run one round: admit, launch, let containers and troubles act, reconcile."""
        self.rounds += 1
        admit_once(hint=False)
        self._free()
        rows = self._rows()
        self._troubles(rows, Phase.BEFORE_CREATE)
        attempts_launch(attempts_to_launch())
        rows = self._rows()
        for phase in (
            Phase.UNRECORDED,
            Phase.UNCLAIMED,
            Phase.RUNNING,
            Phase.FINISHING,
            Phase.CLEANING,
        ):
            self._troubles(rows, phase)
        if workers_act:
            held = {row["id"] for row in rows.values() if self._phase(row) is Phase.UNRECORDED}
            held.update(*(place.silenced() for place in self.places.values()))
            self.workers.act(self.fake.ledger(running=True, env=True), held)
        self._troubles(self._rows(), Phase.SEALING)
        one_valid_session()
        self.reconcile()
        one_valid_session()

    def rounds_of(self, count: int, *, workers_act: bool = True, seconds: float = 2.0) -> None:
        """Run `count` rounds, `seconds` apart."""
        for _ in range(count):
            self.advance(seconds)
            self.round(workers_act=workers_act)

    def run_until(self, true: Callable[[], bool]) -> None:
        """Run rounds until the condition is true."""
        for _ in range(ROUNDS_MAX):
            if true():
                return
            self.rounds_of(1)
        raise AssertionError(f"never: {self.open()}")

    @property
    def job(self) -> Job:
        """The only job, read from the database."""
        return Job.objects.get()

    def attempt(self, number: int = 1) -> Attempt:
        """Return an attempt of the only job, read from the database."""
        return Attempt.objects.get(number=number)

    def reconcile(self) -> None:
        """Run one pass over each cluster. An unreachable one is retried in the next round."""
        passes: list[Callable[[], object]] = [
            partial(reconcile, self.cluster, self.launcher, self.known),
            *(place.reconcile for place in self.places.values()),
        ]
        for one in passes:
            try:
                one()
            except OSError as error:
                self.away[type(error).__name__] += 1

    def launcher_of(self, cluster: Cluster) -> KubernetesLauncher:
        """Return the launcher of a cluster. Replaces the function of the product."""
        place = self.places.get(cluster.name)
        return place.launcher if place is not None else self.launcher

    def settled(self) -> bool:
        """Return whether every job has ended and every attempt and object is cleaned up.

        On a cluster that never returns, attempts only need to be gone.
        """
        unclean = Attempt.objects.filter(cleaned_up_at=None).exclude(
            cluster__in=self.lost_clusters()
        )
        held = Attempt.objects.filter(gone_at=None, cluster__in=self.lost_clusters())
        if Job.objects.exclude(status__in=TERMINAL).exists() or unclean.exists() or held.exists():
            return False
        if Attempt.objects.filter(log_object=None).exists():
            return False
        return self.rounds > 0 and not any(self.left().values())

    def left(self) -> dict[str, int]:
        """Return the number of remaining jobs and pods.

        Those on a node or cluster that never returns are not counted.
        """
        lost = {
            each.order.worker
            for each in self.scenarios
            if each.order is not None and each.order.trouble in OF_NODES
        }
        if not lost and not self.lost_clusters():
            return self.fake.counts()
        launchers = [
            self.launcher,
            *(place.launcher for place in self.places.values() if not place.away),
        ]
        observed = {seen.name for launcher in launchers for seen in launcher.observe()}
        return {"jobs": len(observed - lost), "pods": 0}

    def lost_clusters(self) -> set[str]:
        """Return the names of clusters that never become reachable again."""
        return {
            each.place
            for each in self.scenarios
            if each.order is not None and each.order.trouble in PERMANENT
        }

    def open(self) -> list[Any]:
        """Return unfinished objects, for a failure message."""
        jobs = Job.objects.exclude(status__in=TERMINAL).values_list("id", "status", "attempt")
        attempts = Attempt.objects.filter(cleaned_up_at=None).values_list(
            "name", "ended_at", "fenced_at", "gone_at", "log_object"
        )
        ids = {row[0] for row in jobs} | set(
            Attempt.objects.filter(cleaned_up_at=None).values_list("job_id", flat=True)
        )
        mine = [
            (each.trouble, each.phase, each.cancel_in)
            for each in self.scenarios
            if each.job_id in ids
        ]
        return [list(jobs), list(attempts), mine, self.fake.counts(), self.away]

    def _free(self) -> None:
        """Remove the cluster request of launched jobs, which then retry on any cluster."""
        if self.places:
            Job.objects.filter(status="launching", attempt=1).exclude(cluster="").update(cluster="")

    def _rows(self) -> dict[UUID, dict[str, Any]]:
        """Return the latest attempt of each job."""
        names = (
            "id",
            "job_id",
            "name",
            "uid",
            "claim_id",
            "ended_at",
            "fenced_at",
            "gone_at",
            "log_object",
            "cleaned_up_at",
            "job__status",
        )
        return {row["job_id"]: row for row in Attempt.objects.order_by("number").values(*names)}

    def _phase(self, row: dict[str, Any]) -> Phase | None:
        if row["cleaned_up_at"] is not None:
            return None
        if row["gone_at"] is not None:
            return Phase.CLEANING
        if row["ended_at"] is not None or row["fenced_at"] is not None:
            alive = any(
                worker.attempt_id == row["id"] and worker.step != "exited"
                for worker in self.workers.by_pod.values()
            )
            return Phase.FINISHING if alive else Phase.SEALING
        if row["claim_id"] is not None:
            return Phase.RUNNING
        if row["uid"]:
            return Phase.UNCLAIMED
        return Phase.UNRECORDED if row["id"] in self.unrecorded else Phase.BEFORE_CREATE

    def _troubles(self, rows: dict[UUID, dict[str, Any]], phase: Phase) -> None:
        for scenario in self.scenarios:
            row = rows.get(scenario.job_id) if scenario.job_id else None
            if row is None or self._phase(row) is not phase:
                continue
            if scenario.order is None and scenario.phase is phase and scenario.trouble is not None:
                scenario.order = Order(
                    scenario.trouble, row["name"], self.node_of(scenario), self.clock.now
                )
                if scenario.place:
                    self.places[scenario.place].cut_off(
                        silent=scenario.trouble is not Deed.API_AWAY
                    )
                else:
                    begin(self.fake, scenario.order, phase, self.dice)
            if scenario.cancel_in is phase and not scenario.cancelled:
                self.cancel(scenario)
        for scenario in self.scenarios:
            if scenario.order is not None:
                self._go_on(scenario, scenario.order)

    def _go_on(self, scenario: Scenario, order: Order) -> None:
        if (
            order.trouble is Deed.CLUSTER_BACK
            and not order.over
            and self.clock.now - order.at > AWAY_SECONDS
        ):
            order.over = True
            self.places[scenario.place].back()
        go_on(self.fake, order)

    def cancel(self, scenario: Scenario) -> None:
        """Cancel the job of a scenario, unless it has ended."""
        assert scenario.job_id is not None
        scenario.cancelled = True
        try:
            job_cancel(job_id=scenario.job_id, actor="user:ada")
        except MimirError:
            scenario.cancelled = False
            scenario.cancel_in = None

    def node_of(self, scenario: Scenario) -> str:
        """Return the node of a scenario: a separate one if the trouble loses the node."""
        return f"node-{self.scenarios.index(scenario)}" if scenario.trouble in OF_NODES else "node1"

    def _fingerprint(self) -> object:
        jobs = tuple(Job.objects.order_by("id").values_list("status", "attempt", "event_seq"))
        names = (
            "uid",
            "ended_at",
            "gone_at",
            "cleaned_up_at",
            "launch_failures",
            "terminate_asked_at",
        )
        attempts = tuple(Attempt.objects.order_by("id").values_list(*names))
        return (
            jobs,
            attempts,
            tuple(sorted(self.fake.counts().items())),
            len(self.fake.ledger(running=True)),
        )
