"""`manage.py storage_check`: perform each operation on the artifact storage once."""

import datetime as dt
import io
import uuid

from django.core.management.base import BaseCommand, CommandError

from mimir.lib.clock import utc_now
from mimir.lib.errors import StorageAway
from projects.storage import artifacts
from projects.storage.bucket import PART_BYTES, Bucket

CHECKS = "checks"  # the folder of the test objects


class Command(BaseCommand):
    help = "Write, read, list and delete test objects in the artifact storage; report what fails."
    requires_system_checks = []

    def handle(self, *_args: object, **_options: object) -> None:
        name = f"{CHECKS}/{uuid.uuid4()}"
        try:
            _try_all(name)
        except StorageAway as away:
            raise CommandError(away.why) from away
        except OSError as error:
            raise CommandError(
                artifacts.problem() or f"{artifacts.location()}: {type(error).__name__}: {error}"
            ) from error
        self.stdout.write(f"{artifacts.location()} works.")


def _try_all(name: str) -> None:
    """Write, read, list and delete the object `name`. Raises: OSError."""
    if problem := artifacts.problem():
        raise StorageAway(problem)
    backend = artifacts.backend()
    # One byte more than a part, for a multipart upload in a bucket.
    size = backend.part_bytes if isinstance(backend, Bucket) else PART_BYTES
    try:
        artifacts.put(name, io.BytesIO(b"\0" * size + b"1"))
        with artifacts.open_file(name) as opened:
            opened.seek(size)
            if opened.read() != b"1":
                raise StorageAway(f"{artifacts.location()} returns other bytes than were written.")
        if name not in artifacts.keys_older_than(utc_now() + dt.timedelta(days=1), folder=CHECKS):
            raise StorageAway(f"{artifacts.location()} does not list a stored object.")
        artifacts.abort_unfinished(utc_now() - dt.timedelta(days=1))
        artifacts.delete(name)
    except OSError:
        artifacts.discard(name)
        raise
