"""Training, inference and twin updates for the chaos tests, with their expected outcomes."""

import uuid
from typing import Any

from tests.support.stack import TERMINAL, Stack
from tests.support.waiting import wait_for

ROWS, TOWNS, PATIENCE_SECONDS = 60, 12, 60.0
KINDS = ("ml_training", "ml_inference", "digital_twin_update")
SHARED = (
    "shared"  # the twin that many jobs of a project update, in turn with two versions of its data
)
DEFINITION = {
    "types": [
        {
            "name": "town",
            "key": {"name": "name"},
            "properties": [
                {"name": "people", "type": "integer"},
                {"name": "wind", "type": "number", "unit": "m/s"},
            ],
        }
    ]
}


def _weather() -> str:
    return "wind,sky,power\n" + "".join(
        f"{n % 17},{'clear' if n % 3 else 'grey'},{2 * (n % 17) + n % 3}\n" for n in range(ROWS)
    )


def _towns(version: int) -> str:
    return "name,people,wind\n" + "".join(
        f"town{n:02},{1000 * version + n},{n / 2}\n" for n in range(TOWNS)
    )


def prepare(stack: Stack, project: str) -> str:
    """Create data, a model and a twin for a project. Return the job that trained the model."""
    stack.project(project)
    _upload(stack, project, "weather", _weather())
    for version in (1, 2):
        _upload(stack, project, "towns", _towns(version))
    _twin(stack, project, SHARED)
    job = submit(
        stack,
        project,
        "ml_training",
        {"dataset": "weather", "target": "power", "model": "base", "algorithm": "linear"},
    )
    ended = wait_for(
        lambda: (shown := stack.job(job))["status"] in TERMINAL and shown,
        "the model that others use is trained",
        120,
    )
    assert ended["status"] == "succeeded", ended["message"]
    return job


def job_of(
    stack: Stack, project: str, kind: str, *, shared: bool = False, version: int = 1
) -> tuple[str, str]:
    """Submit a job of a kind with a new output, or for the project's shared twin.

    Return the job and the name of its output.
    """
    name = SHARED if shared else f"x{uuid.uuid4().hex[:12]}"
    if kind == "digital_twin_update" and not shared:
        _twin(stack, project, name)
    parameters: dict[str, dict[str, Any]] = {
        "ml_training": {
            "dataset": "weather",
            "target": "power",
            "model": name,
            "algorithm": "linear",
        },
        "ml_inference": {"model": "base", "dataset": "weather", "output": name, "keys": ["wind"]},
        "digital_twin_update": {
            "twin": name,
            "dataset": "towns",
            "version": version,
            "type": "town",
            "key": "name",
            "properties": {"people": "people", "wind": "wind"},
        },
    }
    return submit(stack, project, kind, parameters[kind]), name


def submit(stack: Stack, project: str, kind: str, parameters: dict[str, Any]) -> str:
    """Submit a job. Return its id."""
    body = {"type": kind, "parameters": parameters}
    answer = stack.call(
        "POST",
        f"/api/v1/projects/{project}/jobs/",
        PATIENCE_SECONDS,
        json=body,
        headers={"Idempotency-Key": uuid.uuid4().hex},
    )
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["id"])


def outcome_faults(
    stack: Stack, project: str, kind: str, name: str, shown: dict[str, Any]
) -> list[str]:
    """Return the faults of a job's outcome, which must exist once if it succeeded, otherwise not at
    all.
    """
    won = shown["status"] == "succeeded"
    judge = {
        "ml_training": _model_faults,
        "ml_inference": _dataset_faults,
        "digital_twin_update": _twin_faults,
    }[kind]
    if kind == "digital_twin_update" and name == SHARED:
        return []  # checked as a whole at the end, by `shared_twin_faults`
    return judge(stack, project, name, shown, won=won)


