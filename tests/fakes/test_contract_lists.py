"""Contract of a Kubernetes API: lists, selectors, pages and watches."""

import itertools

import pytest

from tests.fakes.support import Target, changed, name_of, plain_job


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("attempt=1", {"a", "b"}),
        ("attempt==2", {"c"}),
        ("attempt!=1", {"c", "d"}),
        ("attempt", {"a", "b", "c"}),
        ("!attempt", {"d"}),
        ("attempt in (1,2),kind=x", {"a", "c"}),
        ("attempt notin (1)", {"c", "d"}),
        ("attempt=3", set()),
    ],
)
def test_a_list_is_filtered_by_labels(target: Target, selector: str, found: set[str]) -> None:
    for name, labels in {
        "a": {"attempt": "1", "kind": "x"},
        "b": {"attempt": "1", "kind": "y"},
        "c": {"attempt": "2", "kind": "x"},
        "d": {"kind": "x"},
    }.items():
        assert (
            target.jobs.create(
                changed(plain_job(name, suspend=True), "metadata.labels", labels)
            ).status
            == 201
        )

    assert {
        name_of(job) for job in target.jobs.list("jobs", labelSelector=selector)["items"]
    } == found


def test_an_invalid_selector_is_rejected(target: Target) -> None:
    assert target.jobs.call("GET", target.jobs.path("jobs"), labelSelector="a in (").status == 400
    assert (
        target.jobs.call("GET", target.jobs.path("jobs"), fieldSelector="spec.nothing=1").status
        == 400
    )


def test_the_pages_of_a_list_are_one_snapshot(target: Target) -> None:
    for index in range(5):
        target.jobs.create(plain_job(f"job-{index}", suspend=True))
    pages = [target.jobs.list("jobs", limit=2)]
    target.jobs.create(plain_job("job-9", suspend=True))
    while token := pages[-1]["metadata"].get("continue"):
        pages.append(target.jobs.list("jobs", **{"limit": 2, "continue": token}))

    assert [[name_of(job) for job in page["items"]] for page in pages] == [
        ["job-0", "job-1"],
        ["job-2", "job-3"],
        ["job-4"],
    ]
    assert len({page["metadata"]["resourceVersion"] for page in pages}) == 1
    assert pages[0]["metadata"]["remainingItemCount"] == 3
    assert pages[0]["kind"] == "JobList"
    assert "kind" not in pages[0]["items"][0]


def test_a_watch_continues_from_a_list_in_order(target: Target) -> None:
    target.jobs.create(plain_job("before", suspend=True))
    version = target.jobs.list("jobs")["metadata"]["resourceVersion"]
    target.jobs.create(plain_job("one", suspend=True))
    target.jobs.create(
        changed(plain_job("other", suspend=True), "metadata.labels", {"app": "other"})
    )
    target.jobs.delete("jobs", "one", propagationPolicy="Background")

    types = []
    for event in target.jobs.watch(
        "jobs", version, labelSelector="app=mimir-aip", timeoutSeconds=30
    ):
        types.append(event)
        if event["type"] == "DELETED":
            break

    assert {name_of(event["object"]) for event in types} == {"one"}
    assert (types[0]["type"], types[0]["object"]["kind"]) == ("ADDED", "Job")
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in types]
    assert versions == sorted(set(versions))
    assert versions[0] > int(version)


def test_a_watch_without_a_version_starts_with_the_existing_objects(target: Target) -> None:
    for name in ("one", "two"):
        target.jobs.create(plain_job(name, suspend=True))

    events = list(itertools.islice(target.jobs.watch("jobs", "", timeoutSeconds=30), 2))

    assert {(event["type"], name_of(event["object"])) for event in events} == {
        ("ADDED", "one"),
        ("ADDED", "two"),
    }


def test_a_watch_from_an_expired_version_gets_410(target: Target) -> None:
    first = next(target.jobs.watch("jobs", "1", timeoutSeconds=30))

    assert first["type"] in ("ERROR", "HTTP")
    assert (first["object"]["kind"], first["object"]["code"]) == ("Status", 410)


def test_a_watch_ends_after_its_timeout(target: Target) -> None:
    version = target.jobs.list("jobs")["metadata"]["resourceVersion"]

    assert list(target.jobs.watch("jobs", version, timeoutSeconds=1)) == []
