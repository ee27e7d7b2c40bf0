"""Messages about attempts, by reason, from facts that the orchestrator and the worker know.

The worker's own sentence, if it sent one, replaces the summary, except for OUT_OF_MEMORY and
DEADLINE_EXCEEDED.
"""

from jobs.contract import FailureReason
from jobs.diagnosis.message import AGAIN, Message, Step, message
from jobs.reasons import CLUSTER_REASONS, REASONS, Actor

_NOTHING_WRITTEN = "Nothing was written to the project."
_CHANGE = "Change and run again"
_IN_STEP = "[ in step {step}]"


def _of(reason: FailureReason, summary: str, detail: str, *steps: Step | str) -> Message:
    return message(reason.value, summary, detail, *steps)


def _limit(reason: FailureReason) -> Message:
    return _of(
        reason,
        "The attempt wrote more than its limit.",
        "Write less, or ask an administrator to raise the limit.",
        _CHANGE,
    )


def _lost(reason: FailureReason) -> Message:
    return _of(
        reason,
        "The worker vanished: it was killed externally, or its machine stopped.",
        f"Not caused by the job. {_NOTHING_WRITTEN} The log may lack its last lines.",
        AGAIN,
    )


def _from_cluster(reason: FailureReason) -> Message:
    """Return the message for a cluster's reason when the cluster's own report is missing."""
    summary = f"{reason.value.replace('_', ' ').capitalize()}."
    return message(f"{reason.value}.no_report", summary, REASONS[reason].remedy, AGAIN)


def _any(reason: FailureReason) -> Message:
    summary = f"The job ended: {reason.value}."
    return message(f"{reason.value}.no_detail", summary, _NOTHING_WRITTEN, AGAIN)