def shared_twin_faults(stack: Stack, project: str, succeeded: dict[str, Any]) -> list[str]:
    """Return the faults of the shared twin: its revision numbers have no gaps, one successful job
    made and reported each, and its state is that of the last.

    `succeeded`: results of the jobs that updated it, by job.
    """
    revisions = list(reversed(_all(stack, f"/api/v1/projects/{project}/twins/{SHARED}/revisions/")))
    found = []
    if [row["number"] for row in revisions] != list(range(1, len(revisions) + 1)):
        found.append(f"its revisions are numbered {[row['number'] for row in revisions]}")
    updates = [row for row in revisions if row["job"] is not None]
    created = {
        job: result["revision"]
        for job, result in succeeded.items()
        if result["created"] + result["changed"] + result["removed"]
    }
    if len({row["job"] for row in updates}) != len(updates):
        found.append("a job made two revisions of it")
    if {row["job"]: row["number"] for row in updates} != created:
        found.append(
            f"its revisions are {[(row['job'], row['number']) for row in updates]}, its jobs say "
            f"{created}"
        )
    if updates:
        found += _state_faults(stack, project, SHARED, updates[-1]["dataset"]["version"])
    return [f"the twin of {project}: {sentence}" for sentence in found]


def _model_faults(
    stack: Stack, project: str, name: str, shown: dict[str, Any], *, won: bool
) -> list[str]:
    answer = stack.call("GET", f"/api/v1/projects/{project}/models/{name}/")
    versions = [] if answer.status_code == 404 else answer.json()["versions"]
    found = [] if len(versions) == int(won) else [f"its model has {len(versions)} versions"]
    if won and versions:
        content = stack.call("GET", f"/api/v1/projects/{project}/models/{name}/versions/1/content/")
        if content.status_code != 200 or len(content.content) != versions[0]["size_bytes"]:
            found.append("its model's file is not whole")
        if (versions[0]["job"], shown["result"]["version"]) != (shown["id"], 1):
            found.append(f"its model does not say that this job made it: {versions[0]['job']}")
    return found


def _dataset_faults(
    stack: Stack, project: str, name: str, shown: dict[str, Any], *, won: bool
) -> list[str]:
    versions = stack.versions(name, project=project)
    found = [] if versions == int(won) else [f"its predictions have {versions} versions"]
    if won and versions and stack.rows_of(name, project=project) != ROWS:
        found.append("its predictions are not as many as the rows")
    return found


def _twin_faults(
    stack: Stack, project: str, name: str, shown: dict[str, Any], *, won: bool
) -> list[str]:
    revisions = [
        row
        for row in _all(stack, f"/api/v1/projects/{project}/twins/{name}/revisions/")
        if row["job"] is not None
    ]
    found = (
        [] if len(revisions) == int(won) else [f"its twin has {len(revisions)} revisions of jobs"]
    )
    if won and revisions:
        if (revisions[0]["job"], revisions[0]["created"]) != (shown["id"], TOWNS):
            found.append(f"its revision is {revisions[0]}")
        found += _state_faults(stack, project, name, 1)
    elif not won and _all(stack, f"/api/v1/projects/{project}/twins/{name}/entities/"):
        found.append("its twin has entities although it did not succeed")
    return found


def _state_faults(stack: Stack, project: str, name: str, version: int) -> list[str]:
    state = {
        row["key"]: row["values"]["people"]
        for row in _all(stack, f"/api/v1/projects/{project}/twins/{name}/entities/")
    }
    expected = {f"town{n:02}": 1000 * version + n for n in range(TOWNS)}
    return (
        []
        if state == expected
        else [f"its entities are {state}, version {version} of the data says {expected}"]
    )


def _all(stack: Stack, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    following: str | None = path
    while following:
        answer = stack.call("GET", following)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        rows, following = rows + page["results"], page["next"]
    return rows


def _upload(stack: Stack, project: str, name: str, text: str) -> None:
    files = {"file": (f"{name}.csv", text.encode())}
    answer = stack.call(
        "POST",
        f"/api/v1/projects/{project}/datasets/",
        PATIENCE_SECONDS,
        data={"name": name},
        files=files,
    )
    assert answer.status_code == 201, answer.text


def _twin(stack: Stack, project: str, name: str) -> None:
    """Create a twin, or accept the one of an earlier request without a response."""
    body = {"name": name, "definition": DEFINITION}
    answer = stack.call("POST", f"/api/v1/projects/{project}/twins/", PATIENCE_SECONDS, json=body)
    there = stack.call("GET", f"/api/v1/projects/{project}/twins/{name}/").status_code == 200
    assert answer.status_code == 201 or there, answer.text
