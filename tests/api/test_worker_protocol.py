"""Bodies of the worker protocol have the types of `jobs.contract.protocol`, in both directions.

The worker's own client sends the requests; the worker API of this process answers them.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django import test
from rest_framework import serializers

from jobs.api import worker as api
from jobs.contract import EventKind, FailureReason, FinishStatus, WorkerLimits
from jobs.contract import protocol as bodies
from jobs.core.tokens import launch_token
from jobs.lifecycle import values as fields
from jobs.models import Attempt, Job, JobEvent
from jobs.types.inputs import InputRow
from jobs.types.registry import SPECS
from jobs.worker.attempt import _claim
from jobs.worker.client import Client
from jobs.worker.delivery import Delivery
from jobs.worker.memory_watch import MemoryWatch
from jobs.worker.reporting import Reporter
from jobs.worker.shipping import LogShipper
from jobs.worker.spool import Spool
from jobs.worker.stopping import Stop, Verdict, failed
from projects.models import PipelineVersion, Project
from tests.support import make
from tests.support.typed_dicts import faults, hints_of

LINE = b"2026-01-01T00:00:00.000000000Z stdout F hello\n"
REQUESTS = {
    "claim": bodies.ClaimRequestBody,
    "heartbeat": bodies.HeartbeatRequestBody,
    "events": bodies.EventsRequestBody,
    "finish": bodies.FinishRequestBody,
    "finish-with-events": bodies.FinishRequestBody,
}
ANSWERS = {
    "claim": bodies.ClaimResponse,
    "heartbeat": bodies.HeartbeatResponse,
    "events": bodies.EventsResponse,
    "logs": bodies.LogResponse,
    "artifacts": bodies.ArtifactResponse,
    "finish": bodies.FinishResponse,
    "finish-with-events": bodies.FinishResponse,
}
SERIALIZERS = ["Claim", "Heartbeat", "Event", "Events", "Exit", "Finish"]


class _DirectClient(Client):
    """The worker's client, connected to the API of this process. It checks each body."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__("http://orchestrator", str(attempt.id), launch_token(attempt.id))
        self.calls: list[str] = []

    def _json(self, method: str, name: str, body: Any, headers: Mapping[str, str]) -> Any:
        call = urlsplit(name).path.split("/")[0]
        data = body if isinstance(body, bytes) else body.read()
        if call in REQUESTS:
            assert faults(json.loads(data), REQUESTS[call]) == []
        response = test.Client().generic(
            method,
            self._path + name,
            data,
            content_type=headers["Content-Type"],
            headers={"Authorization": f"Bearer {self.token}", **headers},
        )
        assert response.status_code in (200, 201), response.content
        answer = response.json()
        assert faults(answer, ANSWERS[call]) == []
        self.calls.append(call)
        return answer


def _with_each_kind_of_input() -> Attempt:
    attempt = make.launched()
    project = Project.objects.get()
    schema = [{"name": "wind", "type": "DOUBLE", "empty": True, "missing": 3}]
    dataset = make.dataset_version(project, schema=schema)
    model = make.model_version(dataset)
    pipeline = PipelineVersion.objects.get()
    rows: list[InputRow] = [
        {"name": "pipeline", "kind": "pipeline", "pipeline": "echo", "version": 1, "id": ""},
        {"name": "read", "kind": "dataset", "dataset": "weather", "version": 1, "id": ""},
        {"name": "model", "kind": "model", "model": "fan", "version": 1, "id": ""},
        {"name": "twin", "kind": "twin", "twin": "town", "id": ""},
    ]
    # The claim reads no row of a twin.
    for row, identity in zip(rows, (pipeline.id, dataset.id, model.id, uuid4()), strict=True):
        row["id"] = str(identity)
    Job.objects.filter(id=attempt.job_id).update(inputs=rows)
    return attempt


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("verdict", "exit_code"),
    [
        (Verdict(FinishStatus.SUCCEEDED, result={"outputs": [], "steps": []}), 0),
        (failed(FailureReason.SIGNAL, "", signal=11, step="read"), -11),
    ],
    ids=["succeeded", "failed"],
)
@pytest.mark.parametrize("ends", [["finish-with-events"], ["events", "finish"]])
def test_live_bodies_of_an_attempt_have_the_types_of_the_protocol(
    verdict: Verdict, exit_code: int, ends: list[str], tmp_path: Path
) -> None:
    client = _DirectClient(_with_each_kind_of_input())
    claim = _claim(client)
    assert [item["kind"] for item in claim["inputs"]] == ["pipeline", "dataset", "model", "twin"]
    client.token = claim["session_token"]
    stop = Stop(lambda: None)
    memory = MemoryWatch(stop, limit_bytes=2**30, own_cgroup=False)
    limits = WorkerLimits(*[2**20] * len(WorkerLimits._fields))
    reporter = Reporter(client, stop, memory, limits=limits, heartbeat_seconds=0.0)
    reporter.add(EventKind.PROGRESS, {"fraction": 0.5, "message": "half"})
    reporter._report()
    reporter.add(EventKind.NOTICE, {"message": "the rest"})
    client.put_artifact(
        "a.txt",
        io.BytesIO(LINE),
        size_bytes=len(LINE),
        sha256=hashlib.sha256(LINE).hexdigest(),
        role="artifact",
        media_type="text/plain",
        patience_seconds=0,
    )
    assert client.post_log(0, LINE) == {"end": len(LINE)}
    spool = Spool(tmp_path / "spool", limit_bytes=2**20)
    delivery = Delivery(
        client,
        stop,
        shipper=LogShipper(client, spool, stop),
        reporter=reporter,
        spool=spool,
        memory=memory,
        finish_takes_events=claim["finish_takes_events"] and len(ends) == 1,
    )
    assert delivery.run(verdict, exit_code=exit_code, grace_seconds=5)[0] == 0
    assert client.calls == ["claim", "events", "heartbeat", "artifacts", "logs", *ends]
    assert list(
        JobEvent.objects.exclude(actor="dispatcher").order_by("seq").values_list("kind", flat=True)
    )[2:4] == [EventKind.PROGRESS, EventKind.NOTICE]


