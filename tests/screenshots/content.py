"""Programs, tables, workbooks and definitions that the screenshots show."""

from typing import Any

from tests.support.workbooks import PlainCell, xlsx_of

STATIONS_PROGRAM = """
import random, sys
random.seed(4)
print("station,day,trips,minutes,member_share")
for station in ("Pier 69", "Pine St & 9th Ave", "Westlake Ave & 6th Ave", "Occidental Park", "E Pine St & 16th Ave"):
    for day in range(1, 29):
        print(f"{station},2026-10-{day:02d},{random.randint(20, 240)},{random.uniform(6, 25):.2f},{random.uniform(.3, .9):.3f}")
""".strip()  # noqa: E501

CLEAN = """
import sys, time, random
random.seed(7)
stations = ["Pier 69", "Pine St & 9th Ave", "Westlake Ave & 6th Ave", "Occidental Park", "E Pine St & 16th Ave"]
print("\\x1b[1mreading 1 024 000 trips\\x1b[0m", flush=True)
for number in range(1, 4000):
    level = "\\x1b[33mWARN\\x1b[0m" if number % 37 == 0 else "\\x1b[32mINFO\\x1b[0m"
    what = "trip without an end, skipped" if number % 37 == 0 else f"{stations[number % 5]}: {random.randint(80, 900)} trips"
    print(f"{level} batch {number:4d} {what}", file=sys.stderr if number % 37 == 0 else sys.stdout, flush=True)
    time.sleep(0.02 if number < 160 else 0.4)
""".strip()  # noqa: E501

REFUSED = """
import sys
print("reading inputs/trips.parquet", flush=True)
print("140 rows, 5 columns", flush=True)
print("Traceback (most recent call last):", file=sys.stderr)
print('  File "check.py", line 31, in <module>', file=sys.stderr)
print('    assert share <= 1, f"member_share {share} in row {row}"', file=sys.stderr)
print("AssertionError: member_share 1.08 in row 97", file=sys.stderr)
sys.exit(1)
""".strip()

GREEDY = """
import time
rows = []
for number in range(4096):
    rows.append(b"x" * (4 << 20))
    if number % 10 == 0:
        print(f"{number} of 4096 parts loaded", flush=True)
    time.sleep(0.15)
""".strip()

LONG_LINES = """
print("{" + ", ".join(f'"station_{number}": {number * 7}' for number in range(4000)) + "}")
print("reading inputs/\\u202etxt.exe and <script>alert(1)</script>")
for number in range(60):
    print(f"{number:3d} " + "a rather long line that says the same thing again and again, " * (number % 4))
""".strip()  # noqa: E501

_STATION_ROWS: list[list[PlainCell]] = [[31000 + n, f"Station {n}"] for n in range(120)]
BOOK = xlsx_of(
    {
        "Trips 2025": [
            ["Trips of the year"],
            [],
            ["made by hand"],
            ["station", "started", "minutes", "rider", "note"],
            *(
                [
                    31000 + n % 397,
                    f"2025-{n % 12 + 1:02}-03 07:12:00",
                    n / 10 if n % 9 else None,
                    ("casual", "member")[n % 2],
                ]
                for n in range(3000)
            ),
        ],
        "Stations": [["station", "name"], *_STATION_ROWS],
        "Chart": [],
        "Old lists": [["station"], [31000]],
    },
    hidden=["Old lists"],
)
COUNTERS = b"""sensor_id;measured_at;flow_l_h;temp_c;active;humidity
S-1001;01/02/2025;1.234,5;12,4;true;61
S-1001;02/02/2025;1.180,0;12,1;true;63
S-1002;03/03/2025;998,2;n/a;false;58
S-1002;04/03/2025;1.410,7;13,0;true;57
S-1003;05/04/2025;1.402,2;12,8;true;60
"""
STREETS = (
    "3rd Ave & Broad St",
    "2nd Ave & Vine St",
    "Cedar St & 3rd Ave",
    "6th Ave & Blanchard St",
    "Pier 69",
    "Westlake Ave & 6th Ave",
)
TWIN_DEFINITION: dict[str, Any] = {
    "types": [
        {
            "name": "station",
            "title": "Station",
            "key": {"name": "station_id", "title": "Station"},
            "properties": [
                {"name": "label", "title": "Label", "type": "string"},
                {"name": "bikes", "title": "Bikes available", "type": "integer", "unit": "bikes"},
                {"name": "temperature", "title": "Temperature", "type": "number", "unit": "°C"},
                {"name": "in_service", "title": "In service", "type": "boolean"},
                {"name": "opened_on", "title": "Opened", "type": "date"},
            ],
            "relations": [{"name": "district", "title": "In district", "to": "district"}],
        },
        {
            "name": "district",
            "title": "District",
            "key": {"name": "name"},
            "properties": [{"name": "residents", "title": "Residents", "type": "integer"}],
        },
    ]
}

LONG_NAME = (
    "Weekly comparison of member and casual trips by station, weather and hour of the day, " * 3
)[:200]
READ = {"id": "trips", "uses": "read", "with": {"dataset": "bike-trips"}}
_QUERY = """
SELECT day, sum(trips) AS trips, avg(member_share) AS member_share
FROM trips
GROUP BY day
ORDER BY day
""".strip()
DAILY = {"id": "daily", "uses": "sql", "with": {"query": _QUERY}}
