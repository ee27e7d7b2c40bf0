"""Cache of models.

A model is fetched once, verified at every load, and unavailable to other projects. A killed process
or a full disk does not damage the cache.
"""

import hashlib
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from jobs.contract import FailureReason, WorkerLimits
from jobs.contract.protocol import ModelInput
from jobs.worker.client import ContentChanged
from jobs.worker.modelcache import (
    CHUNK_BYTES,
    LEFT_OVER_SECONDS,
    MAGIC,
    SALT_BYTES,
    TAG_BYTES,
    ModelCache,
    entry_bytes,
)
from jobs.worker.stopping import Stop
from jobs.worker.transfers import Transfers

MODEL = os.urandom(3_000_000)
SHA = hashlib.sha256(MODEL).hexdigest()
HEADER, SEALED = len(MAGIC) + SALT_BYTES, CHUNK_BYTES + TAG_BYTES
OURS, THEIRS = "11" * 32, "22" * 32
LARGE = 10**9


def _cache(folder: Path, key: str = OURS, limit: int = LARGE) -> ModelCache:
    return ModelCache(folder, key, limit_bytes=limit)


def _load(cache: ModelCache, sha256: str = SHA, size: int = len(MODEL)) -> bytes | None:
    target = io.BytesIO()
    found = cache.load(sha256, size, target)
    assert found or not target.getvalue()
    return target.getvalue() if found else None


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.model"))


