"""Settings: sources, refused values, and errors.

All errors are reported at once, without secrets.
"""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from mimir.env import BadEnvironment, Env, Role, load, reader

SECRET = "hunter2-hunter2"
NEEDED = {
    "SECRET_KEY": "s" * 40,
    "WORKER_KEYS": "w" * 40,
    "DATABASE_URL": "postgresql://u:p@db/mimir",
    "REDIS_URL": "redis://:p@redis/0",
}
SAFE = {
    "ENVIRONMENT": "production",
    "PUBLIC_URL": "https://mimir.example.com",
    "REDIS_URL": "rediss://:p@redis/0",
    "DATABASE_URL": "postgresql://u:p@db/mimir?sslmode=verify-full",
}
# Published names of settings: each must still be read.
PROMISED = (
    "ENVIRONMENT LOG_LEVEL REDIS_URL DATABASE_URL API_URL ORCHESTRATOR_URL PUBLIC_URL "
    "TRUSTED_PROXIES JOB_TIMEOUT ARTIFACTS_URL "
    "SECRET_KEY WORKER_KEYS READ_URL_ALLOW ALLOW_UNISOLATED_WORKERS MAX_UPLOAD_BYTES"
)


def _faults(source: dict[str, str], role: Role = "orchestrator") -> list[str]:
    with pytest.raises(BadEnvironment) as refused:
        load(role, source)
    assert all(fault in str(refused.value) for fault in refused.value.faults)
    return refused.value.faults


def test_every_promised_variable_is_a_setting() -> None:
    assert set(PROMISED.lower().split()) <= {setting.name for setting in fields(Env)}


def test_the_defaults_are_a_start() -> None:
    loaded = load("orchestrator", NEEDED)
    assert (loaded.environment, loaded.log_level, loaded.job_timeout, loaded.public_url) == (
        "development",
        "info",
        3600,
        "http://localhost:3000",
    )
    assert loaded.worker_keys == ("w" * 40,)
    assert load("frontend", {"SECRET_KEY": "s" * 40}).api_url == "http://127.0.0.1:8080"


