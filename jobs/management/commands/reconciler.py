"""`manage.py reconciler`: compare rows with the clusters and move jobs until SIGTERM."""

import signal
import threading

from django.core.management.base import BaseCommand

from jobs.reconcile.loop import run


class Command(BaseCommand):
    help = "Compare the rows with the cluster and move jobs forward, until SIGTERM."
    requires_system_checks = []  # they import all URLs and pages, for 0.3 s and 13 MB

    def handle(self, *_args: object, **_options: object) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        run(stop)
