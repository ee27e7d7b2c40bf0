"""Outcome of a twin update: one revision that names its job, or none."""

import hashlib
import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from jobs.admission.admit import admit_once
from jobs.admission.waiting import job_waiting
from jobs.clusters.rows import cluster_ensure
from jobs.contract import ArtifactRole, FailureReason, JobStatus, WaitRule
from jobs.diagnosis.failures import diagnose
from jobs.dispatch.launch import attempts_launch
from jobs.lifecycle.inputs_read import input_content
from jobs.lifecycle.retry import job_retry
from jobs.liveness.beats import beat_record
from jobs.models import Artifact, Attempt, Job, JobOutput
from projects.models import Change, Entity, EntityStatus, Project, Twin, TwinRevision
from projects.twins.definitions import twin_create, twin_definition_change
from projects.twins.edits import overlay_edit
from projects.twins.entities import entity_detail
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)

DEFINITION: dict[str, Any] = {
    "types": [
        {
            "name": "pump",
            "key": {"name": "sky"},
            "properties": [{"name": "wind", "type": "number"}, {"name": "label", "type": "string"}],
        }
    ]
}
UPDATE = {
    "twin": "plant",
    "dataset": "weather",
    "type": "pump",
    "key": "sky",
    "properties": {"wind": "wind"},
}


@pytest.fixture
def twin() -> Twin:
    """A twin without entities, in a project with a dataset."""
    project = make.project()
    make.dataset_version(project)
    assert project.created_by is not None
    return twin_create(
        project=project, name="plant", definition=DEFINITION, user=project.created_by
    )


def _claimed() -> Attempt:
    return make.claimed(type="digital_twin_update", parameters=UPDATE)


def _deliver(attempt: Attempt, *lines: Any, base: Any = 0) -> dict[str, Any]:
    """Apply the result of a worker that delivered these changes."""
    data = b"".join(
        line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines
    )
    key = storages["artifacts"].save(f"artifacts/{uuid4()}", ContentFile(data))
    facts = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "media_type": "x",
        "storage_key": key,
        "size_bytes": len(data),
    }
    Artifact.objects.create(attempt=attempt, name="changes.jsonl", role=ArtifactRole.TWIN, **facts)
    return {"base_revision": base, "artifact": "changes.jsonl"}


def _updated(*lines: Any, base: int = 0) -> Job:
    attempt = _claimed()
    assert make.finish(attempt, result=_deliver(attempt, *lines, base=base)) == JobStatus.SUCCEEDED
    make.launcher().end(attempt.name)
    make.settle()
    return Job.objects.get(id=attempt.job_id)


def _refused(attempt: Attempt, result: dict[str, Any]) -> Job:
    before = (
        list(TwinRevision.objects.values_list("number", flat=True)),
        Change.objects.count(),
        Entity.objects.count(),
    )
    assert make.finish(attempt, result=result) == JobStatus.FAILED
    assert (
        list(TwinRevision.objects.values_list("number", flat=True)),
        Change.objects.count(),
        Entity.objects.count(),
    ) == before
    assert not JobOutput.objects.filter(job_id=attempt.job_id).exists()
    return Job.objects.get(id=attempt.job_id)


def test_changes_become_a_revision_whose_values_name_the_job_and_the_dataset(twin: Twin) -> None:
    job = _updated({"key": "a", "set": {"wind": 1.5}}, {"key": "b", "set": {}})
    assert job.result == {"twin": "plant", "revision": 1, "created": 2, "changed": 0, "removed": 0}
    revision = JobOutput.objects.get(job=job).twin_revision
    assert revision is not None
    assert (revision.number, revision.twin_id) == (1, twin.id)
    twin.refresh_from_db()
    detail = entity_detail(twin=twin, entity=Entity.objects.get(key="a"))
    source = detail.values[0].source
    assert source is not None
    assert (source.job, source.dataset, source.kind) == (job.id, ("weather", 1), "update")


def test_no_difference_makes_no_revision_and_names_the_newest(twin: Twin) -> None:
    _updated({"key": "a", "set": {"wind": 1.5}})
    job = _updated({"key": "a", "set": {"wind": 1.5}}, base=1)
    assert job.result == {"twin": "plant", "revision": 1, "created": 0, "changed": 0, "removed": 0}
    assert not JobOutput.objects.filter(job=job).exists()
    assert _updated(base=1).result == job.result, "an empty file is no difference"


