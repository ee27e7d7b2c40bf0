"""Worker API, specified in docs/reference/worker-protocol.md.

Input is untrusted and limited. A token gives access to its own attempt only.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

from django.conf import settings
from django.core.files import File
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api.heartbeats import accepted_claims
from jobs.contract import (
    ARTIFACT_NAME_PATTERN,
    LOG_CHUNK_BYTES_MAX,
    ArtifactRole,
    EventKind,
    FailureReason,
    FinishStatus,
)
from jobs.contract.protocol import ArtifactResponse, EventsResponse, FinishResponse, LogResponse
from jobs.core.compiled_instances import CompiledInstances
from jobs.core.tokens import is_launch_token, is_session_token
from jobs.lifecycle.claim import attempt_claim
from jobs.lifecycle.finish import attempt_finish
from jobs.lifecycle.inputs_read import input_content
from jobs.lifecycle.report import (
    artifact_limits_check,
    artifact_record,
    events_record,
    heartbeat_record,
)
from jobs.lifecycle.storagewait import storage_watched
from jobs.lifecycle.values import (
    ClaimFields,
    EventFields,
    EventsFields,
    ExitFields,
    FinishFields,
    FinishReport,
    HeartbeatFields,
    WorkerEvent,
)
from jobs.logs.append import log_append
from jobs.models import ARTIFACTS, Artifact, Attempt
from mimir.api.parsers import WorkerJSONParser
from mimir.api.responses import FileStream, attachment
from mimir.api.views import ApiView, validated
from mimir.lib.crash import crash_point
from mimir.lib.errors import Gone, Invalid, MimirError, NotAuthenticated, TooLarge
from projects.storage import artifacts

EVENTS_PER_REQUEST = 200


class UnparsedBody(BaseParser):
    """Parse nothing: views read the body in bounded pieces."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return {}


class ClaimRequest(serializers.Serializer[ClaimFields]):
    claim_id = serializers.UUIDField()
    hostname = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    pid = serializers.IntegerField(required=False)


class HeartbeatRequest(serializers.Serializer[HeartbeatFields]):
    memory_bytes = serializers.IntegerField(min_value=0, max_value=2**62)
    peak_memory_bytes = serializers.IntegerField(min_value=0, max_value=2**62)
    cpu_millicores = serializers.IntegerField(min_value=0, max_value=2**40)


class EventRequest(serializers.Serializer[EventFields]):
    n = serializers.IntegerField(min_value=1)
    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(choices=[kind.value for kind in EventKind])
    data = serializers.DictField()  # type: ignore[assignment]


class EventsRequest(serializers.Serializer[EventsFields]):
    events = serializers.ListField(child=EventRequest(), max_length=EVENTS_PER_REQUEST)


class ExitRequest(serializers.Serializer[ExitFields]):
    code = serializers.IntegerField(allow_null=True, min_value=-(2**31), max_value=2**31 - 1)
    signal = serializers.IntegerField(allow_null=True, min_value=0, max_value=1000)


class FinishRequest(serializers.Serializer[FinishFields]):
    status = serializers.ChoiceField(choices=[status.value for status in FinishStatus])
    reason = serializers.ChoiceField(
        choices=[reason.value for reason in FailureReason], allow_blank=True
    )
    message = serializers.CharField(max_length=10_000, allow_blank=True, trim_whitespace=False)
    detail = serializers.DictField()
    result = serializers.DictField()
    exit = ExitRequest()
    peak_memory_bytes = serializers.IntegerField(allow_null=True, min_value=0, max_value=2**62)
    log_end = serializers.IntegerField(min_value=0, max_value=2**62)
    log_sha256 = serializers.RegexField(r"[0-9a-f]{64}")
    log_missing = serializers.CharField(
        max_length=1000, required=False, allow_blank=True, default=""
    )
    events = serializers.ListField(
        child=EventRequest(), max_length=EVENTS_PER_REQUEST, required=False, default=list
    )


def _token(request: Request) -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _claims() -> "QuerySet[Attempt, Attempt]":
    return Attempt.objects.only("claim_id", "waits_for").filter(id=_ANY_ID)


_ANY_ID = UUID(int=0)
_CLAIMS = CompiledInstances(_claims, varies=_ANY_ID)