_SPECIFIC = (
    _of(
        FailureReason.WORKLOAD_FAILED,
        f"The work failed{_IN_STEP}.",
        f"The log shows what happened before. {_NOTHING_WRITTEN}",
        _CHANGE,
        AGAIN,
    ),
    _of(
        FailureReason.INVALID_INPUT,
        "The data does not fit the definition.",
        f"Fix the data or the definition. Retrying does not help. {_NOTHING_WRITTEN}",
        _CHANGE,
    ),
    _of(
        FailureReason.SIGNATURE_MISMATCH,
        "The dataset does not fit the model.",
        "A model needs the columns that it was trained on, with the same types. A pipeline can"
        f" rename and convert columns. {_NOTHING_WRITTEN}",
        "Choose a dataset that fits",
        "Train a model on this dataset",
    ),
    _of(
        FailureReason.MODEL_CORRUPT,
        "The model's file cannot be used.",
        "It was not loaded. An administrator should check the artifact storage: a file in it was"
        f" changed. {_NOTHING_WRITTEN}",
        "Train it again",
        "Use another version of the model",
    ),
    _of(
        FailureReason.EXIT_CODE,
        f"The command ended[ with exit code {{exit_code}}]{_IN_STEP}.",
        f"Its last lines are at the end of the log. {_NOTHING_WRITTEN}",
        _CHANGE,
        AGAIN,
    ),
    _of(
        FailureReason.SIGNAL,
        f"The command was ended by [signal {{signal}}: ]{{meaning}}{_IN_STEP}.",
        f"Native code of the command or of a library caused this, not Mimir. {_NOTHING_WRITTEN}",
        _CHANGE,
        AGAIN,
    ),
    _limit(FailureReason.LOG_LIMIT_EXCEEDED),
    _limit(FailureReason.ARTIFACT_LIMIT_EXCEEDED),
    _limit(FailureReason.DISK_FULL),
    _of(
        FailureReason.STORAGE_UNAVAILABLE,
        "The artifact storage did not accept files.",
        "Not caused by the job. An administrator must free space in the artifact storage"
        f" (ARTIFACTS_URL) or repair it. {_NOTHING_WRITTEN}",
        AGAIN,
    ),
    _of(
        FailureReason.SOURCE_UNAVAILABLE,
        "A source did not answer.",
        f"Run again when the source answers. {_NOTHING_WRITTEN}",
        AGAIN,
    ),
    _of(
        FailureReason.DEADLINE_EXCEEDED,
        f"Stopped at its time limit of {{timeout_seconds:span}}{_IN_STEP}.",
        f"Raise the time limit, request more CPU, or read less data. {_NOTHING_WRITTEN}",
        Step(
            "Run again with {more_seconds:span}",
            {"timeout_seconds": "{more_seconds}"},
        ),
        AGAIN,
    ),
    _of(
        FailureReason.LAUNCH_TIMEOUT,
        "The worker did not report within the launch time limit.",
        "An administrator should check the worker's machine and the address at which workers reach"
        " the orchestrator (ORCHESTRATOR_URL).",
        AGAIN,
    ),
    _of(
        FailureReason.LAUNCH_FAILED,
        "The worker could not be started.",
        "An administrator must act before a retry helps.",
        AGAIN,
    ),
    _lost(FailureReason.WORKER_LOST),
    _lost(FailureReason.INTERRUPTED),
)
_MORE_MEMORY = Step("Run again with {more_bytes:memory}", {"resources": {"memory": "{more}"}})
_MORE_WITH_RETRIES = Step(
    "Run again with up to {most_bytes:memory}",
    {"resources": {"memory": "{more}", "memory_max": "{most}"}},
)
OUT_OF_MEMORY_USED = message(
    "out_of_memory.used",
    f"Ran out of memory{_IN_STEP}. Used {{peak_bytes:memory}} of its {{limit_bytes:memory}}.",
    f"It was stopped before the machine ran out. {_NOTHING_WRITTEN}",
    _MORE_MEMORY,
    _MORE_WITH_RETRIES,
    "Read fewer rows or columns",
)
OUT_OF_MEMORY = message(
    "out_of_memory",
    f"Ran out of memory{_IN_STEP}. Its limit is {{limit_bytes:memory}}.",
    OUT_OF_MEMORY_USED.detail,
    _MORE_MEMORY,
    _MORE_WITH_RETRIES,
    "Read fewer rows or columns",
)
_RAN_WITH = (
    f"Ran out of memory{_IN_STEP}. Its limit was {{limit_bytes:memory}}"
    "[, its peak {peak_bytes:memory}]."
)
_MORE_THAN_MAX = Step(
    "Run again with {more_bytes:memory}",
    {"resources": {"memory": "{more}", "memory_max": "{more_max}"}},
)
OUT_OF_MEMORY_RAISED = message(
    "out_of_memory.raised",
    f"{_RAN_WITH} The next attempt gets {{next_bytes:memory}}.",
    "The memory is doubled after each attempt that runs out of it, up to {max_bytes:memory}"
    f" (memory_max). These attempts are not counted. {_NOTHING_WRITTEN}",
    Step("No action needed: it runs again with {next_bytes:memory}", actor=Actor.NOBODY),
)
OUT_OF_MEMORY_AT_MAX = message(
    "out_of_memory.at_max",
    f"{_RAN_WITH} That is the most that the job may use (memory_max).",
    f"The memory is not raised above {{max_bytes:memory}} (memory_max). {_NOTHING_WRITTEN}",
    _MORE_THAN_MAX,
    "Read fewer rows or columns",
)
OUT_OF_MEMORY_ON_MACHINE = message(
    "out_of_memory.on_machine",
    f"{_RAN_WITH} Its machine has no more.",
    "The memory was not raised: it is limited by the machine of the workers, not by"
    f" {{max_bytes:memory}} (memory_max). {_NOTHING_WRITTEN}",
    "Read fewer rows or columns",
    "Run the job on a cluster with more memory",
)
STORAGE_WAIT = message(
    "storage_unavailable.waiting",
    "{problem}.",
    "The worker retries every few seconds, and the job continues automatically when the storage"
    " works again. An administrator must free space in the artifact storage (ARTIFACTS_URL) or "
    "repair"
    " it.",
    waiting=True,
)
BY_REASON: dict[FailureReason, Message] = {
    **{reason: _any(reason) for reason in FailureReason},
    **{reason: _from_cluster(reason) for reason in CLUSTER_REASONS},
    **{each.reason: each for each in _SPECIFIC},
    FailureReason.OUT_OF_MEMORY: OUT_OF_MEMORY,
}
