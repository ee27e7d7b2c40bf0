"""Contract of a Kubernetes API, with the official client: Jobs and refusals.

Runs against the fake; with MIMIR_E2E=1 against the cluster of KUBECONFIG.
"""

from typing import Any

import pytest
import urllib3

from tests.fakes.support import POD, Target, changed, name_of, plain_job

UUID = "00000000-0000-4000-8000-000000000000"


def test_a_created_job_has_its_identity_and_its_defaults(target: Target) -> None:
    job = plain_job()

    answer = target.jobs.create(job, fieldValidation="Strict")

    assert answer.status == 201
    meta, spec = answer.json["metadata"], answer.json["spec"]
    assert meta["uid"]
    assert int(meta["resourceVersion"]) > 0
    assert meta["generation"] == 1
    assert meta["creationTimestamp"].endswith("Z")
    assert spec["selector"]["matchLabels"] == {"batch.kubernetes.io/controller-uid": meta["uid"]}
    assert spec["template"]["metadata"]["labels"]["batch.kubernetes.io/job-name"] == name_of(job)
    assert (spec["completionMode"], spec["suspend"], spec["parallelism"]) == (
        "NonIndexed",
        False,
        1,
    )


def test_the_same_name_twice_already_exists(target: Target) -> None:
    job = plain_job()
    first = target.jobs.create(job).json

    answer = target.jobs.create(job)

    assert answer.status == 409
    assert (answer.json["reason"], answer.json["code"]) == ("AlreadyExists", 409)
    assert target.jobs.get("jobs", name_of(job)).json["metadata"]["uid"] == first["metadata"]["uid"]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_missing_object_is_not_found(target: Target, method: str) -> None:
    answer = target.jobs.call(method, target.jobs.path("jobs", "nothing"))

    assert answer.status == 404
    assert answer.json["reason"] == "NotFound"
    assert answer.json["details"] == {"name": "nothing", "group": "batch", "kind": "jobs"}


@pytest.mark.parametrize(
    ("path", "value", "status", "says"),
    [
        ("spec.templat", {}, 400, 'unknown field "spec.templat"'),
        (
            f"{POD}.containers.0.imagePullPolicies",
            "Never",
            400,
            'unknown field "spec.template.spec.containers[0].imagePullPolicies"',
        ),
        ("spec.backoffLimit", "0", 400, "cannot unmarshal string"),
        (f"{POD}.containers.0.resources.limits.memory", "12Q", 400, "quantities must match"),
        (f"{POD}.containers.0.env.0.value", 3, 400, "cannot unmarshal number"),
        ("spec.backoffLimit", -1, 422, "spec.backoffLimit: Invalid value: -1"),
        (f"{POD}.restartPolicy", "Always", 422, "spec.template.spec.restartPolicy"),
        (f"{POD}.containers", [], 422, "spec.template.spec.containers: Required value"),
        (
            f"{POD}.containers.0.image",
            "",
            422,
            "spec.template.spec.containers[0].image: Required value",
        ),
        (f"{POD}.containers.0.imagePullPolicy", "Sometimes", 422, 'Unsupported value: "Sometimes"'),
        (
            f"{POD}.containers.0.resources.requests.cpu",
            "2",
            422,
            "must be less than or equal to cpu limit",
        ),
        (
            f"{POD}.containers.0.volumeMounts",
            [{"name": "data", "mountPath": "/data"}],
            422,
            'volumeMounts[0].name: Not found: "data"',
        ),
        ("spec.podReplacementPolicy", "TerminatingOrFailed", 422, "spec.podReplacementPolicy"),
        ("metadata.name", "Worker_1", 422, "a lowercase RFC 1123 subdomain"),
        (
            "metadata.labels.job-type",
            "pipeline execution",
            422,
            "a valid label must be an empty string or consist of",
        ),
        ("metadata.labels.job-type", "a" * 64, 422, "must be no more than 63"),
    ],
)
def test_an_invalid_job_is_refused_with_the_reason(
    target: Target, path: str, value: Any, status: int, says: str
) -> None:
    answer = target.jobs.create(
        changed(plain_job("refused"), path, value), fieldValidation="Strict"
    )

    assert answer.status == status
    assert says in answer.json["message"]
    assert answer.json["reason"] == {400: "BadRequest", 422: "Invalid"}[status]
    assert target.jobs.list("jobs")["items"] == []


def test_an_unknown_field_is_dropped_with_a_warning_unless_strict(target: Target) -> None:
    answer = target.jobs.create(changed(plain_job(), "spec.templat", {}))

    assert answer.status == 201
    assert (
        'unknown field \\"spec.templat\\"' in answer.headers["Warning"]
        or 'unknown field "spec.templat"' in answer.headers["Warning"]
    )
    assert "templat" not in answer.json["spec"]


def test_a_missing_namespace_is_not_found(target: Target) -> None:
    answer = target.jobs.call("POST", "/apis/batch/v1/namespaces/mimir-nowhere/jobs", plain_job())

    assert answer.status == 404
    assert answer.json["message"] == 'namespaces "mimir-nowhere" not found'


def test_the_pod_template_of_a_job_cannot_be_changed(target: Target) -> None:
    job = plain_job()
    target.jobs.create(job)
    patch = {"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}}

    answer = target.jobs.call(
        "PATCH",
        target.jobs.path("jobs", name_of(job)),
        patch,
        content_type="application/merge-patch+json",
    )

    assert answer.status == 422
    assert "field is immutable" in answer.json["message"]


def test_a_job_with_another_uid_is_not_deleted(target: Target) -> None:
    job = plain_job()
    target.jobs.create(job)

    answer = target.jobs.delete("jobs", name_of(job), preconditions={"uid": UUID})

    assert (answer.status, answer.json["reason"]) == (409, "Conflict")
    assert target.jobs.get("jobs", name_of(job)).status == 200


def test_a_quota_on_jobs_refuses_the_next_one(target: Target) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few"},
        "spec": {"hard": {"count/jobs.batch": "0"}},
    }
    assert target.jobs.call("POST", target.jobs.path("resourcequotas"), quota).status == 201
    target.until(
        "resourcequotas",
        lambda: target.fake or target.jobs.get("resourcequotas", "few").json["status"].get("hard"),
    )

    answer = target.jobs.create(plain_job("too-many"))

    assert (answer.status, answer.json["reason"]) == (403, "Forbidden")
    assert (
        "exceeded quota: few, requested: count/jobs.batch=1, used: count/jobs.batch=0, "
        "limited: count/jobs.batch=0"
    ) in answer.json["message"]


def test_requests_without_the_token_are_rejected(target: Target) -> None:
    at = target.jobs.api.configuration
    stranger = urllib3.PoolManager(ca_certs=at.ssl_ca_cert)
    answer = stranger.request(
        "GET", at.host + target.jobs.path("jobs"), headers={"Authorization": "Bearer no"}
    )
    stranger.clear()

    assert answer.status == 401
    assert b'"reason":"Unauthorized"' in answer.data.replace(b": ", b":")