@extend_schema(exclude=True)
class WorkerView(ApiView):
    """Base of requests for one attempt, with the session token of its claim."""

    parser_classes: Any = (WorkerJSONParser,)
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def attempt(self, request: Request, attempt_id: UUID) -> Attempt:
        """Return the attempt that the token belongs to, with the columns that most requests use.

        Raises: NotAuthenticated, also for a missing attempt.
        """
        return self._holder(request, _CLAIMS.first(attempt_id))

    def attempt_with_job(self, request: Request, attempt_id: UUID) -> Attempt:
        """Return all columns of the attempt and of its job. Raises: as `attempt`."""
        rows = Attempt.objects.select_related("job")
        return self._holder(request, rows.filter(id=attempt_id).first())

    def _holder(self, request: Request, attempt: Attempt | None) -> Attempt:
        if attempt is None or not is_session_token(attempt, _token(request)):
            raise NotAuthenticated("The token is not valid for this attempt.")
        return attempt


class ClaimView(WorkerView):
    """Claim of the attempt."""

    def post(self, request: Request, attempt_id: UUID) -> Response:
        if not is_launch_token(attempt_id, _token(request)):
            raise NotAuthenticated("The token is not valid for this attempt.")
        body = validated(ClaimRequest, request, others_ignored=True)
        answer = attempt_claim(
            attempt_id=attempt_id, claim_id=body["claim_id"], host=body["hostname"]
        )
        crash_point("claim.after_commit_before_answer")
        return Response(answer)


class HeartbeatView(WorkerView):
    """Heartbeat of the attempt."""

    def post(self, request: Request, attempt_id: UUID) -> Response:
        attempt = self.attempt(request, attempt_id)
        answer = heartbeat_record(
            attempt_id=attempt.id, **validated(HeartbeatRequest, request, others_ignored=True)
        )
        accepted_claims.add(attempt)
        return Response(answer)


class WorkerEventsView(WorkerView):
    """Events of the attempt."""

    def post(self, request: Request, attempt_id: UUID) -> Response:
        attempt = self.attempt(request, attempt_id)
        events = _events(validated(EventsRequest, request, others_ignored=True)["events"])
        answer: EventsResponse = {"last": events_record(attempt_id=attempt.id, events=events)}
        return Response(answer)


def _events(fields: Sequence[EventFields]) -> list[WorkerEvent]:
    return [
        WorkerEvent(
            n=event["n"],
            at=_aware(event["at"]),
            kind=EventKind(event["kind"]),
            data=event["data"],
        )
        for event in fields
    ]


def _aware(at: dt.datetime) -> dt.datetime:
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)


class WorkerLogView(WorkerView):
    """Log bytes of the attempt. A fenced attempt can append too, until its log is closed."""

    parser_classes = (UnparsedBody,)

    def post(self, request: Request, attempt_id: UUID) -> Response:
        attempt = self.attempt(request, attempt_id)
        offset = request.query_params.get("offset", "")
        if not (offset.isascii() and offset.isdigit() and len(offset) <= 18):
            raise Invalid(
                "offset: must be a number of bytes.",
                detail={"offset": "must be a number of bytes"},
            )
        data = request._request.read(LOG_CHUNK_BYTES_MAX + 1)
        crash_point("log.before_append")
        end = log_append(attempt_id=attempt.id, offset=int(offset), data=data)
        crash_point("log.after_append_before_answer")
        answer: LogResponse = {"end": end}
        return Response(answer)


