"""`make screenshots`: every page, light and dark, wide and phone, into var/screenshots; a word as argument takes only the pages that bear it."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from mimir.dev.demo import DATASET, PIPELINE, PROJECT
from mimir.dev.places import ROOT
from tests.screenshots.scene import Scene
from tests.support.browser import PHONE, WIDE, browser, context_of, sign_in
from tests.support.stack import Stack, running

OUT = ROOT / "var" / "screenshots"
TALLEST = 2400  # CSS pixels of a page that goes on


def addresses(scene: Scene) -> dict[str, str]:
    """Every page that one sees signed in, by a word for its file."""
    project = f"/projects/{PROJECT}"
    return {
        "projects": "/projects/",
        "project-new": "/projects/new/",
        "project": f"{project}/",
        "project-settings": f"{project}/settings/",
        "datasets": f"{project}/datasets/",
        "dataset": f"{project}/datasets/{DATASET}/",
        "pipelines": f"{project}/pipelines/",
        "pipeline": f"{project}/pipelines/{PIPELINE}/",
        "pipeline-new": f"{project}/pipelines/new/",
        "jobs": f"{project}/jobs/",
        "jobs-failed": f"{project}/jobs/?status=failed",
        "jobs-none": f"{project}/jobs/?status=cancelled&q=nothing",
        **{f"job-{word}": f"/jobs/{job}/" for word, job in scene.jobs.items()},
        "submit": f"{project}/jobs/new/?pipeline={PIPELINE}",
        "submit-again": f"{project}/jobs/new/?from={scene.jobs['memory']}&patch=%7B%22resources%22%3A%7B%22memory%22%3A%22512Mi%22%7D%7D",
        "tokens": "/tokens/",
        "not-found": "/projects/no-such-project/",
    }


def take(page: Page, path: str, file: Path) -> None:
    """One page, down to TALLEST."""
    page.goto(path)
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(900 if "/jobs/" in path else 250)  # the socket's first messages
    height = min(int(page.evaluate("document.documentElement.scrollHeight")), TALLEST)
    size = page.viewport_size or WIDE
    page.set_viewport_size({"width": size["width"], "height": max(height, size["height"])})
    page.wait_for_timeout(150)
    page.screenshot(path=file)
    page.set_viewport_size(size)


def main(stack: Stack, wanted: str) -> None:
    """Take them all."""
    scene = Scene(stack)
    scene.make()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with browser() as opened:
        for theme in ("light", "dark"):
            for size in (WIDE, PHONE):
                context = context_of(opened, stack, viewport=size, color_scheme=theme, device_scale_factor=1 if size is WIDE else 2)
                page = context.new_page()
                end = f"{theme}-{size['width']}.png"
                if wanted in "signin":
                    take(page, "/signin/", OUT / f"signin-{end}")
                sign_in(page, stack.described["username"], stack.described["password"])
                for word, path in addresses(scene).items():
                    if wanted in word:
                        take(page, path, OUT / f"{word}-{end}")
                context.close()
    print(f"{len(list(OUT.iterdir()))} pictures in {OUT}")


with tempfile.TemporaryDirectory(prefix="mimir-screenshots-") as folder:
    for started in running(Path(folder), MIMIR_CRASH_POINTS=""):
        main(started, sys.argv[1] if len(sys.argv) > 1 else "")
