"""Cluster in memory.

Contains the store of the API server, the Job controller, a scheduler, kubelets and a ledger of the
containers that ran. No I/O, no threads.
"""

import random
from dataclasses import dataclass, replace

from tests.fakes.kubernetes.clock import START, Clock
from tests.fakes.kubernetes.events import Recorder
from tests.fakes.kubernetes.faults import Faults
from tests.fakes.kubernetes.job_controller import JobController
from tests.fakes.kubernetes.kubelet import Kubelets
from tests.fakes.kubernetes.ledger import Ledger
from tests.fakes.kubernetes.nodes import Nodes
from tests.fakes.kubernetes.podstate import PodState
from tests.fakes.kubernetes.quotas import quota_refusal
from tests.fakes.kubernetes.resources import JOBS, NAMESPACES, PODS, Object
from tests.fakes.kubernetes.scripts import Act, Scripts, Start
from tests.fakes.kubernetes.store import HISTORY, Store
from tests.fakes.kubernetes.troubles import admission_refusal


@dataclass(frozen=True, slots=True)
class Settings:
    """Initial settings of a fake cluster."""

    seed: int = 0
    now: float = START
    real_time: bool = False
    history: int = HISTORY
    latency_seconds: float = 0.0
    namespaces: tuple[str, ...] = ("default", "mimir-aip")
    nodes: tuple[str, ...] = ("node1",)


class Cluster:
    """All components behind the API server.

    After each call that changes something, `run_due` takes the steps that are due.
    """

    def __init__(self, settings: Settings = Settings()) -> None:  # noqa: B008 - frozen
        self.settings = settings
        self.dice = random.Random(settings.seed)
        self.clock = Clock(settings.now, real=settings.real_time)
        self.store = Store(self.clock, self.dice, history=settings.history)
        self.events = Recorder(self.store)
        self.ledger = Ledger()
        self.scripts = Scripts()
        self.faults = Faults(self.dice)
        self.nodes = Nodes(self.store, self.events)
        self.kubelets = Kubelets(self.store, self.events, self.ledger, self.scripts, self.nodes)
        self.jobs = JobController(
            self.store, self.events, self.kubelets, self.scripts, self._pod_refusal
        )
        for name in settings.namespaces:
            self.add_namespace(name)
        for name in settings.nodes:
            self.nodes.add(name)
        self.store.forget_history()  # no server can list changes from its first version

    def add_namespace(self, name: str) -> Object:
        found = {
            "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
            "spec": {"finalizers": ["kubernetes"]},
        }
        return self.store.create(NAMESPACES, {**found, "status": {"phase": "Active"}})

    def _pod_refusal(self, job: Object) -> str:
        meta, template = job["metadata"], job["spec"]["template"]
        script = self.scripts.of(meta["name"])
        account = template["spec"].get("serviceAccountName", "default")
        refusal = admission_refusal(script.start, namespace=meta["namespace"], account=account)
        if refusal:
            return script.message or refusal
        return quota_refusal(
            self.store,
            PODS,
            {"metadata": {"namespace": meta["namespace"]}, "spec": template["spec"]},
        )

    def state_of(self, name: str) -> PodState | None:
        """Return the newest pod by its own or its Job's name, even if its object was deleted."""
        return self.kubelets.newest.get(name)

    def act(self, name: str, act: Act, *, exit_code: int = 0, message: str = "") -> bool:
        """Apply an act to a pod, selected by its own name or the name of its Job.

        Return False if it came too late.
        """
        self.clock.run_due()
        state = self.state_of(name)
        if act is Act.START:
            self._mend(name)
        done = (
            act is Act.START
            if state is None
            else self.kubelets.act(state, act, exit_code=exit_code, message=message)
        )
        self.clock.run_due()
        return done

    def _mend(self, job: str) -> None:
        """Fix the cause that blocks the pods of a Job, and let the controller retry."""
        old = self.scripts.of(job)
        self.scripts.put(
            job,
            replace(
                old, start=Start.RUNS, create_seconds=0.0, schedule_seconds=0.0, start_seconds=0.0
            ),
        )
        for version in self.store.all(JOBS):
            if version.key[1] == job:
                self.jobs.retry(version.key)

    def close(self) -> None:
        """Break the reference cycles now, to free memory without the garbage collector."""
        self.clock.stop()
        self.store.listeners.clear()

    def advance(self, seconds: float) -> None:
        self.clock.run_due()
        self.clock.advance(seconds)
