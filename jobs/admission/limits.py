"""Limits and pauses set by administrators. A change wakes admission at once."""

import hashlib
import json

from django.db import connection, transaction

from jobs.core import queue
from jobs.models import Limit
from jobs.types.registry import SPECS
from mimir.api.etags import Preconditions, check_etag
from mimir.lib.errors import Invalid
from projects.models import Project

MAX_JOBS = 1_000_000


def limits_etag() -> str:
    """Return the ETag of all limits together, the resource of the API."""
    rows = Limit.objects.order_by("scope", "key").values_list("scope", "key", "max_jobs", "paused")
    return f'"{hashlib.sha256(json.dumps(list(rows)).encode()).hexdigest()[:32]}"'


def limit_set(
    *,
    scope: str,
    key: str,
    actor: str,
    max_jobs: int | None,
    paused: bool,
    etags: Preconditions | None = None,
) -> Limit:
    """Set one limit.

    `scope` is global (empty key), type or project (key: its slug). `max_jobs` None removes the
    limit. `etags`: expected ETags of all limits together.

    Raises: Invalid, PreconditionFailed.
    """
    limit_check(scope=scope, key=key, max_jobs=max_jobs)
    with transaction.atomic():
        if etags is not None and (etags.match is not None or etags.none_match is not None):
            with (
                connection.cursor() as cursor
                # Serialises conditional changes, also of a limit that does not exist yet.
            ):
                cursor.execute(f'LOCK TABLE "{Limit._meta.db_table}" IN SHARE ROW EXCLUSIVE MODE')
            check_etag(limits_etag(), etags)
        row, _ = Limit.objects.update_or_create(
            scope=scope,
            key=key,
            defaults={"max_jobs": max_jobs, "paused": paused, "changed_by": actor[:160]},
        )
        transaction.on_commit(queue.wake_all, robust=True)
    return row


def limit_check(*, scope: str, key: str, max_jobs: int | None) -> None:
    """Validate a limit without writing. Raises: Invalid with each bad field."""
    faults: dict[str, str] = {}
    if scope == Limit.Scope.GLOBAL and key:
        faults["key"] = "must be empty for global"
    elif scope == Limit.Scope.TYPE and key not in SPECS:
        faults["key"] = f"must be one of {', '.join(SPECS)}"
    elif scope == Limit.Scope.PROJECT and (
        "\x00" in key or not Project.objects.filter(slug=key).exists()
    ):
        faults["key"] = "must be the slug of a project"
    elif scope not in Limit.Scope.values:
        faults["scope"] = f"must be one of {', '.join(Limit.Scope.values)}"
    if max_jobs is not None and not 0 <= max_jobs <= MAX_JOBS:
        faults["max_jobs"] = f"must be from 0 to {MAX_JOBS}, or null for no limit"
    if faults:
        raise Invalid("The limit is invalid.", detail=faults)


def limits_delete(*, ids: list[int]) -> None:
    """Delete limits and wake admission."""
    with transaction.atomic():
        Limit.objects.filter(id__in=ids).delete()
        transaction.on_commit(queue.wake_all, robust=True)