class WorkerArtifactView(WorkerView):
    """Artifact of the attempt."""

    parser_classes = (UnparsedBody,)

    def put(self, request: Request, attempt_id: UUID, name: str) -> Response:
        attempt = self.attempt_with_job(request, attempt_id)
        name, role = unquote(name), request.query_params.get("role", ArtifactRole.ARTIFACT)
        if not re.fullmatch(ARTIFACT_NAME_PATTERN, name):
            raise Invalid(
                f"The artifact's name must match {ARTIFACT_NAME_PATTERN}.",
                detail={"name": f"must match {ARTIFACT_NAME_PATTERN}"},
            )
        if role not in {member.value for member in ArtifactRole}:
            known = ", ".join(ArtifactRole)
            raise Invalid(
                f"role must be one of {known}.", detail={"role": f"must be one of {known}"}
            )
        if attempt.fenced_at or attempt.ended_at:
            raise Gone(
                "This attempt is fenced: another attempt runs, or the job has ended.", code="fenced"
            )
        with storage_watched(attempt):
            artifact, is_new = self._stored(request, attempt, name, ArtifactRole(role))
        answer: ArtifactResponse = {
            "name": artifact.name,
            "size_bytes": artifact.size_bytes,
            "sha256": artifact.sha256,
        }
        return Response(answer, status=201 if is_new else 200)

    def _stored(
        self, request: Request, attempt: Attempt, name: str, role: ArtifactRole
    ) -> tuple[Artifact, bool]:
        """Store the body; return the artifact and whether it is new. Raises: MimirError."""
        size = _declared(request)
        artifact_limits_check(attempt_id=attempt.id, size_bytes=size)
        artifacts.check_space(size)
        body = _Body(request, settings.ENV.artifact_bytes_max)
        key = artifacts.write(f"{ARTIFACTS}/{attempt.job.project_id}/{attempt.id}/{uuid4()}", body)
        # Keep the object if the outcome of the commit is unknown, too: the row may exist. The sweep
        # deletes an object without a row.
        keep_object = True
        try:
            sha256 = body.digest.hexdigest()
            if sha256 != request.headers.get("X-Content-SHA256", "").lower():
                raise MimirError(
                    "The bytes do not match X-Content-SHA256.",
                    code="sha256_mismatch",
                    status=422,
                )
            artifacts.sync(key)
            artifact, is_new = artifact_record(
                attempt_id=attempt.id,
                name=name,
                role=role,
                storage_key=key,
                size_bytes=body.size_read,
                sha256=sha256,
                media_type=request.headers.get("Content-Type", "application/octet-stream"),
            )
            keep_object = is_new
        except MimirError:
            keep_object = False
            raise
        finally:
            if not keep_object:
                artifacts.discard(key)
        return artifact, is_new


def _declared(request: Request) -> int:
    length = request.headers.get("Content-Length", "0")
    return int(length) if length.isdigit() else 0


class _Body(File):  # type: ignore[type-arg]
    """File view of a request body: hashes, counts and limits the bytes while they are copied."""

    def __init__(self, request: Request, limit: int) -> None:
        super().__init__(None, name="content")
        self._request, self._limit = request._request, limit
        self.digest, self.size_read = hashlib.sha256(), 0

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        while block := self._request.read(chunk_size or 1024 * 1024):
            self.digest.update(block)
            self.size_read += len(block)
            if self.size_read > self._limit:
                raise TooLarge(
                    "The artifact is larger than ARTIFACT_BYTES_MAX.",
                    code="artifact_limit_exceeded",
                )
            yield block


class WorkerInputView(WorkerView):
    """Content of an input of the job."""

    def get(self, request: Request, attempt_id: UUID, name: str) -> FileStream:
        attempt = self.attempt_with_job(request, attempt_id)
        if attempt.fenced_at or attempt.ended_at:
            raise Gone(
                "This attempt is fenced: another attempt runs, or the job has ended.", code="fenced"
            )
        with storage_watched(attempt):
            content = input_content(attempt.job, unquote(name))
        response = attachment(
            content.file,
            name=name,
            media_type="application/octet-stream",
            length=content.size_bytes,
        )
        response["X-Content-SHA256"] = content.sha256
        return response


class FinishView(WorkerView):
    """Finish of the attempt."""

    def post(self, request: Request, attempt_id: UUID) -> Response:
        attempt = self.attempt(request, attempt_id)
        body = validated(FinishRequest, request, others_ignored=True)
        report = FinishReport(
            status=FinishStatus(body["status"]),
            log_end=body["log_end"],
            log_sha256=body["log_sha256"],
            log_missing=body["log_missing"],
            reason=FailureReason(body["reason"]) if body["reason"] else None,
            message=body["message"],
            detail=body["detail"],
            result=body["result"],
            exit_code=body["exit"]["code"],
            exit_signal=body["exit"]["signal"],
            peak_memory_bytes=body["peak_memory_bytes"],
            events=_events(body["events"]),
        )
        with storage_watched(attempt):
            status = attempt_finish(attempt_id=attempt.id, report=report)
        crash_point("finish.after_commit_before_answer")
        answer: FinishResponse = {"status": status}
        return Response(answer)
