"""Settings of the orchestrator: web, dispatcher, reconciler and commands."""

import logging.config
import os
import sys
import tempfile
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from jobs.contract import JobStatus, Priority
from jobs.liveness.connection_names import connection_name
from jobs.types.registry import job_type_names
from jobs.types.spec import KINDS
from mimir import env as _env
from mimir.lib.hmac_signatures import derived_key
from mimir.lib.site_address import host_in_url
from mimir.settings.base import common

ENV = _env.load("orchestrator")
globals().update(common(ENV))
LOGGING: dict[str, object]
BASE_DIR: Path
logging.config.dictConfig(LOGGING)

ROLE = "orchestrator"
ROOT_URLCONF = "mimir.urls_orchestrator"
ASGI_APPLICATION = "mimir.asgi_orchestrator.application"
# Probes and programs inside the installation use other host names than people. The frontend checks
# the names that people use; these are the hosts of PUBLIC_URL and ORCHESTRATOR_URL.
ALLOWED_HOSTS: list[str]
ALLOWED_HOSTS = [
    *ALLOWED_HOSTS,
    host_in_url(urlsplit(ENV.orchestrator_url).hostname or "localhost"),
    "worker-api.invalid",  # see `WorkerHost`
]
if ENV.pod_ip:
    ALLOWED_HOSTS.append(host_in_url(ENV.pod_ip))

_WITHOUT_PAGES = not {"dispatcher", "reconciler", "release_workers", "bootstrap_admin"}.isdisjoint(
    sys.argv[1:2]
)
INSTALLED_APPS = [
    *(
        ["daphne"] if "runserver" in sys.argv else []
    ),  # before staticfiles: only `runserver` needs it for WebSockets, and it takes 40 MB
    # The commands serve no pages: they start without the modules of the admin's pages.
    "django.contrib.admin.apps.SimpleAdminConfig" if _WITHOUT_PAGES else "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_prometheus",
    "django_structlog",
    "axes",
    "projects",
    "jobs",
    "monitoring",
]

MIDDLEWARE = [
    # before host and TLS checks: probes send the pod's address as Host
    "mimir.health.HealthMiddleware",
    "mimir.api.middleware.WorkerHost",  # before host checks, too
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "mimir.api.middleware.SecurityHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "mimir.api.middleware.RequestLog",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "mimir.trailing_slashes.TrailingSlash",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
    "mimir.api.middleware.CurrentRequest",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "mimir/api/templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "projects.users.backends.PasswordBackend",
]
# User name and address together: behind a proxy, an address alone would lock out everybody.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours, also in `projects.users.lockout`
AXES_LOCKOUT_CALLABLE = "projects.users.lockout.locked_out"
AXES_CLIENT_IP_CALLABLE = "projects.users.lockout.client_network"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
PASSWORD_RESET_TIMEOUT = 24 * 3600  # seconds that a link to set a password is valid

# The admin shares its host with the pages, so its cookies have their own names and path.
SESSION_COOKIE_NAME = "mimir_admin_session"
SESSION_COOKIE_PATH = "/admin"
SESSION_COOKIE_AGE = round(ENV.admin_session_hours * 3600)
CSRF_COOKIE_NAME = "mimir_admin_csrf"
CSRF_COOKIE_PATH = "/admin"
# not in a cookie: the frontend forwards only cookies whose name begins with mimir_admin_
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
STATIC_URL = "/admin/static/"
STATIC_ROOT = ENV.static_root or None
WHITENOISE_USE_FINDERS = (
    not STATIC_ROOT
)  # collected files have compressed variants, source files do not
LOGIN_URL = "/admin/login/"

