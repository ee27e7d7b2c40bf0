"""Settings of both roles. The module of a role calls `common(env)` and adds its own."""

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from mimir.env import Env
from mimir.lib.logging import logging_config
from mimir.lib.site_address import host_in_url

BASE_DIR = Path(__file__).resolve().parent.parent.parent


def common(env: Env) -> dict[str, object]:
    """Return the settings that both roles have, by name."""
    is_secure = env.public_url.startswith("https:")
    return {
        "BASE_DIR": BASE_DIR,
        "ENV": env,
        "SECRET_KEY": env.secret_key,
        "DEBUG": False,
        "ALLOWED_HOSTS": allowed_hosts(env),
        "CSRF_TRUSTED_ORIGINS": [env.public_url],
        "USE_TZ": True,
        "TIME_ZONE": "UTC",
        "LANGUAGE_CODE": "en",
        "USE_I18N": False,
        "APPEND_SLASH": True,
        "LOGGING_CONFIG": None,
        "LOGGING": logging_config(env.log_level),
        "SESSION_COOKIE_SECURE": is_secure,
        "CSRF_COOKIE_SECURE": is_secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SECURE_CONTENT_TYPE_NOSNIFF": True,
        "SECURE_REFERRER_POLICY": "same-origin",
        "X_FRAME_OPTIONS": "DENY",
        "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
        "DATA_UPLOAD_MAX_MEMORY_SIZE": 4 * 1024 * 1024,
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "STATIC_URL": "/static/",
    }


def allowed_hosts(env: Env) -> list[str]:
    """The public host; also loopback addresses if the public host is one."""
    host = urlsplit(env.public_url).hostname or "localhost"
    own = host_in_url(host)
    return [own, "localhost", "127.0.0.1", "[::1]"] if is_loopback(host) else [own]


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
