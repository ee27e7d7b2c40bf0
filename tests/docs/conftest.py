"""One installation for the examples of the documentation, with the project of the demo."""

from collections.abc import Iterator

import pytest

from mimir.lib import sample
from tests.support.stack import Stack, running


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from running(tmp_path_factory.mktemp("docs"), CAPACITY_JOBS="4")


@pytest.fixture(scope="package")
def demo(stack: Stack) -> str:
    """Return the path of the demo's project, with its dataset, pipeline results and twin."""
    base = f"/api/v1/projects/{stack.project(sample.PROJECT)}/"
    files = {"file": (sample.FILE.name, sample.FILE.read_bytes(), "text/csv")}
    sent = stack.call("POST", f"{base}datasets/", data={"name": sample.DATASET}, files=files)
    assert sent.status_code == 201, sent.text
    for folder, name, definition in (
        ("pipelines", sample.PIPELINE, sample.DEFINITION),
        ("twins", sample.TWIN, sample.TWIN_DEFINITION),
    ):
        body = {"name": name, "definition": definition}
        saved = stack.call("POST", f"{base}{folder}/", json=body)
        assert saved.status_code == 201, saved.text
    job = stack.call("POST", f"{base}jobs/", json=sample.JOBS[0]).json()
    ended = stack.end_of(job["id"], 200)
    assert ended["status"] == "succeeded", (ended["message"], stack.log(job["id"]).text[-2000:])
    return base