def test_a_kept_model_is_loaded_and_stands_on_the_disk_encrypted(tmp_path: Path) -> None:
    _cache(tmp_path / "models").keep(SHA, len(MODEL), io.BytesIO(MODEL))
    assert _load(_cache(tmp_path / "models")) == MODEL
    (entry,) = _entries(tmp_path / "models")
    assert MODEL[:64] not in entry.read_bytes()
    assert SHA not in entry.name
    assert (entry.stat().st_mode & 0o777, entry.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_another_projects_key_neither_finds_nor_reads_an_entry(tmp_path: Path) -> None:
    _cache(tmp_path).keep(SHA, len(MODEL), io.BytesIO(MODEL))
    (entry,) = _entries(tmp_path)
    theirs = _cache(tmp_path, THEIRS)
    assert _load(theirs) is None
    theirs.keep(SHA, len(MODEL), io.BytesIO(MODEL))
    other = next(found for found in _entries(tmp_path) if found != entry)
    assert other.read_bytes()[16:] != entry.read_bytes()[16:]
    # the other project stores our file under the name that it looks for
    other.write_bytes(entry.read_bytes())
    assert _load(theirs) is None
    assert not other.exists()
    assert _load(_cache(tmp_path)) == MODEL


@pytest.mark.parametrize("at", [0, len(MAGIC), HEADER, 1_500_000, -1])
def test_a_changed_byte_is_noticed_and_the_entry_thrown_away(at: int, tmp_path: Path) -> None:
    cache = _cache(tmp_path)
    cache.keep(SHA, len(MODEL), io.BytesIO(MODEL))
    (entry,) = _entries(tmp_path)
    changed = bytearray(entry.read_bytes())
    changed[at] ^= 1
    entry.write_bytes(changed)
    assert _load(cache) is None
    assert not entry.exists()
    cache.keep(SHA, len(MODEL), io.BytesIO(MODEL))
    assert _load(cache) == MODEL


@pytest.mark.parametrize(
    "content", [b"", b"short", os.urandom(2_999_000), os.urandom(16) + MODEL + b"more"]
)
def test_an_entry_of_another_size_is_none(content: bytes, tmp_path: Path) -> None:
    cache = _cache(tmp_path)
    cache.keep(SHA, len(MODEL), io.BytesIO(MODEL))
    _entries(tmp_path)[0].write_bytes(content)
    assert _load(cache) is None


def test_an_entry_has_the_size_that_is_reserved_for_it(tmp_path: Path) -> None:
    for size in (0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES):
        model = MODEL[:size]
        sha = hashlib.sha256(model).hexdigest()
        cache = _cache(tmp_path / str(size))
        cache.keep(sha, size, io.BytesIO(model))
        assert _entries(tmp_path / str(size))[0].stat().st_size == entry_bytes(size)
        assert _load(cache, sha, size) == model


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry[: HEADER + SEALED],  # cut after a whole chunk
        lambda entry: (
            entry[:HEADER]
            + entry[HEADER + SEALED : HEADER + 2 * SEALED]
            + entry[HEADER : HEADER + SEALED]
            + entry[HEADER + 2 * SEALED :]
        ),
        lambda entry: entry + entry[HEADER : HEADER + SEALED],
        lambda entry: b"\0" * SALT_BYTES + MODEL,  # the format of version 0.1.0
    ],
    ids=["truncated", "reordered", "extended", "older"],
)
def test_no_byte_of_a_chunk_that_is_not_authentic_is_released(
    change: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    cache = _cache(tmp_path)
    cache.keep(SHA, len(MODEL), io.BytesIO(MODEL))
    (entry,) = _entries(tmp_path)
    entry.write_bytes(change(entry.read_bytes()))
    released: list[bytes] = []

    class Target(io.BytesIO):
        def write(self, data: Any) -> int:
            released.append(bytes(data))
            return super().write(data)

    assert not cache.load(SHA, len(MODEL), Target())
    assert MODEL.startswith(b"".join(released))
    assert not entry.exists()


def test_an_entry_under_another_entrys_name_is_refused(tmp_path: Path) -> None:
    other = MODEL[::-1]
    other_sha = hashlib.sha256(other).hexdigest()
    cache = _cache(tmp_path)
    cache.keep(SHA, len(MODEL), io.BytesIO(MODEL))
    (ours,) = _entries(tmp_path)
    cache.keep(other_sha, len(other), io.BytesIO(other))
    theirs = next(path for path in _entries(tmp_path) if path != ours)
    ours.write_bytes(theirs.read_bytes())
    target = io.BytesIO()
    assert not cache.load(SHA, len(MODEL), target)
    assert target.getvalue() == b""


def test_a_link_or_a_pipe_in_an_entrys_place_is_not_followed(tmp_path: Path) -> None:
    cache = _cache(tmp_path)
    cache.keep(SHA, len(MODEL), io.BytesIO(MODEL))
    (entry,) = _entries(tmp_path)
    entry.rename(tmp_path / "elsewhere")
    entry.symlink_to(tmp_path / "elsewhere")
    assert _load(cache) is None
    entry.unlink()
    os.mkfifo(entry)
    assert _load(cache) is None


def test_many_writers_and_readers_at_once_do_each_other_no_harm(tmp_path: Path) -> None:
    found: list[bytes | None] = []

    def work() -> None:
        cache = _cache(tmp_path)
        for _ in range(3):
            loaded = _load(cache)
            if loaded is None:
                cache.keep(SHA, len(MODEL), io.BytesIO(MODEL))
            found.append(loaded)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) <= {None, MODEL}
    assert [path.name for path in tmp_path.iterdir()] == [_entries(tmp_path)[0].name]


def test_a_writer_that_is_killed_before_the_rename_leaves_no_entry(tmp_path: Path) -> None:
    folder, crash = tmp_path / "models", tmp_path / "crash"
    crash.mkdir()
    (crash / "modelcache.before_rename.kill").touch()
    (tmp_path / "model").write_bytes(MODEL)
    code = (
        "import sys; from pathlib import Path; from jobs.worker.modelcache import ModelCache\n"
        f"ModelCache(Path(sys.argv[1]), '{OURS}', limit_bytes={LARGE}).keep('{SHA}', "
        f"{len(MODEL)}, open(sys.argv[2], 'rb'))"
    )
    # Like the supervisor, without site-packages, which the cache adds itself.
    argv = [sys.executable, "-S", "-c", code, str(folder), str(tmp_path / "model")]
    killed = subprocess.run(argv, env={**os.environ, "MIMIR_CRASH_POINTS": str(crash)}, check=False)
    assert killed.returncode == -9
    assert not _entries(folder)
    (left,) = folder.iterdir()
    cache = _cache(folder)
    assert _load(cache) is None
    assert subprocess.run(argv, check=False).returncode == 0
    assert _load(cache) == MODEL
    long_ago = time.time() - LEFT_OVER_SECONDS - 1
    os.utime(left, (long_ago, long_ago))
    cache.keep(SHA, len(MODEL), io.BytesIO(MODEL))
    assert not left.exists()


