"""The input of an update: the reported state of a twin as JSON lines.

See docs/reference/worker-protocol.md.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO
from uuid import UUID

from django.db import transaction

from mimir.lib.json_types import JsonObject
from projects.models import Entity, EntityStatus, Twin, TwinDefinition
from projects.storage import artifacts

_BATCH = 2000


@dataclass(frozen=True, slots=True)
class StateDocument:
    """An open temporary file, its size and its SHA-256 in hex. Closing it deletes it."""

    file: IO[bytes]
    size_bytes: int
    sha256: str


def twin_state_document(*, twin_id: UUID, type: str) -> StateDocument:
    """Write the entities of `type`, by key, below one line with the revision and the definition.

    The document is streamed to disk. It shows one moment: the twin's row is share-locked while its
    entities are read, so no revision can intervene.
    """
    # The response closes the file.
    file: IO[bytes] = tempfile.TemporaryFile(  # noqa: SIM115
        dir=artifacts.scratch_dir(), prefix="mimir-twin-"
    )
    digest = hashlib.sha256()
    with transaction.atomic():
        for line in _lines(twin_id, type):
            data = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            digest.update(data)
            file.write(data)
    size = file.tell()
    file.seek(0)
    return StateDocument(file, size, digest.hexdigest())


def _lines(twin_id: UUID, type: str) -> Iterator[JsonObject]:
    twin = Twin.objects.select_for_update(of=("self",), no_key=True).get(id=twin_id)
    definition = TwinDefinition.objects.get(twin=twin, number=twin.definition_number).definition
    yield {"revision": twin.base_revision, "definition": definition, "type": type}
    rows = (
        Entity.objects.filter(twin=twin, type=type)
        .exclude(status=EntityStatus.REMOVED)
        .order_by("key")
    )
    for entity in rows.iterator(chunk_size=_BATCH):
        reported = {name: held["value"] for name, held in entity.reported.items()}
        yield {"key": entity.key, "status": entity.status, "reported": reported}
