"""Addresses in settings: the host in each is the one that Django and browsers compare."""

import subprocess
import sys

import pytest
from django.http.request import split_domain_port, validate_host
from hypothesis import given
from hypothesis import strategies as st

from mimir.dev.paths import ROOT
from mimir.env import BadEnvironment, load
from mimir.lib.site_address import host_in_url, origin_of
from mimir.settings.base import common

NEEDED = {
    "SECRET_KEY": "s" * 40,
    "WORKER_KEYS": "w" * 40,
    "DATABASE_URL": "postgresql://u:p@db/mimir",
    "REDIS_URL": "redis://:p@redis/0",
}
PORTS = st.none() | st.integers(1, 65535)
NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,5}){0,2}", fullmatch=True)


def _settings(url: str) -> dict[str, object]:
    return common(load("frontend", {"SECRET_KEY": "s" * 40, "PUBLIC_URL": url}))


def _accepts(allowed: object, host: str) -> bool:
    assert isinstance(allowed, list)
    return validate_host(split_domain_port(host)[0], allowed)


@given(
    host=st.ip_addresses().map(str) | NAMES, port=PORTS, scheme=st.sampled_from(("http", "https"))
)
def test_the_site_accepts_the_host_and_the_origin_of_its_own_url(
    host: str, port: int | None, scheme: str
) -> None:
    shown = f"[{host}]" if ":" in host else host
    netloc = shown if port is None else f"{shown}:{port}"
    found = _settings(f"{scheme}://{netloc}/")
    assert _accepts(found["ALLOWED_HOSTS"], netloc)
    assert not _accepts(found["ALLOWED_HOSTS"], "another.example.org")
    assert found["CSRF_TRUSTED_ORIGINS"] == [origin_of(f"{scheme}://{netloc}")]


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTPS://Mimir.Example.com:443/", "https://mimir.example.com"),
        ("http://mimir.example.com:80", "http://mimir.example.com"),
        ("http://[FD00:0:0::1]:8000", "http://[fd00::1]:8000"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ("https://10.0.0.1:8443", "https://10.0.0.1:8443"),
    ],
)
def test_the_public_url_is_stored_as_browsers_write_its_origin(url: str, origin: str) -> None:
    assert load("frontend", {"SECRET_KEY": "s" * 40, "PUBLIC_URL": url}).public_url == origin


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://[fe80::1%eth0]:3000", "without a zone"),
        ("http://my_host:3000", "must name a host"),
        ("http://*", "must name a host"),
        ("http://.example.com", "must name a host"),
        ("http://mimir.example.com.", "must name a host"),
        ("http://me:secret@mimir.example.com", "no user, path"),
        ("http://mimir.example.com/mimir", "no user, path"),
        ("http://mimir.example.com?a=b", "no user, path"),
    ],
)
def test_a_public_url_that_no_request_could_match_is_refused(url: str, message: str) -> None:
    with pytest.raises(BadEnvironment) as refused:
        load("frontend", {"SECRET_KEY": "s" * 40, "PUBLIC_URL": url})
    [fault] = refused.value.faults
    assert fault.startswith("PUBLIC_URL ")
    assert message in fault
    assert "secret" not in fault


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("PUBLIC_URL", "HTTP://m.example", "http://m.example"),
        ("REDIS_URL", "REDIS://:p@redis/0", "redis://:p@redis/0"),
        ("ARTIFACTS_S3_ENDPOINT", "HTTP://bucket.example.com", "http://bucket.example.com"),
        ("ORCHESTRATOR_URL", "HTTP://[fd00::1]:8080", "http://[fd00::1]:8080"),
    ],
)
def test_the_case_of_a_scheme_is_not_significant(name: str, value: str, kept: str) -> None:
    source = {**NEEDED, "ARTIFACTS_URL": "s3://bucket", name: value}
    assert getattr(load("orchestrator", source), name.lower()) == kept


@pytest.mark.parametrize(
    ("orchestrator", "public", "hosts"),
    [
        ("http://[fd00::1]:8000", "http://[FD00::2]:3000", ("[fd00::1]:8000", "[fd00::2]:3000")),
        ("http://[::1]:8080", "http://localhost:3000", ("[::1]:8080", "localhost")),
        ("http://10.0.0.1:8080", "https://m.example", ("10.0.0.1:8080", "m.example")),
    ],
)
def test_the_orchestrator_accepts_the_hosts_of_both_urls(
    orchestrator: str, public: str, hosts: tuple[str, ...]
) -> None:
    environment = {
        **NEEDED,
        "PATH": "/usr/bin:/bin",
        "LAUNCHER": "memory",
        "DJANGO_SETTINGS_MODULE": "mimir.settings.orchestrator",
        "ORCHESTRATOR_URL": orchestrator,
        "PUBLIC_URL": public,
    }
    code = "from django.conf import settings; print(*settings.ALLOWED_HOSTS)"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert all(_accepts(ran.stdout.split(), host) for host in hosts), ran.stderr


@given(st.ip_addresses(v=6).map(str))
def test_a_host_taken_out_of_a_url_can_be_put_into_another(address: str) -> None:
    assert host_in_url(address) == f"[{address}]"
    assert origin_of(f"http://{host_in_url(address)}:8000") == f"http://[{address}]:8000"
