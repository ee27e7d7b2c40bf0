"""`manage.py release_workers`: end this machine's workers and return their jobs to the queue.

Run before Mimir stops on a machine.
"""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from jobs.clusters.rows import cluster_ensure, launcher_of
from jobs.models import Attempt
from jobs.reconcile.once import reconcile_once
from jobs.reconcile.release import attempts_release


class Command(BaseCommand):
    help = (
        "End this machine's workers and return their jobs to the queue. Stop the dispatcher first."
    )
    requires_system_checks = []  # they import all URLs and pages, for 0.3 s and 13 MB

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--wait", type=float, default=20.0, help="seconds to wait for the workers to be removed"
        )

    def handle(self, *_args: object, **options: Any) -> None:
        released = attempts_release(actor="release_workers")
        cluster = cluster_ensure()
        launcher = launcher_of(cluster)
        end = time.monotonic() + options["wait"]
        while time.monotonic() < end:
            if not reconcile_once(cluster, launcher) and not self._not_removed(cluster.name):
                break
            launcher.wait_for_changes(0.1)
        self.stdout.write(
            f"{released} running jobs returned to the queue, "
            f"{self._left(cluster.name)} workers left"
        )

    @staticmethod
    def _not_removed(cluster: str) -> bool:
        """Return whether a worker's object remains.

        The command waits for its removal, because the reconciler stops next.
        """
        return Attempt.objects.filter(cluster_id=cluster, cleaned_up_at__isnull=True).exists()

    @staticmethod
    def _left(cluster: str) -> int:
        return Attempt.objects.filter(cluster_id=cluster, gone_at__isnull=True).count()
