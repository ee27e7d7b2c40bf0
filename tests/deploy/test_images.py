"""Properties of each image, read from its Dockerfile, and completeness of its contents."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from tests.support.images import FOLDER, IMAGES, ROOT, copies, instructions, lay_out

each_image = pytest.mark.parametrize("image", IMAGES)
BARE = {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
ORCHESTRATOR = {
    "DATABASE_URL": "postgresql://localhost/none",
    "REDIS_URL": "redis://localhost",
    "WORKER_KEYS": "w" * 40,
    "FRONTEND_KEYS": "f" * 40,
    "LAUNCHER": "memory",
}
REQUIREMENTS = {
    "orchestrator": "requirements.txt",
    "frontend": "requirements/frontend.txt",
    "worker": "requirements/worker.txt",
}
STARTS = {
    "orchestrator": ["python", "-m", "mimir.serve", "orchestrator"],
    "frontend": ["python", "-m", "mimir.serve", "frontend"],
    "worker": ["python", "-S", "-m", "jobs.worker"],
}
LABELS = ("title", "description", "version", "revision", "source", "licenses")


def _texts(image: str, name: str, *, stage: int | None = None) -> list[str]:
    return [
        each.text
        for each in instructions(image)
        if each.name == name and stage in (None, each.stage)
    ]


@each_image
def test_the_base_is_an_argument_with_a_pinned_official_default_and_both_stages_use_it(
    image: str,
) -> None:
    first = instructions(image)[0]
    assert first.name == "ARG"
    assert re.fullmatch(
        r"BASE_IMAGE=docker\.io/library/python:3\.11\.\d+-slim-bookworm", first.text
    )
    assert _texts(image, "FROM") == ["${BASE_IMAGE} AS build", "${BASE_IMAGE}"]


def test_the_images_have_one_base() -> None:
    assert len({instructions(image)[0].text for image in IMAGES}) == 1


@each_image
def test_it_runs_as_a_numbered_user_that_is_not_root(image: str) -> None:
    assert _texts(image, "USER") == ["10001:10001"]
    after = [each.name for each in instructions(image)][-4:]
    assert "COPY" not in after[after.index("USER") :], (
        "what is copied later would be hard to tell from what the user may write"
    )


@each_image
def test_only_pinned_wheels_with_hashes_are_downloaded(image: str) -> None:
    assert _texts(image, "ADD") == []
    runs = " ".join(_texts(image, "RUN"))
    assert not re.search(r"\b(curl|wget|git|apt|apt-get|apk)\b", runs)
    assert re.findall(r"pip \S+ \S+ install (.*?-r \S+)", runs) == [
        (
            "-q --no-cache-dir --no-compile --only-binary :all: --require-hashes -r "
            f"{REQUIREMENTS[image]}"
        )
    ]
    pinned = re.split(r"\n(?=\S)", (ROOT / REQUIREMENTS[image]).read_text().strip())
    assert [
        entry for entry in pinned if not entry.startswith("#") and "--hash=sha256:" not in entry
    ] == []


@each_image
def test_nothing_runs_in_the_final_stage_which_has_no_tools_and_no_caches(
    image: str,
) -> None:
    assert _texts(image, "RUN", stage=2) == []
    owned = [text for text in _texts(image, "COPY", stage=2) if "--chown" in text]
    assert all(
        re.fullmatch(r"--from=build --chown=10001:10001 /folders/\w+ /app/\w+", text)
        for text in owned
    ), "code belongs to root"


@each_image
def test_it_starts_and_stops_as_its_role_does(image: str) -> None:
    started = [
        json.loads(each.text) for each in instructions(image) if each.name in ("ENTRYPOINT", "CMD")
    ]
    assert started == [STARTS[image]]
    assert _texts(image, "STOPSIGNAL") == ["SIGTERM"]
    assert {"PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=/app"} <= set(_texts(image, "ENV")[0].split())
    assert any("compileall" in text and "unchecked-hash" in text for text in _texts(image, "RUN"))


def test_the_orchestrator_which_has_no_worker_in_it_launches_on_a_cluster() -> None:
    assert "rm -r /app/jobs/worker" in _texts("orchestrator", "RUN")
    assert "LAUNCHER=kubernetes" in _texts("orchestrator", "ENV")[0].split()


@each_image
def test_it_has_byte_code_of_the_standard_library_which_its_base_lacks(
    image: str, tmp_path: Path
) -> None:
    """Run the build step that compiles it on a small standard library."""
    library = tmp_path / "lib/python3.11"
    for name in ("a.py", "package/b.py", "test/c.py", "site-packages/d.py"):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_text("x = 1\n")
    run = next(text for text in _texts(image, "RUN") if "get_path" in text)
    script = run[run.index("python3 -m compileall -q -f") : run.index("&& echo")]
    subprocess.run(
        ["sh", "-ec", script.replace(" /bytecode", f" {tmp_path}/bytecode").rstrip("& ")],
        env={"PATH": os.environ["PATH"], "stdlib": str(library)},
        check=True,
    )
    built = tmp_path / "bytecode" / library.relative_to("/")
    found = sorted(path.relative_to(built).parts for path in built.rglob("*.pyc"))
    tag = sys.implementation.cache_tag
    assert found == [("__pycache__", f"a.{tag}.pyc"), ("package", "__pycache__", f"b.{tag}.pyc")]
    assert "--from=build /bytecode /" in _texts(image, "COPY", stage=2)


@each_image
def test_it_has_labels_and_no_secret(image: str) -> None:
    labels = re.findall(
        r'org\.opencontainers\.image\.(\w+)="[^"]+"', " ".join(_texts(image, "LABEL"))
    )
    assert set(LABELS) <= set(labels)
    kept = " ".join(_texts(image, "ENV") + _texts(image, "ARG", stage=2) + _texts(image, "LABEL"))
    assert not re.search(r"KEY|TOKEN|PASSWORD|DATABASE_URL|REDIS_URL|PIP_", kept)


@each_image
def test_the_build_context_contains_the_copied_files(image: str) -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert {source.split("/")[0] for sources, _ in copies(image) for source in sources} <= sent


def test_the_worker_image_has_its_imports_and_nothing_of_the_server(tmp_path: Path) -> None:
    app = lay_out("worker", tmp_path / "app")
    held = {_module(path.relative_to(app)) for path in app.rglob("*.py")}
    graph = grimp.build_graph("jobs", "mimir", cache_dir=None)
    needed = (
        {"jobs.worker"}
        | graph.find_descendants("jobs.worker")
        | graph.find_upstream_modules("jobs.worker", as_package=True)
    )
    assert needed <= held
    assert {name for name in held if not name.startswith(("jobs.worker", "mimir.lib"))} == {
        "jobs",
        "jobs.contract",
        "jobs.contract.job_parameters",
        "jobs.contract.protocol",
        "mimir",
    }


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def test_every_module_of_the_worker_can_be_imported_in_its_image(
    tmp_path: Path,
) -> None:
    app = lay_out("worker", tmp_path / "app")
    code = (
        "import importlib, pkgutil, sys, jobs.worker\n"
        "names = [found.name for found in pkgutil.walk_packages(jobs.worker.__path__, "
        "'jobs.worker.') if not found.name.endswith('__main__')]\n"
        "[importlib.import_module(name) for name in names]\n"
        "print(*{module.__file__ for name, module in sys.modules.items() if name.split('.')[0] in "
        "('jobs', 'mimir')}, sep='\\n')\n"
        "print(*(name for name in sys.modules if name.split('.')[0] in ('django', "
        "'rest_framework', 'structlog', 'kubernetes')), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=app, env=BARE, capture_output=True, text=True, check=True
    )
    files = ran.stdout.split()
    assert len(files) > 30
    assert [file for file in files if not Path(file).is_relative_to(app)] == []
    assert ran.stderr.strip() == ""


def test_the_orchestrator_finds_all_its_code_in_its_image(tmp_path: Path) -> None:
    app = lay_out("orchestrator", tmp_path / "app")
    code = (
        "import mimir.serve, mimir.asgi_orchestrator\n"  # also loads the routes of WebSockets
        "from django.core.management import call_command, get_commands, load_command_class\n"
        "ours = {name: app for name, app in get_commands().items() if app in ('jobs', 'projects', "
        "'monitoring')}\n"
        "[load_command_class(app, name) for name, app in ours.items()]\n"
        "call_command('check')\n"  # loads the routes of requests
        "print(*ours)"
    )
    environment = {
        **BARE,
        **ORCHESTRATOR,
        "SECRET_KEY": "s" * 40,
        "DJANGO_SETTINGS_MODULE": "mimir.settings.orchestrator",
    }
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=app, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert {"dispatcher", "reconciler", "bootstrap_admin"} <= set(ran.stdout.split())


def test_the_frontend_finds_all_its_code_in_its_image(tmp_path: Path) -> None:
    app = lay_out("frontend", tmp_path / "app")
    code = (
        "import mimir.serve, mimir.asgi_frontend\n"
        "from django.core.management import call_command\n"
        "from django.template import engines\n"
        "from pathlib import Path\n"
        "call_command('check')\n"
        "[engines['django'].get_template(str(path.relative_to('templates'))) for path in "
        "Path('templates').rglob('*.html')]"
    )
    environment = {
        **BARE,
        "SECRET_KEY": "s" * 40,
        "FRONTEND_KEYS": "f" * 40,
        "DJANGO_SETTINGS_MODULE": "mimir.settings.frontend",
    }
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=app, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr


def test_every_image_has_a_folder_and_every_folder_is_built() -> None:
    assert {path.parent.name for path in FOLDER.glob("*/Dockerfile")} == set(IMAGES)
    assert "orchestrator frontend worker" in (FOLDER / "build.sh").read_text()
