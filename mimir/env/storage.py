"""Settings of the database, of Redis, of stored files, and of how long they are kept."""

from dataclasses import dataclass

from mimir.env import parse
from mimir.env.setting import BOTH, GIB, setting

POOL_SIZE_MIN = 8  # the threads of a reconciler with one cluster, and some more


@dataclass(frozen=True)
class Storage:
    """Settings of the database, of Redis, of stored files, and of how long they are kept."""

    database_url: str = setting(
        parse.url("postgresql", "postgres"), None, "URL of the PostgreSQL database."
    )
    database_pool_size: int = setting(
        parse.integer(POOL_SIZE_MIN, 1000),
        "20",
        "Connections to PostgreSQL that each process may open. Bounds the requests at once of web.",
    )
    redis_url: str = setting(
        parse.url("redis", "rediss", "unix"),
        None,
        "URL of Redis or Valkey. It holds messages only, no data of record.",
    )
    channel_layer: str = setting(
        parse.text,
        "jobs.core.layer.SealedPubSubChannelLayer",
        "Class that transports live updates.",
    )
    artifacts_url: str = setting(
        parse.artifact_store,
        "file:///app/artifacts",
        "Storage of artifacts and finished logs: file:///folder or s3://bucket/prefix.",
    )
    artifacts_s3_endpoint: str = setting(
        parse.endpoint, "", "URL of the S3 server. Empty: Amazon's."
    )
    artifacts_s3_region: str = setting(
        parse.text, "", "Region of the bucket. Empty: AWS_REGION, or the server's default."
    )
    artifacts_s3_addressing: str = setting(
        parse.choice("auto", "path", "virtual"),
        "auto",
        "Where the bucket's name stands: in the path, or in the host (virtual).",
    )
    max_upload_bytes: int = setting(
        parse.integer(1), str(GIB), "Size of one upload, in bytes. Above it: 413.", roles=BOTH
    )
    spool_dir: str = setting(
        parse.text,
        "",
        "Folder for uploads in progress. Empty: the system's temporary folder.",
        roles=BOTH,
    )
    upload_spool_bytes: int = setting(
        parse.integer(0),
        "0",
        "Size of all uploads in SPOOL_DIR at once. 0: twice MAX_UPLOAD_BYTES.",
        roles=BOTH,
    )
    retention_events_days: int = setting(
        parse.integer(0), "0", "Days to keep events and usage of ended jobs. 0: without limit."
    )
    retention_jobs_days: int = setting(
        parse.integer(0),
        "0",
        "Days to keep ended jobs with their logs and artifacts. 0: without limit.",
    )
