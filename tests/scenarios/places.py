"""One cluster per job on one fake API server, to disconnect them separately."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from jobs.clusters.launchers.base import Target
from jobs.clusters.launchers.kubernetes.launcher import KubernetesLauncher
from jobs.clusters.launchers.manifest import WorkerTemplate
from jobs.models import Attempt, Cluster
from jobs.reconcile.known_state import KnownState
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.scenarios.clock import VirtualClock
from tests.support.reconciling import reconcile

_NOBODY = "http://127.0.0.1:9"  # the port of discard: nothing listens there


@dataclass(slots=True)
class Place:
    """A cluster of one job. `silent`: its workers cannot reach the orchestrator either."""

    cluster: Cluster
    launcher: KubernetesLauncher
    clock: VirtualClock
    fake: FakeKubernetes
    known: KnownState = field(default_factory=KnownState)
    away: bool = False
    silent: bool = False

    def cut_off(self, *, silent: bool) -> None:
        """Make the API server unreachable."""
        self.away, self.silent = True, silent
        self.launcher.close()
        self.launcher = launcher_at(self.fake, self.cluster, self.clock, away=True)

    def back(self) -> None:
        """Make the API server reachable again."""
        self.away = self.silent = False
        self.launcher = launcher_at(self.fake, self.cluster, self.clock)

    def reconcile(self) -> int:
        """Run one pass of the reconciler. Raises: OSError while the cluster is unreachable."""
        return reconcile(self.cluster, self.launcher, self.known)

    def silenced(self) -> set[UUID]:
        """Return the attempts whose workers are silent."""
        return (
            set(Attempt.objects.filter(cluster=self.cluster).values_list("id", flat=True))
            if self.silent
            else set()
        )


def launcher_at(
    fake: FakeKubernetes,
    cluster: Cluster,
    clock: VirtualClock,
    *,
    away: bool = False,
    follow: bool = False,
) -> KubernetesLauncher:
    """Return a launcher of `cluster`; with `away`, its API server cannot be reached."""
    config = fake.kubeconfig.with_name("nobody") if away else fake.kubeconfig
    if away and not config.exists():
        _write_away(config, fake.kubeconfig)
    target = Target(
        context="fake", kubeconfig_file=str(config), namespace=fake.namespace, timeout_seconds=5
    )
    template = WorkerTemplate(
        installation=str(cluster.installation), image="mimir-aip/worker:latest"
    )
    return KubernetesLauncher(target, template, follow=follow, now=clock.utc_now)


def _write_away(config: Path, like: Path) -> None:
    recorded = json.loads(like.read_text())
    recorded["clusters"][0]["cluster"] = {"server": _NOBODY}
    config.write_text(json.dumps(recorded))
    config.chmod(0o600)


def place_of(fake: FakeKubernetes, clock: VirtualClock, name: str) -> Place:
    """Create a cluster with capacity for one worker."""
    capacity = {"capacity_jobs": 1, "capacity_cpu_millicores": 0, "capacity_memory_bytes": 0}
    cluster = Cluster.objects.create(
        name=name, launcher="kubernetes", reached_at=clock.utc_now(), **capacity
    )
    return Place(cluster, launcher_at(fake, cluster, clock), clock, fake)
