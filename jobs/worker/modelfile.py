"""The file a model is kept in: skops, which is a zip of JSON and arrays, read with a fixed list of trusted types.

It is judged before anything of it is built: as a zip (how many entries, how large unpacked), then by the types it names. Its size and
sha256 were checked by the supervisor. Nothing here runs code that a file brings.
"""

import zipfile
from pathlib import Path
from typing import Any

from jobs.contract import FailureReason
from jobs.worker.workload_context import WorkFailed

# Beyond what skops trusts by itself (scikit-learn's estimators, NumPy's arrays): all that models of `training/estimators.py` hold.
# `partial` only ever wraps a function that is itself trusted: HistGradientBoosting checks its categories with one.
TRUSTED_TYPES = (
    "functools.partial",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
)
ENTRIES_MAX = 500_000
RATIO_MAX = 200  # deflate reaches 1000; the JSON and the arrays of our models stay below 60
RATIO_FROM_BYTES = 16 * 1024 * 1024  # smaller ones cannot hurt, whatever their ratio
MEMORY_SHARE = (
    0.5  # of the job's memory: what is unpacked stands in memory, beside what is made of it
)
_WHAT_TO_DO = "Train it again, or use another version."


def save_model(model: Any, path: Path, *, memory_bytes: int) -> None:
    """Write the model, and read it back: what could not be loaded is not delivered. Raises: WorkFailed."""
    import skops.io

    skops.io.dump(model, path, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    load_model(path, memory_bytes=memory_bytes)


def load_model(path: Path, *, memory_bytes: int) -> Any:
    """The model in the file. `memory_bytes`: the job's limit. Raises: WorkFailed `model_corrupt`."""
    _check_zip(path, int(memory_bytes * MEMORY_SHARE))
    import skops.io

    try:
        strange = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED_TYPES))
        if strange:
            raise _corrupt(
                f"it holds what no model of Mimir holds ({', '.join(strange[:5])[:300]}). It was not loaded"
            )
        return skops.io.load(path, trusted=list(TRUSTED_TYPES))
    except (WorkFailed, MemoryError):
        raise
    except Exception as error:  # whatever a broken file makes of a reader
        raise _corrupt(f"it cannot be read ({type(error).__name__}: {str(error)[:300]})") from error


def _check_zip(path: Path, unpacked_bytes_max: int) -> None:
    """What the directory of the zip says holds: a member is never read beyond the size given there."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _corrupt(f"it is not a zip ({error})") from error
    if len(members) > ENTRIES_MAX:
        raise _corrupt(f"it has {len(members)} entries, and {ENTRIES_MAX} at most are read")
    unpacked = sum(member.file_size for member in members)
    packed = max(1, path.stat().st_size)
    if unpacked > RATIO_FROM_BYTES and unpacked > packed * RATIO_MAX:
        raise _corrupt(
            f"{packed} bytes would become {unpacked} bytes unpacked: it is a zip bomb, and was not unpacked"
        )
    if unpacked > unpacked_bytes_max:
        raise WorkFailed(
            FailureReason.OUT_OF_MEMORY,
            f"The model's {unpacked} bytes, unpacked, are more than the {unpacked_bytes_max} that this job's memory has room for.",
        )


def _corrupt(what: str) -> WorkFailed:
    return WorkFailed(
        FailureReason.MODEL_CORRUPT, f"The model's file cannot be used: {what}. {_WHAT_TO_DO}"
    )
