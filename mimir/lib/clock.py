"""The one place that asks for the time, so that tests patch one name."""

import datetime as dt


def utc_now() -> dt.datetime:
    """Now, as an aware datetime in UTC."""
    return dt.datetime.now(dt.UTC)


def rfc3339_nano(nanoseconds: int) -> str:
    """A Unix time in nanoseconds as RFC 3339 with nine digits and `Z`, the form CRI log lines carry."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
