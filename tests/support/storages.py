"""Both kinds of artifact storage, for tests that must pass with a folder and with a bucket."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import buckets


@pytest.fixture(params=["folder", "bucket"])
def each_storage(
    request: pytest.FixtureRequest, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Use an empty artifact storage of this kind, exclusive to the test."""
    if request.param == "bucket":
        request.getfixturevalue("bucket")
    else:
        settings.STORAGES = {**settings.STORAGES, "artifacts": _folder(tmp_path)}
    return str(request.param)


def _folder(tmp_path: Any) -> dict[str, Any]:
    (tmp_path / "artifacts").mkdir()
    return {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(tmp_path / "artifacts")},
    }


@pytest.fixture
def bucket(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Use a new bucket as artifact storage of the test, and return its name."""
    for name, value in buckets.KEYS.items():
        monkeypatch.setenv(name, value)
    made = buckets.bucket_make()
    settings.STORAGES = {**settings.STORAGES, "artifacts": buckets.options(made)}
    yield made
    buckets.order()
