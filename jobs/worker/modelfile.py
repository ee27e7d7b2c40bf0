"""Model files: skops, a zip of JSON and arrays, read with a fixed list of trusted types.

A file is checked before an object is built from it: as a zip (number of entries, unpacked size),
then by the types it names. The supervisor has checked its size and SHA-256. Code in a file is never
run.
"""

import zipfile
from pathlib import Path
from typing import Any

from jobs.contract import FailureReason
from jobs.worker.workload_context import WorkFailed

# Types in the models of `ml_training/estimators.py`, beyond those that skops trusts by default
# (scikit-learn's estimators, NumPy's arrays). `partial` only wraps a function that is trusted
# itself: HistGradientBoosting checks its categories with one.
TRUSTED_TYPES = (
    "functools.partial",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
)
ENTRIES_MAX = 500_000
RATIO_MAX = 200  # deflate reaches 1000; JSON and arrays of these models stay below 60
RATIO_FROM_BYTES = 16 * 1024 * 1024  # smaller files are harmless at any ratio
# Share of the job's memory: the unpacked bytes and the objects built from them are in memory
# together.
MEMORY_SHARE = 0.5
_WHAT_TO_DO = "Train it again, or use another version."


def save_model(model: Any, path: Path, *, memory_bytes: int) -> None:
    """Write the model and read it back: a file that cannot be loaded is not delivered.

    Raises: WorkFailed.
    """
    import skops.io

    skops.io.dump(model, path, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    load_model(path, memory_bytes=memory_bytes)


def load_model(path: Path, *, memory_bytes: int) -> Any:
    """Load the model of a file. `memory_bytes`: the job's limit.

    Raises: WorkFailed `model_corrupt` or `out_of_memory`.
    """
    _check_zip(path, int(memory_bytes * MEMORY_SHARE))
    import skops.io

    try:
        strange = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED_TYPES))
        if strange:
            raise _corrupt(
                f"it has types that Mimir models do not use ({', '.join(strange[:5])[:300]}). "
                "It was not loaded"
            )
        return skops.io.load(path, trusted=list(TRUSTED_TYPES))
    except (WorkFailed, MemoryError):
        raise
    except Exception as error:  # a reader can raise anything on a damaged file
        raise _corrupt(f"it cannot be read ({type(error).__name__}: {str(error)[:300]})") from error


def _check_zip(path: Path, unpacked_bytes_max: int) -> None:
    """Check the sizes in the zip's directory: a member is never read beyond its size there."""
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
            f"{packed} bytes would become {unpacked} bytes unpacked: it is a zip bomb, "
            "and was not unpacked"
        )
    if unpacked > unpacked_bytes_max:
        raise WorkFailed(
            FailureReason.OUT_OF_MEMORY,
            f"The model has {unpacked} bytes unpacked, and this job's memory allows "
            f"{unpacked_bytes_max}. Request more memory.",
        )


def _corrupt(what: str) -> WorkFailed:
    return WorkFailed(
        FailureReason.MODEL_CORRUPT, f"The model's file cannot be used: {what}. {_WHAT_TO_DO}"
    )
