"""Settings of the frontend with a few pages and a static file for tests."""

from pathlib import Path

from mimir.settings.frontend import *  # noqa: F403 - a settings module is its names

ROOT_URLCONF = "tests.frontend.small_pages"
STATICFILES_DIRS = [Path(__file__).parent / "static"]
TEMPLATES[0]["DIRS"] = [Path(__file__).parent / "templates"]  # noqa: F405
