"""Columns of every type that pandas and pyarrow can write."""

import datetime as dt
import decimal

import numpy as np
import pyarrow as pa

N = 60
TIMES = [dt.datetime(2024, 1, 1) + dt.timedelta(hours=number) for number in range(N)]
DAYS = [dt.date(2024, 1, 1) + dt.timedelta(days=number) for number in range(N)]
NUMBERS = list(range(N))


def _types() -> dict[str, tuple[pa.Array, str]]:
    """Return values of every type that pandas and pyarrow write, each with its column kind."""
    found: dict[str, tuple[pa.Array, str]] = {}
    for unit in ("s", "ms", "us", "ns"):
        found[f"timestamp[{unit}]"] = pa.array(TIMES, pa.timestamp(unit)), "time"
        found[f"timestamp[{unit}, zone]"] = (
            pa.array(TIMES, pa.timestamp(unit, "Europe/Berlin")),
            "time",
        )
        found[f"duration[{unit}]"] = pa.array(NUMBERS, pa.duration(unit)), "number"
    for bits in (8, 16, 32, 64):
        found[f"int{bits}"] = pa.array(NUMBERS, getattr(pa, f"int{bits}")()), "number"
        found[f"uint{bits}"] = pa.array(NUMBERS, getattr(pa, f"uint{bits}")()), "number"
    found["float16"] = pa.array(np.arange(N, dtype=np.float16)), "number"
    found["float32"] = pa.array(NUMBERS, pa.float32()), "number"
    for kind in (pa.decimal128(10, 2), pa.decimal128(38, 5), pa.decimal256(60, 2)):
        found[str(kind)] = (
            pa.array([decimal.Decimal(number) for number in NUMBERS], kind),
            "number",
        )
    found["date32"] = pa.array(DAYS, pa.date32()), "time"
    found["date64"] = pa.array(DAYS, pa.date64()), "time"
    found["bool"] = pa.array([number % 2 == 0 for number in NUMBERS]), "boolean"
    texts = [f"w{number % 3}" for number in NUMBERS]
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        found[str(kind)] = pa.array(texts, kind), "category"
    found["dictionary"] = pa.array(texts).dictionary_encode(), "category"
    found["dictionary of numbers"] = pa.array(NUMBERS).dictionary_encode(), "number"
    found["dictionary of times"] = pa.array(TIMES, pa.timestamp("ns")).dictionary_encode(), "time"
    found["time32"] = pa.array([dt.time(number % 24) for number in NUMBERS], pa.time32("ms")), ""
    found["time64"] = pa.array([dt.time(number % 24) for number in NUMBERS], pa.time64("ns")), ""
    found["null"] = pa.nulls(N), ""
    found["list"] = pa.array([[number] for number in NUMBERS]), ""
    found["struct"] = pa.array([{"a": number} for number in NUMBERS]), ""
    found["map"] = (
        pa.array([[("a", number)] for number in NUMBERS], pa.map_(pa.string(), pa.int64())),
        "",
    )
    found["binary"] = pa.array([b"\x00\xff"] * N), ""
    return found


TYPES = _types()
