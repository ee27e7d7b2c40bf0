"""Logs: one JSON object per line on stdout, with the ids of request and job.

structlog and the standard library use the same formatter, so that lines of Django, RQ and uvicorn
look the same.
"""

from typing import Any

import structlog
import structlog.tracebacks
from structlog.types import EventDict, WrappedLogger

from mimir.lib.redaction import redact

_LEVELS = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR"}
# Libraries that log every request or statement: only their warnings are useful.
_TALKATIVE = ("uvicorn.access", "rq.worker", "httpx", "daphne", "axes", "psycopg")


# Without local variables: they contain tokens, passwords and personal data.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def _drop_started(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop the line for the start of a request: the line for its end is enough."""
    if event.get("event") == "request_started":
        raise structlog.DropEvent
    return event


def _redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    redacted: EventDict = redact(event)
    return redacted


def _shared() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def logging_config(level: str) -> dict[str, Any]:
    """Return the `LOGGING` dict for `level` (debug, info, warn, error). Configures structlog."""
    structlog.configure(
        processors=[
            *_shared(),
            _drop_started,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    quiet = "ERROR" if level == "error" else "WARNING"
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _TRACEBACKS,
            _redact_event,
            structlog.processors.JSONRenderer(),
        ],
        "foreign_pre_chain": [*_shared(), structlog.stdlib.ExtraAdder()],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": formatter},
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "json",
            }
        },
        "root": {"handlers": ["stdout"], "level": _LEVELS[level]},
        "loggers": {name: {"level": quiet} for name in _TALKATIVE}
        | {"django.request": {"level": "ERROR"}},
    }