@pytest.mark.parametrize("name", SERIALIZERS)
def test_a_request_body_and_its_validated_fields_have_the_fields_of_the_serializer(
    name: str,
) -> None:
    serializer: serializers.Serializer[Any] = getattr(api, f"{name}Request")()
    sent, validated = getattr(bodies, f"{name}RequestBody"), getattr(fields, f"{name}Fields")
    assert set(serializer.fields) == set(hints_of(sent)) == set(hints_of(validated))
    required = {key for key, field in serializer.fields.items() if field.required}
    always = {
        key
        for key, field in serializer.fields.items()
        if field.required or field.default is not serializers.empty
    }
    assert sent.__required_keys__ == required
    assert validated.__required_keys__ == always
    for key, field in serializer.fields.items():
        for body in (sent, validated):
            nullable = not faults(None, hints_of(body)[key])
            assert nullable == bool(field.allow_null), f"{body.__name__}.{key}"


def test_the_limits_of_a_claim_are_the_fields_of_worker_limits() -> None:
    assert bodies.LimitsBody.__required_keys__ == set(WorkerLimits._fields)


@pytest.mark.parametrize("name", SPECS)
def test_the_parameters_of_a_type_have_the_fields_of_its_schema(name: str) -> None:
    schema = SPECS[name].parameters
    resolve = import_module(f"jobs.types.{name}.inputs").resolve
    parameters = get_type_hints(resolve)["parameters"]
    assert set(hints_of(parameters)) == set(schema["properties"])
    assert parameters.__required_keys__ == set(schema["required"])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"log_end": "0"}, ".log_end: '0' is not <class 'int'>"),
        ({"log_end": True}, ".log_end: True is not <class 'int'>"),
        ({"extra": 1}, ".extra: is not a field of ClaimResponse"),
        ({"heartbeat_seconds": None}, ".heartbeat_seconds: None is not <class 'float'>"),
        ({"read_url_allow": ["a", 1]}, ".read_url_allow[1]: 1 is not <class 'str'>"),
        ({"inputs": [{"name": "a", "kind": "twin"}]}, ".inputs[0].twin: is missing"),
        ({"job": {"id": "1"}}, ".job.attempt: is missing"),
    ],
)
def test_the_comparison_finds_each_difference(change: dict[str, object], fault: str) -> None:
    job = {"id": "1", "type": "t", "name": "", "attempt": 1, "parameters": {"a": [None, {}]}}
    limits = dict.fromkeys(WorkerLimits._fields, 1)
    body = {
        "job": job,
        "limits": limits,
        "inputs": [],
        "read_url_allow": [],
        "session_token": "t",
        "heartbeat_seconds": 2,
        "log_end": 0,
    }
    assert faults(body, bodies.ClaimResponse) == []
    assert fault in faults(body | change, bodies.ClaimResponse)