def test_each_setting_says_what_it_is_for() -> None:
    assert all(setting.metadata["doc"] for setting in fields(Env))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "prod"),
        ("LOG_LEVEL", "verbose"),
        ("SECRET_KEY", SECRET),
        ("WORKER_KEYS", SECRET),
        ("WORKER_KEYS", ",".join(["w" * 40] * 3)),
        ("WORKER_KEYS", ""),
        ("PUBLIC_URL", "localhost:3000"),
        ("PUBLIC_URL", "http://[::1"),
        ("PUBLIC_URL", "http://host:99999"),
        ("PUBLIC_URL", "https://"),
        ("DATABASE_URL", f"mysql://u:{SECRET}@db/x"),
        ("REDIS_URL", f"http://:{SECRET}@redis"),
        ("ORCHESTRATOR_URL", "ftp://x"),
        ("ARTIFACTS_URL", "/app/artifacts"),
        ("DIRECT_SOURCES", "10.0.0.0/8,nonsense"),
        ("METRICS_SOURCES", "nonsense"),
        ("METRICS_TOKEN", "short"),
        ("METRICS_TOKEN", "é" * 40),
        ("FRONTEND_KEYS", SECRET),
        ("FRONTEND_KEYS", ",".join(["w" * 40] * 3)),
        ("JOB_TIMEOUT", "0"),
        ("JOB_TIMEOUT", "1h"),
        ("JOB_TIMEOUT", ""),
        ("RETRY_BACK_OFF", "-1"),
        ("RETRY_BACK_OFF", "nan"),
        ("ALLOW_UNISOLATED_WORKERS", "maybe"),
        ("MAX_UPLOAD_BYTES", "1.5"),
        ("LAUNCHER", "podman"),
        ("RESOURCE_PROFILES", "[]"),
        ("RESOURCE_PROFILES", "{"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_is_not_printed(name: str, value: str) -> None:
    [fault] = _faults({**NEEDED, name: value})
    assert fault.startswith(f"{name} ")
    assert SECRET not in fault


def test_every_fault_is_said_at_once() -> None:
    source = {
        "ENVIRONMENT": "production",
        "LOG_LEVEL": "x",
        "JOB_TIMEOUT": "x",
        "SECRET_KEY": SECRET,
        "MIMIR_CRASH_POINTS": "/tmp",
    }
    faults = _faults(source)
    named = {fault.split()[0].partition("=")[0] for fault in faults}
    assert named == {
        "LOG_LEVEL",
        "JOB_TIMEOUT",
        "SECRET_KEY",
        "WORKER_KEYS",
        "DATABASE_URL",
        "REDIS_URL",
        "MIMIR_CRASH_POINTS",
        "LAUNCHER",
        "PUBLIC_URL",
    }
    assert SECRET not in str(BadEnvironment(faults))


def test_a_secret_is_read_from_the_file_that_NAME_FILE_names(tmp_path: Path) -> None:  # noqa: N802 - the variable's name
    secret = tmp_path / "url"
    secret.write_text("postgresql://u:p@elsewhere/mimir\n")
    source = {name: value for name, value in NEEDED.items() if name != "DATABASE_URL"}
    assert (
        load("orchestrator", {**source, "DATABASE_URL_FILE": str(secret)}).database_url
        == "postgresql://u:p@elsewhere/mimir"
    )
    assert (
        load("orchestrator", {**NEEDED, "DATABASE_URL_FILE": str(secret)}).database_url
        == NEEDED["DATABASE_URL"]
    ), "the variable itself wins"
    [fault] = _faults({**source, "DATABASE_URL_FILE": str(tmp_path / "none")})
    assert fault == "DATABASE_URL_FILE: the file cannot be read (No such file or directory)"
    secret.write_bytes(b"\xff\xfe")
    assert _faults({**source, "DATABASE_URL_FILE": str(secret)}) == [
        "DATABASE_URL_FILE: the file is not text"
    ]
    secret.write_text(SECRET)
    [fault] = _faults({**source, "DATABASE_URL_FILE": str(secret)})
    assert SECRET not in fault


def _config(tmp_path: Path, text: str | bytes) -> dict[str, str]:
    path = tmp_path / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return {**NEEDED, "MIMIR_CONFIG": str(path)}


def test_the_config_file_gives_what_the_environment_does_not(tmp_path: Path) -> None:
    source = _config(
        tmp_path,
        "environment: staging\nlog_level: warn\njob_timeout: 60\ndirect_sources: [10.0.0.0/8, "
        "127.0.0.1]\nread_url_allow:\n",
    )
    loaded = load("orchestrator", {**source, "LOG_LEVEL": "error"})
    assert (loaded.environment, loaded.log_level, loaded.job_timeout) == ("staging", "error", 60)
    assert (loaded.direct_sources, loaded.read_url_allow) == (("10.0.0.0/8", "127.0.0.1"), ())


def test_a_file_before_the_config_file(tmp_path: Path) -> None:
    source = _config(tmp_path, f"secret_key: {'c' * 40}\n")
    del source["SECRET_KEY"]
    assert load("orchestrator", source).secret_key == "c" * 40
    (tmp_path / "key").write_text("f" * 40)
    assert (
        load("orchestrator", {**source, "SECRET_KEY_FILE": str(tmp_path / "key")}).secret_key
        == "f" * 40
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"environment: [{SECRET}", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (SECRET, "keys with values"),
        ("enviroment: staging", "unknown key enviroment"),
        ("job_timeout: 1.5", "JOB_TIMEOUT must be a whole number"),
        (f"database_url: {{a: {SECRET}}}", "database_url"),
    ],
)
def test_a_wrong_config_file_is_refused_and_not_printed(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    source = _config(tmp_path, text)
    if "database_url" in said:
        del source["DATABASE_URL"]
    faults = _faults(source)
    assert any(said.lower() in fault.lower() for fault in faults), faults
    assert SECRET not in str(faults)


def test_a_named_config_file_must_exist(tmp_path: Path) -> None:
    [fault] = _faults({**NEEDED, "MIMIR_CONFIG": str(tmp_path / "none.yaml")})
    assert "cannot be read" in fault


def test_the_default_config_file_is_where_the_cluster_mounts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`/app/config/config.yaml` is read if it exists. A missing file is not an error."""
    mounted = tmp_path / "config.yaml"
    mounted.write_text("environment: staging\n")
    requested: list[str] = []

    class Elsewhere(type(Path())):  # type: ignore[misc]
        def __new__(cls, *parts: Any) -> Any:
            requested.append(str(parts[0]))
            return Path.__new__(
                Path, str(mounted) if parts == ("/app/config/config.yaml",) else parts[0]
            )

    monkeypatch.setattr(reader, "Path", Elsewhere)
    assert load("orchestrator", NEEDED).environment == "staging"
    assert requested == ["/app/config/config.yaml"]
    mounted.unlink()
    assert load("orchestrator", NEEDED).environment == "development"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"MIMIR_CRASH_POINTS": "/tmp", "ALLOW_UNISOLATED_WORKERS": "true"}, "MIMIR_CRASH_POINTS"),
        ({}, "ALLOW_UNISOLATED_WORKERS"),
        ({"LAUNCHER": "memory"}, "LAUNCHER=memory"),
    ],
)
def test_production_refuses_what_is_for_tests_and_laptops(more: dict[str, str], said: str) -> None:
    production = {**NEEDED, **SAFE}
    assert any(said in fault for fault in _faults({**production, **more}))
    assert load(
        "orchestrator", {**production, "ALLOW_UNISOLATED_WORKERS": "true"}
    ).allow_unisolated_workers


PLAIN = {
    "PUBLIC_URL": ("http://mimir.example.com", "public_url"),
    "REDIS_URL": ("redis://:p@redis/0", "redis"),
    "DATABASE_URL": ("postgresql://u:p@db/mimir", "database"),
    "ARTIFACTS_S3_ENDPOINT": ("http://bucket.example.com", "artifacts"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_production_refuses_what_is_not_encrypted_unless_it_is_named_as_accepted(name: str) -> None:
    value, accepted = PLAIN[name]
    production = {
        **NEEDED,
        **SAFE,
        "ALLOW_UNISOLATED_WORKERS": "true",
        "ARTIFACTS_URL": "s3://bucket",
        name: value,
    }
    [fault] = _faults(production)
    assert fault.startswith(name)
    assert f"ACCEPT_PLAIN={accepted}" in fault
    assert load("orchestrator", {**production, "ACCEPT_PLAIN": accepted}).accept_plain == (
        accepted,
    )
    others = ",".join(each for _value, each in PLAIN.values() if each != accepted)
    assert len(_faults({**production, "ACCEPT_PLAIN": others})) == 1
    assert load("orchestrator", {**production, "ENVIRONMENT": "development"})


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("postgresql://u:p@db/m?sslmode=verify-full", True),
        ("postgresql://u:p@db/m?sslmode=verify-ca&sslrootcert=/ca", True),
        ("postgresql://u:p@db/m?sslmode=require", False),
        ("postgresql://u:p@db/m?sslmode=prefer", False),
        ("postgresql://u:p@db/m?sslmode=disable", False),
        ("postgresql://u:p@db/m?sslmode=", False),
        ("postgresql://u:p@127.0.0.1/m", False),
        ("postgresql:///m?host=/var/run/postgresql", True),
    ],
)
def test_a_database_over_the_network_is_verified_in_production(url: str, fits: bool) -> None:
    production = {**NEEDED, **SAFE, "ALLOW_UNISOLATED_WORKERS": "true", "DATABASE_URL": url}
    if fits:
        assert load("orchestrator", production).database_url == url
    else:
        assert "sslmode=verify-full" in _faults(production)[0]


def test_the_frontend_refuses_a_plain_site_in_production_too() -> None:
    source = {"SECRET_KEY": "s" * 40, "ENVIRONMENT": "production"}
    [fault] = _faults(source, "frontend")
    assert fault.startswith("PUBLIC_URL")
    assert load("frontend", {**source, "ACCEPT_PLAIN": "public_url"})
    assert load("frontend", {**source, "PUBLIC_URL": "https://mimir.example.com"})
    assert _faults(
        {**source, "PUBLIC_URL": "https://m.example", "ACCEPT_PLAIN": "everything"}, "frontend"
    )[0].startswith("ACCEPT_PLAIN")


def test_crash_points_are_refused_by_the_frontend_too() -> None:
    source = {
        "SECRET_KEY": "s" * 40,
        "ENVIRONMENT": "production",
        "PUBLIC_URL": "https://mimir.example.com",
        "MIMIR_CRASH_POINTS": "/tmp",
    }
    assert _faults(source, "frontend") == [
        "MIMIR_CRASH_POINTS is for tests. Unset it if ENVIRONMENT=production"
    ]


def test_a_role_does_not_read_the_others_settings(tmp_path: Path) -> None:
    """The frontend ignores settings of other roles, even invalid ones, and does not load them."""
    foreign = {
        "DATABASE_URL": "nonsense",
        "REDIS_URL_FILE": str(tmp_path / "none"),
        "WORKER_KEYS": "short",
        "JOB_TIMEOUT": "x",
    }
    loaded = load("frontend", {"SECRET_KEY": "s" * 40, **foreign})
    assert (loaded.database_url, loaded.redis_url, loaded.worker_keys, loaded.job_timeout) == (
        "",
        "",
        (),
        3600,
    )
    source = {
        "SECRET_KEY": "s" * 40,
        "MIMIR_CONFIG": _config(tmp_path, "job_timeout: x\n")["MIMIR_CONFIG"],
    }
    assert load("frontend", source).job_timeout == 3600


def test_two_worker_keys_are_both_accepted_and_the_first_signs() -> None:
    first, second = "a" * 40, "b" * 40
    assert load("orchestrator", {**NEEDED, "WORKER_KEYS": f"{first}, {second}"}).worker_keys == (
        first,
        second,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"ml_dreaming": {}}', "RESOURCE_PROFILES"),
        ('{"ml_training": 5}', "RESOURCE_PROFILES"),
        ('{"ml_training": {"limits": {"cpu": "lots"}}}', "resources.cpu"),
    ],
)
def test_wrong_profiles_stop_the_start(settings: Any, text: str, said: str) -> None:
    from dataclasses import replace

    from jobs.apps import _check_profiles

    settings.ENV = replace(settings.ENV, resource_profiles=text)
    with pytest.raises(BadEnvironment) as refused:
        _check_profiles()
    assert said in str(refused.value)


def test_annotations_of_workers_pods_are_text_with_names_that_kubernetes_takes() -> None:
    good = '{"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled", "plain": ""}'
    assert (
        load("orchestrator", {**NEEDED, "WORKER_POD_ANNOTATIONS": good}).worker_pod_annotations
        == good
    )
    for bad in (
        '{"sidecar.istio.io/inject": false}',
        '{"a b": "c"}',
        '{"UPPER.io/x": "c"}',
        "[]",
        "no JSON",
    ):
        assert any(
            "WORKER_POD_ANNOTATIONS" in fault
            for fault in _faults({**NEEDED, "WORKER_POD_ANNOTATIONS": bad})
        )