_database = urlsplit(ENV.database_url)
_database_query = dict(parse_qsl(_database.query))
_database_host = _database_query.pop("host", _database.hostname or "")
_database_options = {
    **_database_query,
    "pool": {"min_size": 1, "max_size": ENV.database_pool_size, "timeout": 10},
    # PostgreSQL ends the sessions of a stopped process: an idle transaction would hold the
    # admission lock without limit.
    "options": "-c idle_in_transaction_session_timeout=5000 -c lock_timeout=10000 -c "
    "tcp_keepalives_idle=10"
    " -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
    "connect_timeout": 5,
}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(_database.path.lstrip("/")),
        "USER": unquote(_database.username or ""),
        "PASSWORD": unquote(_database.password or ""),
        "HOST": _database_host,
        "PORT": str(_database.port or ""),
        "CONN_MAX_AGE": 0,
        "OPTIONS": _database_options,
    }
}


def _name_connections() -> None:
    """Name the connections after their process."""
    _database_options["application_name"] = connection_name(ENV.database_pool_size)


_name_connections()
os.register_at_fork(after_in_child=_name_connections)

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": ENV.channel_layer,
        "CONFIG": {
            "hosts": [ENV.redis_url],
            "prefix": "mimir",
            "symmetric_encryption_keys": [
                derived_key(key, "mimir live hint v1").hex() for key in ENV.worker_keys
            ],
        },
    }
}

_artifacts = urlsplit(ENV.artifacts_url)
_folder = {
    "BACKEND": "django.core.files.storage.FileSystemStorage",
    "OPTIONS": {
        "location": unquote(_artifacts.path),
        "file_permissions_mode": 0o600,
        "directory_permissions_mode": 0o700,
    },
}
_bucket = {
    "BACKEND": "projects.storage.bucket.Bucket",
    "OPTIONS": {
        "bucket": _artifacts.netloc,
        "prefix": f"{_artifacts.path.strip('/')}/".lstrip("/"),
        "endpoint_url": ENV.artifacts_s3_endpoint,
        "region": ENV.artifacts_s3_region,
        "addressing_style": ENV.artifacts_s3_addressing,
        "largest_bytes": max(ENV.artifact_bytes_max, ENV.max_upload_bytes, 2 * ENV.log_bytes_max),
    },
}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
    "artifacts": _bucket if _artifacts.scheme == "s3" else _folder,
}
tempfile.tempdir = (
    ENV.spool_dir or tempfile.gettempdir()
)  # for all code that creates temporary files, also in forked processes
FILE_UPLOAD_TEMP_DIR = tempfile.tempdir
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["mimir.api.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "mimir.api.autoschema.RequestRules",
    "EXCEPTION_HANDLER": "mimir.api.exception_handler",
    "URL_FORMAT_OVERRIDE": None,  # the API uses `?format=` itself
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Mimir AIP",
    "DESCRIPTION": "Projects, datasets, pipelines and the jobs that run on them.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # each PATCH has its own serializer with its own required fields
    "COMPONENT_SPLIT_PATCH": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "mimir.api.schema.describe_defaults",
        "mimir.api.schema.allow_null_once",
        "mimir.api.autoschema.describe_query",
    ],
    "ENUM_NAME_OVERRIDES": {
        "JobStatusEnum": [status.value for status in JobStatus],
        "JobTypeEnum": job_type_names(),
        "PriorityEnum": [priority.value for priority in Priority],
        "ProjectKindEnum": list(KINDS),
        "ClusterHealthEnum": ["ok", "unreachable", "disabled", "unknown"],
        "MadeKindEnum": ["dataset", "model", "twin"],
        "ColumnChangeKindEnum": ["removed", "type", "added"],
        "UseKindEnum": ["job", "pipeline", "dataset", "model", "twin"],
        "ProjectStatusEnum": "projects.models.ProjectStatus",
        "EntityStatusEnum": "projects.models.EntityStatus",
        "RevisionKindEnum": "projects.models.RevisionKind",
    },
}
DJANGO_STRUCTLOG_CELERY_ENABLED = False
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = (
    True  # from the frontend, to have one id for a request in both roles
)
