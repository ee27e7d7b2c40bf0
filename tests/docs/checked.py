"""Documentation blocks that the tests do not run: each with its reason and the replacing check."""

import importlib.util
import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import jsonschema
import yaml
from django.apps import apps
from django.core.management import get_commands
from drf_spectacular.generators import SchemaGenerator

from docs.tools import reference
from tests.docs.blocks import ROOT, Block

Check = Callable[[Block], None]


def commands_exist(block: Block) -> None:
    """The script parses; its make targets, modules, management commands and paths exist."""
    text = re.sub(r"<[a-z ]+>", "placeholder", re.sub(r"<\(", "<(", block.text))
    parsed = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
    assert parsed.returncode == 0, parsed.stderr
    script = re.sub(r"(^|\s)#.*$", "", text, flags=re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z][a-z0-9-]*)", script):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"no make target {target}"
    for path in re.findall(
        r"(?:^|[\s=])((?:deploy|requirements|tests|examples|docs)/[\w./-]+)", script
    ):
        assert (ROOT / path.rstrip(".")).exists(), f"no file {path}"
    for module in re.findall(r"python3? -m ([\w.]+)", script):
        assert importlib.util.find_spec(module), f"no module {module}"
    for command in re.findall(r"manage\.py ([a-z_]+)", script):
        assert command in get_commands(), f"no management command {command}"


def cluster_request(block: Block) -> None:
    """The body is accepted by the schema of `POST /api/v1/clusters/`."""
    document: Any = SchemaGenerator().get_schema(request=None, public=True)
    body = document["paths"]["/api/v1/clusters/"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    jsonschema.validate(json.loads(block.text), {**document, **schema})


def metrics_exist(block: Block) -> None:
    """The YAML parses, and every metric that it names is exported."""
    assert isinstance(yaml.safe_load(block.text), dict)
    page = reference.metrics()
    for name in re.findall(r"\bmimir_[a-z_]+", block.text):
        assert f"`{name}`" in page, f"no metric {name}"


def columns_exist(block: Block) -> None:
    """The UPDATE names a table and a column of the product."""
    match = re.fullmatch(r"UPDATE (\w+) SET (\w+) = .*;\n", block.text)
    assert match
    tables = {model._meta.db_table: model for model in apps.get_models()}
    assert match[2] in {field.column for field in tables[match[1]]._meta.fields}


_STARTS = "starts, stops or installs the system"
_CLUSTER = "needs a Kubernetes cluster, images and secrets; `make e2e` runs the same commands"
_DEVELOPER = "builds or tests this repository, as `make check` and `make test` do"

# (page, first line of the block) -> (reason, check)
NOT_RUN: dict[tuple[str, str], tuple[str, Check]] = {
    (
        "examples/README.md",
        "export MIMIR_URL=http://localhost:3000 MIMIR_TOKEN=$TOKEN",
    ): ("the page of the example runs the same script", commands_exist),
    ("README.md", "git clone <this repository> mimir && cd mimir"): (_STARTS, commands_exist),
    ("docs/how-to/upgrade.md", "git pull"): (_STARTS, commands_exist),
    ("docs/how-to/upgrade.md", "make manifests"): (_CLUSTER, commands_exist),
    (
        "docs/how-to/install-on-a-server.md",
        "python3 -m venv .venv && .venv/bin/pip install --require-hashes -r "
        "requirements/laptop.txt",
    ): (_STARTS, commands_exist),
    (
        "docs/how-to/install-on-kubernetes.md",
        "make images                                         # container engine dockerd (moby)",
    ): (_CLUSTER, commands_exist),
    (
        "docs/how-to/install-on-kubernetes.md",
        "make images && kubectl rollout restart deployment/orchestrator deployment/frontend"
        "    # after a change",
    ): (_CLUSTER, commands_exist),
    ("docs/how-to/install-on-kubernetes.md", "make manifests"): (_CLUSTER, commands_exist),
    (
        "docs/how-to/install-on-kubernetes.md",
        'secret() { kubectl -n mimir-aip create secret generic "$@"; }',
    ): (_CLUSTER, commands_exist),
    (
        "docs/how-to/add-a-cluster.md",
        '{"name": "eu-1", "region": "eu", "context": "eu-1", "namespace": "mimir-workers",',
    ): ("needs a second cluster", cluster_request),
    ("docs/how-to/monitor.md", "scrape_configs:"): ("is read by Prometheus", metrics_exist),
    ("docs/how-to/monitor.md", "groups:"): ("is read by Prometheus", metrics_exist),
    (
        "docs/how-to/operate.md",
        "UPDATE jobs_cluster SET installation = gen_random_uuid();",
    ): ("would separate the running installation from its workers", columns_exist),
    (
        "docs/how-to/use-the-api.md",
        "openapi-python-client generate --path openapi.json    # Python",
    ): ("tests/contract/test_{python,typescript}_client.py run both generators", commands_exist),
}
# Pages whose blocks are all of one kind.
NOT_RUN_PAGES: dict[str, tuple[str, Check]] = {
    "CONTRIBUTING.md": (_DEVELOPER, commands_exist),
    "SECURITY.md": (_DEVELOPER, commands_exist),
}


def exception_of(block: Block) -> tuple[str, Check] | None:
    """Return why a block is not run and what is checked instead; None if it is run."""
    return NOT_RUN.get((block.page, block.first)) or NOT_RUN_PAGES.get(block.page)
