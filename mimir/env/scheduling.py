"""Settings of admission, retries, timeouts and capacity."""

from dataclasses import dataclass

from mimir.env import parse
from mimir.env.setting import setting


@dataclass(frozen=True)
class Scheduling:
    """Settings of admission, retries, timeouts and capacity."""

    beat_file: str = setting(
        parse.text,
        "",
        "File that a loop touches after each heartbeat, for a liveness probe. Empty: none.",
    )
    job_timeout: int = setting(
        parse.integer(1, 30 * 86400),
        "3600",
        "Seconds of an attempt after its claim, for jobs without their own time limit.",
    )
    launch_timeout: int = setting(
        parse.integer(1, 86400), "300", "Seconds from admission to claim."
    )
    cancel_grace: int = setting(
        parse.integer(0, 3600),
        "10",
        "Seconds that a cancelled worker has to stop before it is killed.",
    )
    worker_grace: int = setting(
        parse.integer(0, 86400),
        "600",
        "Seconds that a worker tries to report the end of its attempt.",
    )
    launch_concurrency: int = setting(
        parse.integer(1, 256), "16", "Concurrent launches on each cluster."
    )
    start_window: int = setting(
        parse.integer(1, 100000),
        "32",
        "Workers that a cluster starts at the same time at first. Adapts to its starts.",
    )
    start_window_min: int = setting(
        parse.integer(1, 100000), "4", "Smallest number of workers started at the same time."
    )
    start_window_max: int = setting(
        parse.integer(1, 100000), "1000", "Largest number of workers started at the same time."
    )
    infrastructure_retries: int = setting(
        parse.integer(0, 100),
        "5",
        "Retries after infrastructure failures, in addition to the job's attempts.",
    )
    retry_back_off: float = setting(
        parse.number(0, 3600), "2", "Seconds before the first retry. Doubles with each retry."
    )
    retry_back_off_max: float = setting(
        parse.number(0, 86400), "300", "Longest time before a retry, in seconds."
    )
    ageing_seconds: int = setting(
        parse.integer(1, 86400 * 7),
        "600",
        "Seconds of waiting that raise a job's priority by one class.",
    )
    reserve_after_seconds: int = setting(
        parse.integer(1, 86400),
        "180",
        "Seconds before capacity is reserved for a job that is too large to start.",
    )
    sweep_seconds: float = setting(
        parse.number(0.05, 60), "2", "Seconds between admission passes without an event."
    )
    reconcile_seconds: float = setting(
        parse.number(0.05, 60), "1", "Seconds between reconcile passes without an event."
    )
    lease_seconds: float = setting(
        parse.number(0.5, 60), "2", "Seconds that the lease of the leading reconciler is valid."
    )
    capacity_jobs: int = setting(
        parse.integer(0), "0", "Jobs that the default cluster runs at once. 0: from its cores."
    )
    capacity_gpus: int = setting(parse.integer(0), "0", "GPUs of the default cluster.")
    capacity_cpu_millicores: int = setting(
        parse.integer(0),
        "0",
        "CPU of the default cluster. 0: from the machine, or enough for CAPACITY_JOBS.",
    )
    capacity_memory_bytes: int = setting(
        parse.integer(0),
        "0",
        "Memory of the default cluster. 0: from the machine, or enough for CAPACITY_JOBS.",
    )
    resource_profiles: str = setting(
        parse.json_object, "", "JSON: job type -> {requests, limits}. Empty: the built-in profiles."
    )
