"""Model versions inserted into an installation's database.

For tests of their display, which need no training.
"""

import json
import subprocess
import sys
from typing import Any

import psutil

from mimir.dev.paths import ROOT
from tests.support.stack import Stack

_PROGRAM = """
import json, sys, django
django.setup()
from projects.models import DatasetVersion, Model, ModelVersion, Project
given = json.load(sys.stdin)
project = Project.objects.get(slug=given["project"])
data = DatasetVersion.objects.filter(dataset__project=project, dataset__name=given["dataset"]).order_by("-number").first()
model, _ = Model.objects.get_or_create(project=project, name=given["name"])
for version in given["versions"]:
    model.latest_number += 1
    plots = {**version["plots"], "importance": version["importance"]}
    kept = ("task", "algorithm", "target", "hyperparameters", "signature", "metrics", "baseline", "training", "libraries", "size_bytes", "sha256")
    known = {name: version[name] for name in kept}
    ModelVersion.objects.create(model=model, number=model.latest_number, training_data=data, plots=plots, storage_key="none", **known)
model.save()
"""  # noqa: E501


def write_versions(
    stack: Stack, *, project: str, name: str, dataset: str, versions: list[dict[str, Any]]
) -> None:
    """Insert versions of a model, trained on the newest version of `dataset`, and return them.

    The format is that of the API. They have no file.
    """
    environment = {
        **psutil.Process(stack.pids("web")[0]).environ(),
        "DJANGO_SETTINGS_MODULE": "mimir.settings.orchestrator",
    }
    given = json.dumps({"project": project, "name": name, "dataset": dataset, "versions": versions})
    subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=given,
        text=True,
        cwd=ROOT,
        env=environment,
        check=True,
        timeout=60,
    )
