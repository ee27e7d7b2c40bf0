"""Settings of the orchestrator under pytest. `tests/conftest.py` sets the environment first."""

from mimir.settings.orchestrator import *  # noqa: F403 - a settings module is its names
from mimir.settings.orchestrator import DATABASES

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# A pool would keep connections of threads open after a test, and the test database could not be
# dropped.
DATABASES["default"]["OPTIONS"].pop("pool")  # type: ignore[attr-defined]