def test_absent_entities_are_marked_or_removed(twin: Twin) -> None:
    _updated(*({"key": key, "set": {"wind": 1}} for key in "abc"))
    job = _updated({"key": "a", "status": "missing"}, {"key": "b", "status": "removed"}, base=1)
    assert job.result == {"twin": "plant", "revision": 2, "created": 0, "changed": 1, "removed": 1}
    assert dict(Entity.objects.values_list("key", "status")) == {
        "a": EntityStatus.MISSING,
        "b": EntityStatus.REMOVED,
        "c": EntityStatus.PRESENT,
    }


def test_a_base_that_a_new_definition_left_behind_fails_the_job_and_running_it_again_works(
    twin: Twin,
) -> None:
    attempt = _claimed()
    result = _deliver(attempt, {"key": "a", "set": {"wind": 1}})
    assert twin.created_by is not None
    wider = {
        "types": [*DEFINITION["types"], {"name": "hall", "key": {"name": "id"}, "properties": []}]
    }
    twin_definition_change(twin=twin, definition=wider, user=twin.created_by)
    job = _refused(attempt, result)
    assert job.reason == FailureReason.STALE_BASE
    assert "its definition was changed" in job.message
    assert "Its revision is now 1" in job.message
    diagnosis = diagnose(
        FailureReason.STALE_BASE,
        detail={},
        resources=job.resources,
        timeout_seconds=60,
        message=job.message,
    )
    assert diagnosis["next_steps"][0]["label"] == "Run again"

    make.launcher().end(attempt.name)
    make.settle()
    again = job_retry(job=job, user=job.created_by).job
    admit_once()
    second = Attempt.objects.get(job=again)
    attempts_launch([second.id])
    make.claim(second)
    head = json.loads(input_content(again, "twin").file.readline())
    assert (
        make.finish(
            second, result=_deliver(second, {"key": "a", "set": {"wind": 1}}, base=head["revision"])
        )
        == JobStatus.SUCCEEDED
    )
    updated = Job.objects.get(id=again.id).result
    assert updated is not None
    assert updated["revision"] == 2


def test_an_edit_leaves_a_running_update_its_base_and_outlives_it(twin: Twin) -> None:
    _updated({"key": "a", "set": {"wind": 1}})
    attempt = _claimed()
    result = _deliver(attempt, {"key": "a", "set": {"wind": 2}}, base=1)
    assert twin.created_by is not None
    overlay_edit(twin=twin, type="pump", key="a", values={"wind": 9}, user=twin.created_by)
    assert make.finish(attempt, result=result) == JobStatus.SUCCEEDED
    entity = Entity.objects.get(key="a")
    assert (entity.reported["wind"]["value"], entity.overlay.get("wind", {}).get("value")) == (2, 9)
    assert [row.kind for row in TwinRevision.objects.all()] == ["update", "edit", "update"]


@pytest.mark.parametrize(
    "lines",
    [
        [b"no JSON\n"],
        [b"[1]\n"],
        [b'{"key": "a", "set": {"wind": 1}'],
        [{"set": {"wind": 1}}],
        [{"key": 1, "set": {}}],
        [{"key": "", "set": {}}],
        [{"key": "a"}],
        [{"key": "a", "set": {}, "status": "missing"}],
        [{"key": "a", "set": {}, "colour": "red"}],
        [{"key": "a", "status": "present"}],
        [{"key": "a", "status": ["missing"]}],
        [{"key": "a", "set": []}],
        [{"key": "a", "set": {"colour": "red"}}],
        [{"key": "a", "set": {"wind": "fast"}}],
        [{"key": "a", "set": {"wind": True}}],
        [b'{"key": "a", "set": {"wind": NaN}}\n'],
        [b'{"key": "a", "set": {"wind": 1' + b"0" * 400 + b"}}\n"],
        [b'{"key": "a", "set": {"wind": 1' + b"0" * 5000 + b"}}\n"],
        [b'{"key": "a", "set": {"label": "\\ud800"}}\n'],
        [b'{"key": "a\\u0000", "set": {}}\n'],
        [b'{"key": "a", "set": {"label": "\\u0000"}}\n'],
        [b"\xff\xfe\n"],
        [b'{"key":' * 100_000],
        [{"key": "b", "set": {}}, {"key": "a", "set": {}}],
        [{"key": "a", "set": {"wind": 1}}, {"key": "a", "set": {"wind": 2}}],
    ],
    ids=lambda lines: str(lines)[:60],
)
def test_changes_that_no_worker_of_ours_reports_are_refused_and_nothing_stays(
    twin: Twin, lines: list[Any]
) -> None:
    attempt = _claimed()
    assert _refused(attempt, _deliver(attempt, *lines)).reason == FailureReason.PROTOCOL


