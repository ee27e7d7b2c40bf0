"""`make screenshots`: every page, light and dark, wide and phone, into var/screenshots. An argument
selects the pages whose name contains it.

`python -m tests.screenshots readme` takes the pictures of the README, into docs/images.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page

from mimir.dev.paths import ROOT
from mimir.lib.sample import DATASET, FORECAST, HISTORY, MODEL, PIPELINE, PROJECT, RECENT
from mimir.lib.sample import TWIN as SAMPLE_TWIN
from tests.screenshots import acts
from tests.screenshots.showcase import STATIONS, Showcase
from tests.support.browser import PHONE, WIDE, browser, context_of, sign_in
from tests.support.stack import Stack, running
from tests.support.waiting import wait_for

OUT = ROOT / "var" / "screenshots"
README_OUT = ROOT / "docs" / "images"
README = (  # name, page, theme, window, height in CSS pixels
    ("job-out-of-memory-dark", "job-memory", "dark", WIDE, 900),
    ("job-running-light", "job-running", "light", WIDE, 1060),
    ("job-running-phone-dark", "job-running", "dark", PHONE, 844),
    ("job-waiting-light", "job-waiting", "light", WIDE, 800),
    ("jobs-dark", "jobs", "dark", WIDE, 1000),
    ("model-light", "model", "light", WIDE, 1000),
    ("pipeline-fault-light", "pipeline-errors", "light", WIDE, 920),
    ("twin-entity-dark", "twin-entity", "dark", WIDE, 900),
)
TALLEST = 2400  # height limit of an endless page, in CSS pixels
BETWEEN = [
    {"width": width, "height": 900} for width in (320, 860, 1180)
]  # where the layout changes: light, and these pages only
AT_BETWEEN = (
    "project",
    "jobs",
    "job-running",
    "job-failed",
    "job-waiting",
    "job-long",
    "dataset-wide",
    "pipeline-errors",
    "submit-errors",
    "submit-training",
)

Act = Callable[[Page], None]
Shot = tuple[str, Act | None]  # a path, and the action before the screenshot


def shots(showcase: Showcase) -> dict[str, Shot]:
    """Return all pages of a signed-in user by file name."""
    return {
        **_project_shots(),
        **_data_shots(),
        **_import_shots(showcase),
        **_run_shots(showcase),
        **_submit_shots(showcase),
        **_twin_shots(),
        **_system_shots(),
    }


def _project_shots() -> dict[str, Shot]:
    project = f"/projects/{PROJECT}"
    return {
        "projects": ("/projects/", None),
        "project-new": ("/projects/new/", None),
        "project-new-errors": ("/projects/new/", acts.wrong_project),
        "project": (f"{project}/", None),
        "project-empty": ("/projects/sea-water/", None),
        "project-settings": (f"{project}/settings/", None),
        "members": (f"{project}/members/", None),
        "members-error": (f"{project}/members/", acts.no_such_user),
    }


def _data_shots() -> dict[str, Shot]:
    project = f"/projects/{PROJECT}"
    return {
        "datasets": (f"{project}/datasets/", None),
        "datasets-none": ("/projects/sea-water/datasets/", None),
        "dataset": (f"{project}/datasets/{DATASET}/", None),
        "dataset-made": (f"{project}/datasets/weather-by-month/", None),
        "dataset-columns": (f"{project}/datasets/{DATASET}/?tab=columns", None),
        "dataset-versions": (f"{project}/datasets/{DATASET}/?tab=versions", None),
        "dataset-lineage": (f"{project}/datasets/{DATASET}/", acts.open_lineage),
        "models": (f"{project}/models/", None),
        "models-none": ("/projects/sea-water/models/", None),
        "model": (f"{project}/models/demand-forecast/", None),
        "model-made": (f"{project}/models/{MODEL}/", acts.open_lineage),
        "model-numbers": (f"{project}/models/demand-forecast/", acts.open_numbers),
        "model-classes": (f"{project}/models/weather-class/", None),
        "model-compare": (f"{project}/models/demand-forecast/compare/", None),
        "model-compare-classes": (f"{project}/models/weather-class/compare/", None),
        "dataset-changed": (f"{project}/datasets/counters/", None),
        "dataset-changed-versions": (f"{project}/datasets/counters/?tab=versions", None),
    }


def _import_shots(showcase: Showcase) -> dict[str, Shot]:
    project = f"/projects/{PROJECT}"
    return {
        **{
            f"import-{word}": (f"{project}/datasets/import/{upload}/?name={word}", None)
            for word, upload in showcase.uploads.items()
        },
        "import-csv-file": (
            f"{project}/datasets/import/{showcase.uploads['csv']}/?name=counters",
            acts.as_in_the_file,
        ),
        "import-excel-sheets": (
            f"{project}/datasets/import/{showcase.uploads['excel']}/?name=trips",
            acts.two_sheets,
        ),
        "import-append": (
            f"{project}/datasets/import/{showcase.uploads['more']}/?name=counters",
            acts.added_rows,
        ),
    }


def _run_shots(showcase: Showcase) -> dict[str, Shot]:
    project = f"/projects/{PROJECT}"
    return {
        "dataset-wide": (f"{project}/datasets/forty-columns/", None),
        "pipelines": (f"{project}/pipelines/", None),
        "pipelines-none": ("/projects/sea-water/pipelines/", None),
        "pipeline": (f"{project}/pipelines/{PIPELINE}/", None),
        "pipeline-errors": (f"{project}/pipelines/{PIPELINE}/", acts.wrong_definition),
        "pipeline-many-steps": (f"{project}/pipelines/many-steps/", None),
        "pipeline-new": (f"{project}/pipelines/new/", None),
        "jobs": (f"{project}/jobs/", None),
        "jobs-failed": (f"{project}/jobs/?status=failed", None),
        "jobs-none": (f"{project}/jobs/?status=cancelled&q=nothing", None),
        "jobs-empty": ("/projects/sea-water/jobs/", None),
        **{f"job-{word}": (f"/jobs/{job}/", None) for word, job in showcase.jobs.items()},
        "job-compare": (
            f"{project}/jobs/compare/?a={showcase.jobs['failed']}&b={showcase.jobs['succeeded']}",
            None,
        ),
        "job-running-table": (f"/jobs/{showcase.jobs['running']}/?steps=table", None),
        "job-many-steps-graph": (f"/jobs/{showcase.jobs['many-steps']}/?steps=graph", None),
        "job-search": (f"/jobs/{showcase.jobs['running']}/", acts.searched_log),
        "job-cancel": (f"/jobs/{showcase.jobs['running']}/", acts.asked_to_confirm),
    }


def _submit_shots(showcase: Showcase) -> dict[str, Shot]:
    project = f"/projects/{PROJECT}"
    patch = "%7B%22resources%22%3A%7B%22memory%22%3A%22512Mi%22%7D%7D"
    return {
        "submit": (f"{project}/jobs/new/?pipeline={PIPELINE}", None),
        "submit-training": (
            f"{project}/jobs/new/?type=ml_training&dataset={HISTORY}&target=next_temp_max",
            None,
        ),
        "submit-training-errors": (
            f"{project}/jobs/new/?type=ml_training&dataset={HISTORY}&target=next_temp_max",
            acts.wrong_training,
        ),
        "submit-prediction": (
            f"{project}/jobs/new/?type=ml_inference&model={MODEL}&dataset={RECENT}",
            None,
        ),
        "submit-twin": (
            f"{project}/jobs/new/?type=digital_twin_update&twin={SAMPLE_TWIN}&dataset={FORECAST}&parameters.type=day",
            None,
        ),
        "submit-errors": (f"{project}/jobs/new/?pipeline={PIPELINE}", acts.wrong_request),
        "submit-too-large": (f"{project}/jobs/new/?pipeline={PIPELINE}", acts.too_many_gpus),
        "submit-again": (f"{project}/jobs/new/?from={showcase.jobs['memory']}&patch={patch}", None),
    }


def _twin_shots() -> dict[str, Shot]:
    project = f"/projects/{PROJECT}"
    return {
        "twins": (f"{project}/twins/", None),
        "twins-none": ("/projects/sea-water/twins/", None),
        "twin": (f"{project}/twins/{STATIONS}/", None),
        "twin-at": (f"{project}/twins/{STATIONS}/?at=1", None),
        "twin-new": (f"{project}/twins/new/?dataset=bike-trips", None),
        "twin-errors": (f"{project}/twins/{STATIONS}/definition/", acts.wrong_twin),
        "twin-entity": (
            f"{project}/twins/{STATIONS}/entity/?type=station&key=BT-01&property=bikes",
            acts.shown_numbers,
        ),
        "twin-entity-text": (
            f"{project}/twins/{STATIONS}/entity/?type=station&key=BT-02&property=label",
            None,
        ),
        "twin-entity-edit": (
            f"{project}/twins/{STATIONS}/entity/?type=station&key=BT-01&edit=1",
            acts.wrong_value,
        ),
        "twin-revisions": (f"{project}/twins/{STATIONS}/revisions/", None),
        "twin-revision": (f"{project}/twins/{STATIONS}/revisions/2/", None),
        "twin-revision-two": (f"{project}/twins/{STATIONS}/revisions/1/?to=4", None),
    }


def _system_shots() -> dict[str, Shot]:
    return {
        "system": ("/system/", None),
        "clusters": ("/system/clusters/", None),
        "cluster": ("/system/clusters/local/", None),
        "cluster-new": ("/system/clusters/new/", None),
        "users": ("/system/users/", None),
        "tokens": ("/tokens/", None),
        "account": ("/account/", None),
        "token-made": ("/tokens/", acts.new_token),
        "not-found": ("/projects/no-such-project/", None),
    }


def take(page: Page, shot: Shot, file: Path, height_max: int = TALLEST) -> None:
    """Take one page, down to `height_max`. Raises: AssertionError if the page scrolls sideways."""
    path, act = shot
    page.goto(path)
    if act:
        act(page)
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(900 if "/jobs/" in path else 250)  # the socket's first messages
    over = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert over <= 0, f"{file.name}: the page is {over} pixels wider than its window"
    height = min(int(page.evaluate("document.documentElement.scrollHeight")), TALLEST)
    size = page.viewport_size or WIDE
    height = max(height, size["height"])
    page.set_viewport_size({"width": size["width"], "height": height})
    page.wait_for_timeout(150)
    page.screenshot(
        path=file, clip={"x": 0, "y": 0, "width": size["width"], "height": min(height, height_max)}
    )
    page.set_viewport_size(size)


def take_all(
    stack: Stack, showcase: Showcase, context: BrowserContext, end: str, wanted: str
) -> None:
    """Take all pages of one visitor."""
    page = context.new_page()
    between = page.viewport_size in BETWEEN
    for word, act in (("signin", None), ("signin-error", acts.wrong_password)):
        if wanted in word and not between:
            take(page, ("/signin/", act), OUT / f"{word}-{end}")
    sign_in(page, stack.described["username"], stack.described["password"])
    for word, shot in shots(showcase).items():
        if wanted in word and (not between or word in AT_BETWEEN):
            take(page, shot, OUT / f"{word}-{end}")
    if wanted in "menu" and page.viewport_size == PHONE:
        take(page, (f"/projects/{PROJECT}/jobs/", acts.open_menu), OUT / f"menu-{end}")
    if wanted in "away" and not between:
        stack.kill("web")
        take(page, ("/projects/", None), OUT / f"away-{end}")
        wait_for(stack.answers, "it answers again")


def take_readme(stack: Stack, showcase: Showcase, opened: Browser) -> None:
    """Take the pictures of README.md."""
    every = shots(showcase)
    for name, word, theme, size, height in README:
        context = context_of(
            opened,
            stack,
            viewport=size,
            color_scheme=theme,
            device_scale_factor=2 if size is PHONE else 1,
        )
        page = context.new_page()
        sign_in(page, stack.described["username"], stack.described["password"])
        take(page, every[word], README_OUT / f"{name}.png", height)
        context.close()


def main(stack: Stack, wanted: str) -> None:
    """Take all screenshots."""
    showcase = Showcase(stack)
    showcase.make(more=True)
    if wanted == "readme":
        with browser() as opened:
            take_readme(stack, showcase, opened)
        showcase.end()
        return
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with browser() as opened:
        for theme in ("light", "dark"):
            for size in (WIDE, PHONE, *(BETWEEN if theme == "light" else ())):
                context = context_of(
                    opened,
                    stack,
                    viewport=size,
                    color_scheme=theme,
                    device_scale_factor=2 if size is PHONE else 1,
                )
                take_all(stack, showcase, context, f"{theme}-{size['width']}.png", wanted)
                context.close()
    showcase.end()
    print(f"{len(list(OUT.iterdir()))} pictures in {OUT}")


_SLOW = {
    "RETRY_BACK_OFF": "3000",
    "RETRY_BACK_OFF_MAX": "3000",
    "LAUNCH_TIMEOUT": "3000",
}  # holds transient states for their screenshots

with tempfile.TemporaryDirectory(prefix="mimir-screenshots-") as folder:
    for started in running(Path(folder), **_SLOW):
        main(started, sys.argv[1] if len(sys.argv) > 1 else "")