def test_what_was_used_longest_ago_goes_first_and_its_reader_keeps_it(tmp_path: Path) -> None:
    models = [os.urandom(1000) for _ in range(4)]
    shas = [hashlib.sha256(model).hexdigest() for model in models]
    cache = _cache(tmp_path, limit=3 * entry_bytes(1000))
    for index, (model, sha) in enumerate(zip(models[:3], shas, strict=False)):
        cache.keep(sha, 1000, io.BytesIO(model))
        newest = max(_entries(tmp_path), key=lambda path: path.stat().st_ctime_ns)
        os.utime(newest, (index, index))
    assert _load(cache, shas[0], 1000) == models[0]  # used just now
    readers = [path.open("rb") for path in _entries(tmp_path)]
    cache.keep(shas[3], 1000, io.BytesIO(models[3]))
    assert [_load(cache, sha, 1000) for sha in shas] == [models[0], None, models[2], models[3]]
    assert all(len(reader.read()) == entry_bytes(1000) for reader in readers)
    for reader in readers:
        reader.close()
    cache.keep(SHA, len(MODEL), io.BytesIO(MODEL))  # larger than the cache
    assert len(_entries(tmp_path)) == 3


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = _cache(tmp_path / "file" / "models")
    cache.keep(SHA, len(MODEL), io.BytesIO(MODEL))
    assert _load(cache) is None


class _Served:
    """Fake of the orchestrator's response to GET inputs/<name>."""

    def __init__(self, content: bytes) -> None:
        self.content, self.times = content, 0

    def get_input(self, name: str, file: IO[bytes], *, patience_seconds: float) -> None:  # noqa: ARG002 - the real one's
        self.times += 1
        file.write(self.content)
        if not self.content:
            raise ContentChanged(name)


def _fetch(tmp_path: Path, served: _Served, cache: ModelCache | None) -> Any:
    limits = WorkerLimits(*[1] * 10)
    facts: ModelInput = {
        "name": "model",
        "kind": "model",
        "model": "prices",
        "version": 3,
        "sha256": SHA,
        "size_bytes": len(MODEL),
        "signature": {
            "features": [],
            "target": {"name": "price", "type": "DOUBLE"},
            "task": "regression",
        },
    }
    client: Any = served
    transfers = Transfers(
        client,
        Stop(lambda: None),
        limits=limits,
        data_dir=tmp_path / "data",
        answer=lambda _: None,
        inputs=[facts],
        models=cache,
    )
    return transfers._answered({"call": 1, "fetch": "model"})


def test_a_model_is_fetched_once_and_what_the_claim_says_of_it_holds(tmp_path: Path) -> None:
    served, cache = _Served(MODEL), _cache(tmp_path / "models")
    for _ in range(3):
        assert Path(_fetch(tmp_path, served, cache)["path"]).read_bytes() == MODEL
    assert served.times == 1
    assert Path(_fetch(tmp_path, served, None)["path"]).read_bytes() == MODEL
    assert served.times == 2


@pytest.mark.parametrize("content", [b"", MODEL[:-1], MODEL[:-1] + b"\0\0", MODEL + b"x"])
def test_an_answer_that_is_not_the_claimed_model_is_not_given_to_the_workload(
    content: bytes, tmp_path: Path
) -> None:
    answer = _fetch(tmp_path, _Served(content), _cache(tmp_path / "models"))
    assert answer["error"]["reason"] == FailureReason.MODEL_CORRUPT
    assert (
        "The file of model prices version 3 is not the one that was stored"
        in answer["error"]["message"]
    )
    assert not (tmp_path / "models").exists()


def test_a_disk_that_does_not_give_an_entry_back_costs_a_download_and_not_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _cache(tmp_path).keep(SHA, len(MODEL), io.BytesIO(MODEL))

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("jobs.worker.modelcache._opened", lambda path: Broken())
    assert _load(_cache(tmp_path)) is None
