"""Settings of the frontend: pages, and the proxy. It has no database, no Redis and no tables."""

import logging.config
import tempfile
from pathlib import Path

from mimir import env as _env
from mimir.settings.base import common

ENV = _env.load("frontend")
globals().update(common(ENV))
LOGGING: dict[str, object]
BASE_DIR: Path
logging.config.dictConfig(LOGGING)

ROLE = "frontend"
ROOT_URLCONF = "mimir.urls_frontend"
ASGI_APPLICATION = "mimir.asgi_frontend.application"

INSTALLED_APPS = ["django.contrib.staticfiles"]
DATABASES: dict[str, object] = {}

MIDDLEWARE = [
    # before host and TLS checks: probes send the pod's address as Host
    "mimir.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "mimir.frontend.middleware.StaticMiddleware",
    "mimir.frontend.middleware.PageHeadersMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "mimir.trailing_slashes.TrailingSlash",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "mimir.frontend.middleware.ApiErrorMiddleware",
]

tempfile.tempdir = ENV.spool_dir or tempfile.gettempdir()
FILE_UPLOAD_TEMP_DIR = tempfile.tempdir
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "builtins": ["mimir.frontend.template_tags"],
            "context_processors": [
                "django.template.context_processors.request",
                "mimir.frontend.session.page_context",
            ],
        },
    }
]

STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
STATIC_ROOT = ENV.static_root or None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = (
    not STATIC_ROOT
)  # collected files have compressed variants, source files do not
WHITENOISE_ALLOW_ALL_ORIGINS = False

SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
SESSION_COOKIE_NAME = "mimir_session"
# The API token in the cookie decides when a session ends. This is only the maximum age of its
# signature.
SESSION_COOKIE_AGE = 366 * 86400
CSRF_COOKIE_NAME = "mimir_csrf"
CSRF_FAILURE_VIEW = "mimir.frontend.error_pages.csrf_failure"