@pytest.mark.parametrize("base", [None, -1, True, "0", 1.0, 2**40])
def test_a_base_that_is_not_a_revision_is_refused(twin: Twin, base: Any) -> None:
    attempt = _claimed()
    assert _refused(attempt, _deliver(attempt, base=base)).reason == FailureReason.PROTOCOL


def test_more_entities_than_a_twin_may_have_are_refused_with_the_limit(
    twin: Twin, settings: Any
) -> None:
    settings.ENV = replace(settings.ENV, twin_entities_max=2)
    for count in (3, 5):
        attempt = _claimed()
        job = _refused(
            attempt,
            _deliver(attempt, *({"key": str(number), "set": {}} for number in range(count))),
        )
        assert (job.reason, "TWIN_ENTITIES_MAX" in job.message) == (
            FailureReason.INVALID_INPUT,
            True,
        )
        make.launcher().end(attempt.name)
        make.settle()


def test_more_bytes_than_an_update_may_report_are_refused_with_the_limit(
    twin: Twin, settings: Any
) -> None:
    settings.ENV = replace(settings.ENV, twin_changes_bytes_max=1024)
    attempt = _claimed()
    job = _refused(attempt, _deliver(attempt, {"key": "a", "set": {"label": "x" * 1024}}))
    assert (job.reason, "TWIN_CHANGES_BYTES_MAX" in job.message) == (
        FailureReason.INVALID_INPUT,
        True,
    )


def test_a_worker_gets_the_reported_state_of_its_type_without_edits_and_without_what_was_removed(
    twin: Twin,
) -> None:
    _updated(
        {"key": "a", "set": {"label": "ä"}},
        {"key": "b", "set": {"wind": 1.5}},
        {"key": "c", "set": {"wind": 3}},
    )
    _updated({"key": "b", "status": "missing"}, {"key": "c", "status": "removed"}, base=1)
    assert twin.created_by is not None
    overlay_edit(twin=twin, type="pump", key="a", values={"wind": 9}, user=twin.created_by)
    found = input_content(_claimed().job, "twin")
    data = found.file.read()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (found.size_bytes, found.sha256)
    assert [json.loads(line) for line in data.splitlines()] == [
        {"revision": 2, "definition": DEFINITION, "type": "pump"},
        {"key": "a", "status": "present", "reported": {"label": "ä"}},
        {"key": "b", "status": "missing", "reported": {"wind": 1.5}},
    ]


def test_of_two_updates_of_one_twin_the_second_waits_and_says_for_what(twin: Twin) -> None:
    cluster_ensure()
    project = Project.objects.get()
    first, second = (
        make.job(project, type="digital_twin_update", parameters=UPDATE) for _ in range(2)
    )
    other = make.job(project)
    admit_once()
    assert set(Attempt.objects.values_list("job_id", flat=True)) == {first.id, other.id}
    second.refresh_from_db()
    beat_record(component="dispatcher")
    waiting = job_waiting([second])[second.id]
    assert waiting["blocked_by"] == WaitRule.EXCLUSIVE
    assert "Another update of twin plant is running" in waiting["detail"]


def test_changes_that_the_storage_has_no_more_end_the_job_with_a_sentence(twin: Twin) -> None:
    attempt = _claimed()
    result = _deliver(attempt, {"key": "a", "set": {"wind": 1.0}})
    storages["artifacts"].delete(Artifact.objects.get().storage_key)
    assert make.finish(attempt, result=result) == JobStatus.FAILED
    attempt.job.refresh_from_db()
    assert (
        attempt.job.reason,
        "changes.jsonl is no longer in the artifact storage" in attempt.job.message,
    ) == (FailureReason.PROTOCOL, True)
    assert not TwinRevision.objects.exists()
