"""The current time. The only module that reads the clock: tests patch one name."""

import datetime as dt


def utc_now() -> dt.datetime:
    """Return the current time as an aware datetime in UTC."""
    return dt.datetime.now(dt.UTC)


def rfc3339_nano(nanoseconds: int) -> str:
    """Format a Unix time in nanoseconds like CRI log lines: RFC 3339, nine digits and `Z`."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
