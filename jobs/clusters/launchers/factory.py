"""Creation of the launcher that a cluster's row names."""

from dataclasses import dataclass
from pathlib import Path

from jobs.clusters.launchers.base import Launcher, LauncherKind, Target
from jobs.clusters.launchers.fake import FakeLauncher
from jobs.clusters.launchers.kubernetes.launcher import KubernetesLauncher
from jobs.clusters.launchers.manifest import WorkerTemplate
from jobs.clusters.launchers.process import ProcessLauncher


@dataclass(frozen=True, slots=True)
class LauncherSettings:
    """Settings of all kinds of launchers; each uses its own part."""

    installation: str
    workers_dir: str
    target: Target
    template: WorkerTemplate
    node_grace_seconds: float = 120.0
    reads_nodes: bool = False


def launcher_for(kind: str, settings: LauncherSettings) -> Launcher:
    """Create the launcher of `kind` (kubernetes, process, memory).

    Raises: ValueError for a kind that this release does not have.
    """
    if kind == LauncherKind.PROCESS:
        return ProcessLauncher(Path(settings.workers_dir), installation=settings.installation)
    if kind == LauncherKind.KUBERNETES:
        return KubernetesLauncher(
            settings.target,
            settings.template,
            node_grace_seconds=settings.node_grace_seconds,
            reads_nodes=settings.reads_nodes,
        )
    if kind == LauncherKind.MEMORY:
        return FakeLauncher()
    raise ValueError(f"{kind!r} is not a launcher of this release: use kubernetes or process")
