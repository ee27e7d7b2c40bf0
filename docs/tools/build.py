"""`python -m docs.tools.build FOLDER`: write all pages of the documentation site to FOLDER.

Pages written by hand are copied from docs/; the generated part of the reference is added. An
existing folder is replaced, because removed pages must not stay in it.
"""

import json
import os
import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
_NOT_PAGES = shutil.ignore_patterns("tools", "mkdocs.yml", "__pycache__", "*.py")


def build(target: Path) -> list[str]:
    """Write all pages to `target`. Return the names of the generated ones."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mimir.settings.orchestrator")
    import django

    django.setup()
    from drf_spectacular.generators import SchemaGenerator

    from docs.tools import reference, rest

    document = SchemaGenerator().get_schema(request=None, public=True)
    pages = {
        "api.md": rest.page(document),
        "failure-reasons.md": reference.failure_reasons(),
        "job-types.md": reference.job_types(),
        "metrics.md": reference.metrics(),
        "openapi.json": json.dumps(document, indent=1),
        "pipeline-steps.md": reference.pipeline_steps(),
        "settings.md": reference.settings(),
    }
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(DOCS, target, ignore=_NOT_PAGES)
    for name, content in pages.items():
        (target / "reference" / name).write_text(content)
    return sorted(pages)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
