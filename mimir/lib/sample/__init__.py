"""The sample project: a public data set and one job of each type, for demo and empty projects.

Daily weather of Seattle becomes a table of history and a table of the last days. A model learns the
next day's highest temperature from the history and predicts it for the last days. A twin stores
both, day by day.
"""

from pathlib import Path
from typing import Any

PROJECT, PROJECT_NAME = "seattle-weather", "Seattle weather"
DESCRIPTION = "Daily weather of Seattle, 2012 to 2015 (NOAA)."
FILE = Path(__file__).parent / "seattle-weather.csv"
DATASET, PIPELINE, MODEL, TWIN = "weather", "weather-days", "tomorrow", "seattle"
BY_MONTH, HISTORY, RECENT, FORECAST = (
    "weather-by-month",
    "weather-history",
    "weather-recent",
    "forecast",
)

_BY_MONTH = """
SELECT
    strftime(date, '%Y-%m') AS month,
    round(avg((temp_max + temp_min) / 2), 1) AS mean_temperature,
    round(sum(precipitation), 1) AS precipitation_mm,
    count(*) FILTER (WHERE weather = 'sun') AS sunny_days,
    count(*) AS days
FROM weather
GROUP BY month
ORDER BY month
""".strip()

_DAYS = """
SELECT
    date,
    dayofyear(date) AS day_of_year,
    temp_max,
    temp_min,
    precipitation,
    wind,
    weather,
    lag(temp_max) OVER (ORDER BY date) AS temp_max_before,
    lead(temp_max) OVER (ORDER BY date) AS next_temp_max
FROM weather
""".strip()

_HISTORY = (
    "SELECT * FROM days WHERE date < DATE '2015-12-01' AND next_temp_max IS NOT NULL ORDER BY date"
)
_RECENT = "SELECT * EXCLUDE (next_temp_max) FROM days WHERE date >= DATE '2015-12-01' ORDER BY date"

_REPORT = """
import time
import duckdb

rows = duckdb.sql("SELECT * FROM 'inputs/by_month.parquet' ORDER BY month").fetchall()
print(f"{len(rows)} months", flush=True)
with open("outputs/report.md", "w") as report:
    report.write("| month | mean temperature | rain mm | sunny days |\\n|---|---|---|---|\\n")
    for number, (month, temperature, rain, sunny, days) in enumerate(rows, start=1):
        report.write(f"| {month} | {temperature} | {rain} | {sunny} of {days} |\\n")
        print(f"{month}  {temperature:5.1f} degrees  {'#' * round(rain / 10)}", flush=True)
        time.sleep(0.02)
print("wrote outputs/report.md", flush=True)
""".strip()

DEFINITION: dict[str, Any] = {
    "steps": [
        {"id": "weather", "uses": "read", "with": {"dataset": DATASET}},
        {"id": "by_month", "uses": "sql", "with": {"query": _BY_MONTH}},
        {
            "id": "report",
            "uses": "command",
            "needs": ["by_month"],
            "with": {"argv": ["python3", "-c", _REPORT]},
        },
        {"id": "save_months", "uses": "write", "with": {"dataset": BY_MONTH, "from": "by_month"}},
        {"id": "days", "uses": "sql", "with": {"query": _DAYS}},
        {"id": "history", "uses": "sql", "with": {"query": _HISTORY}},
        {"id": "save_history", "uses": "write", "with": {"dataset": HISTORY, "from": "history"}},
        {"id": "recent", "uses": "sql", "with": {"query": _RECENT}},
        {"id": "save_recent", "uses": "write", "with": {"dataset": RECENT, "from": "recent"}},
    ]
}

TWIN_DEFINITION: dict[str, Any] = {
    "types": [
        {
            "name": "day",
            "title": "Day",
            "key": {"name": "date", "title": "Date"},
            "properties": [
                {
                    "name": "temp_max",
                    "type": "number",
                    "unit": "°C",
                    "title": "Highest temperature",
                },
                {"name": "temp_min", "type": "number", "unit": "°C", "title": "Lowest temperature"},
                {"name": "weather", "type": "string", "title": "Weather"},
                {
                    "name": "next_temp_max",
                    "type": "number",
                    "unit": "°C",
                    "title": "Highest temperature of the day after, predicted",
                },
            ],
        }
    ]
}

# The four jobs in order: each uses the results of earlier ones.
JOBS: tuple[dict[str, Any], ...] = (
    {
        "type": "pipeline_execution",
        "name": "Prepare the days",
        "parameters": {"pipeline": PIPELINE},
    },
    {
        "type": "ml_training",
        "name": "Learn tomorrow's temperature",
        "parameters": {
            "dataset": HISTORY,
            "target": "next_temp_max",
            "features": [
                "day_of_year",
                "temp_max",
                "temp_min",
                "temp_max_before",
                "precipitation",
                "wind",
                "weather",
            ],
            "model": MODEL,
            "algorithm": "hist_gradient_boosting",
            "hyperparameters": {"learning_rate": 0.05, "max_iter": 120},
        },
    },
    {
        "type": "ml_inference",
        "name": "Predict the last days",
        "parameters": {
            "model": MODEL,
            "dataset": RECENT,
            "output": FORECAST,
            "keys": ["date", "temp_max", "temp_min", "weather"],
        },
    },
    {
        "type": "digital_twin_update",
        "name": "Bring the twin up to date",
        "parameters": {
            "twin": TWIN,
            "dataset": FORECAST,
            "type": "day",
            "key": "date",
            "properties": {
                "temp_max": "temp_max",
                "temp_min": "temp_min",
                "weather": "weather",
                "next_temp_max": "prediction",
            },
        },
    },
)
