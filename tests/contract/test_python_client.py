"""The Python client that openapi-python-client generates from the served OpenAPI document works
unedited.
"""

import importlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.contract.conftest import Api, command
from tests.support.stack import Stack

PACKAGE = "generated_mimir_client"
SLUG = "python-client"
NUMBERS = b"n,word\n1,one\n2,two\n3,three\n"


class Generated:
    """Generated package, with its modules by name."""

    def api(self, name: str) -> ModuleType:
        """Return a function of the API by name, such as `projects.jobs_submit`."""
        return importlib.import_module(f"{PACKAGE}.api.{name}")

    def model(self, name: str) -> Any:
        return getattr(importlib.import_module(f"{PACKAGE}.models"), name)

    def client(self, url: str, token: str | None) -> Any:
        package = importlib.import_module(f"{PACKAGE}.client")
        return (
            package.AuthenticatedClient(base_url=url, token=token)
            if token
            else package.Client(base_url=url)
        )

    def file(self, content: bytes, name: str) -> Any:
        return importlib.import_module(f"{PACKAGE}.types").File(
            payload=io.BytesIO(content), file_name=name, mime_type="text/csv"
        )


@pytest.fixture(scope="module")
def generated(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generated]:
    """Generate the client and fail on any warning about an ignored part of the document."""
    folder = tmp_path_factory.mktemp("python-client")
    served = stack.client.get("/api/schema/", headers={"Accept": "application/json"})
    (folder / "openapi.json").write_bytes(served.content)
    (folder / "config.yml").write_text("post_hooks: []\n")
    program = Path(sys.executable).parent / "openapi-python-client"
    done = subprocess.run(
        [
            program,
            "generate",
            "--path",
            "openapi.json",
            "--config",
            "config.yml",
            "--output-path",
            PACKAGE,
            "--meta",
            "none",
            "--fail-on-warning",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not any(
        word in done.stdout + done.stderr for word in ("Unable", "WARNING", "removal")
    ), done.stdout
    sys.path.insert(0, str(folder))
    try:
        yield Generated()
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]


@pytest.fixture(scope="module")
def client(stack: Stack, generated: Generated) -> Any:
    """Sign in with the generated client and return it."""
    url = stack.described["frontend_url"]
    signed = generated.api("session.session_create").sync(
        client=generated.client(url, None),
        body=generated.model("SessionRequest")(
            username=stack.described["username"], password=stack.described["password"]
        ),
    )
    return generated.client(url, signed.token)


@pytest.fixture(scope="module")
def slug(generated: Generated, client: Any) -> str:
    body = generated.model("ProjectRequest")(
        slug=SLUG, name="Python client", description="ä, 한국어"
    )
    created = generated.api("projects.projects_create").sync(client=client, body=body)
    assert (created.slug, created.description) == (SLUG, "ä, 한국어")
    upload = generated.model("UploadRequest")(
        name="numbers", file=generated.file(NUMBERS, "numbers.csv")
    )
    version = (
        generated.api("projects.datasets_upload")
        .sync(slug=SLUG, client=client, body=upload)
        .version
    )
    assert (version.number, version.row_count, [column.name for column in version.schema]) == (
        1,
        3,
        ["n", "word"],
    )
    return SLUG


def test_every_module_can_be_imported(generated: Generated, stack: Stack) -> None:
    served = stack.client.get("/api/schema/", headers={"Accept": "application/json"}).json()
    operations = {
        operation["operationId"] for path in served["paths"].values() for operation in path.values()
    }
    root = Path(str(importlib.import_module(f"{PACKAGE}.api").__file__)).parent
    modules = {path.stem for path in root.rglob("*.py")} - {"__init__"}
    assert modules == operations
    for path in root.rglob("*.py"):
        importlib.import_module(
            f"{PACKAGE}.api." + ".".join(path.relative_to(root).with_suffix("").parts)
        )
    importlib.import_module(f"{PACKAGE}.models")


def test_lists_rows_and_downloads(generated: Generated, client: Any, slug: str) -> None:
    projects = generated.api("projects.projects_list").sync(client=client, limit=200).results
    assert slug in [project.slug for project in projects]
    rows = generated.api("projects.datasets_rows").sync(
        slug=slug, name="numbers", number="latest", client=client, limit=2
    )
    assert (rows.rows, rows.truncated) == ([[1, "one"], [2, "two"]], True)
    content = generated.api("projects.datasets_content").sync_detailed(
        slug=slug, name="numbers", number="1", client=client
    )
    assert (content.status_code, content.content) == (200, NUMBERS)
    part = generated.api("projects.datasets_content").sync_detailed(
        slug=slug, name="numbers", number="1", client=client, range_="bytes=2-5"
    )
    assert (part.status_code, part.content) == (206, NUMBERS[2:6])


def test_a_job_is_submitted_waited_for_and_read(
    generated: Generated, client: Any, slug: str
) -> None:
    script = "open('outputs/made.txt', 'w').write('made here')"
    definition = {"steps": [command("say", ["python3", "-c", script])]}
    saved = generated.model("PipelineRequest").from_dict(
        {"name": "makes", "definition": definition}
    )
    assert (
        generated.api("projects.pipelines_save")
        .sync(slug=slug, client=client, body=saved)
        .version.number
        == 1
    )
    request = generated.model("PipelineExecutionRequest").from_dict(
        {
            "type": "pipeline_execution",
            "parameters": {"pipeline": "makes"},
            "labels": {"by": "client"},
        }
    )
    job = generated.api("projects.jobs_submit").sync(
        slug=slug, client=client, body=request, idempotency_key="once"
    )
    for _ in range(3):
        job = generated.api("jobs.jobs_read").sync(job_id=job.id, client=client, wait=25.0)
    assert (job.status, job.result.steps[0].id, job.labels["by"]) == (
        "succeeded",
        "say",
        "client",
    ), job
    [artifact] = generated.api("jobs.jobs_artifacts").sync(job_id=job.id, client=client).results
    created = generated.api("jobs.jobs_artifact").sync(
        job_id=job.id, name=artifact.name, client=client
    )
    assert created.payload.read() == b"made here"
    statuses = generated.model("JobsListStatusItem")
    found = generated.api("projects.jobs_list").sync(
        slug=slug, client=client, status=[statuses("succeeded"), statuses("failed")]
    )
    assert [row.id for row in found.results] == [job.id]


REQUESTS: list[tuple[str, dict[str, Any], str]] = [
    ("PipelineExecutionRequest", {"pipeline": "none"}, "parameters.pipeline"),
    ("MlTrainingRequest", {"dataset": "numbers", "target": "n", "model": "m", "algorithm": "random_forest",  # noqa: E501
                           "hyperparameters": {"max_features": "sqrt", "max_depth": None, "n_estimators": 5}}, ""),  # noqa: E501
    ("MlTrainingRequest", {"dataset": "numbers", "target": "n", "model": "m", "algorithm": "random_forest",  # noqa: E501
                           "hyperparameters": {"max_features": 0.5}}, ""),
    ("MlTrainingRequest", {"dataset": "none", "target": "n", "model": "m"}, "parameters.dataset"),
    ("MlInferenceRequest", {"model": "none", "dataset": "numbers", "output": "o", "keys": ["n"]}, "parameters.model"),  # noqa: E501
    ("DigitalTwinUpdateRequest", {"twin": "none", "dataset": "numbers", "type": "x", "key": "n", "properties": {"a": "b"}}, "parameters.twin"),  # noqa: E501
]  # fmt: skip
TYPES = {
    "PipelineExecutionRequest": "pipeline_execution",
    "MlTrainingRequest": "ml_training",
    "MlInferenceRequest": "ml_inference",
}


@pytest.mark.parametrize(("name", "parameters", "fault"), REQUESTS)
def test_each_type_of_job_has_its_request_and_errors_are_typed(
    generated: Generated, client: Any, slug: str, name: str, parameters: dict[str, Any], fault: str
) -> None:
    body = {
        "type": TYPES.get(name, "digital_twin_update"),
        "parameters": parameters,
        "name": "n",
        "priority": "low",
    }
    request = generated.model(name).from_dict(body)
    assert {key: value for key, value in request.to_dict().items() if key in body} == body
    answer = generated.api("projects.jobs_submit").sync_detailed(
        slug=slug, client=client, body=request, dry_run=True
    )
    if fault:
        assert isinstance(answer.parsed, generated.model("Error")), json.loads(answer.content)
        assert (answer.status_code, fault in answer.parsed.detail.to_dict()) == (400, True), (
            answer.content
        )
    else:
        assert isinstance(answer.parsed, generated.model("DryRun")), answer.content
        assert answer.parsed.valid


def test_an_edit_with_a_stale_etag_is_a_typed_error(
    generated: Generated, client: Any, slug: str, api: Api
) -> None:
    first = generated.api("projects.projects_read").sync_detailed(slug=slug, client=client)
    etag = first.headers["etag"]
    change = generated.model("ProjectChange")(description="new")
    update = generated.api("projects.projects_update")
    assert (
        update.sync_detailed(slug=slug, client=client, body=change, if_match=etag).status_code
        == 200
    )
    refused = update.sync(slug=slug, client=client, body=change, if_match=etag)
    assert (type(refused).__name__, refused.code) == ("Error", "precondition_failed")
    assert api("GET", f"projects/{slug}/", headers={"If-None-Match": etag}).status_code == 200
