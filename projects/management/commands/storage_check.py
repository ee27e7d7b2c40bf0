"""`manage.py storage_check`: everything that is done with the artifact storage, done once with objects of its own."""

import datetime as dt
import io
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mimir.lib.clock import utc_now
from mimir.lib.errors import StorageAway
from projects.storage import files as storage
from projects.storage.objects import PART_BYTES, Bucket

CHECKS = "checks"  # the folder of its objects


class Command(BaseCommand):
    help = "Write, read, list and delete in the artifact storage, and say in a sentence what does not work."
    requires_system_checks = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        name = f"{CHECKS}/{uuid.uuid4()}"
        try:
            _use(name)
        except StorageAway as away:
            raise CommandError(away.why) from away
        except OSError as error:
            raise CommandError(
                storage.problem() or f"{storage.where()}: {type(error).__name__}: {error}"
            ) from error
        self.stdout.write(f"{storage.where()} can be used.")


def _use(name: str) -> None:
    """Raises: OSError."""
    if said := storage.problem():
        raise StorageAway(said)
    held = storage.artifacts()
    size = (
        held.part_bytes if isinstance(held, Bucket) else PART_BYTES
    )  # one part and a byte: in parts where there are some
    try:
        storage.object_save(name, io.BytesIO(b"\0" * size + b"1"))
        with storage.object_open(name) as opened:
            opened.seek(size)
            if opened.read() != b"1":
                raise StorageAway(f"{storage.where()} gives other bytes back than it was given.")
        if name not in storage.keys_older_than(utc_now() + dt.timedelta(days=1), folder=CHECKS):
            raise StorageAway(f"{storage.where()} does not list what it holds.")
        storage.unfinished_sweep(utc_now() - dt.timedelta(days=1))
        storage.object_delete(name)
    except OSError:
        storage.object_discard(name)
        raise
