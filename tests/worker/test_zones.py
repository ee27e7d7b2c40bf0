"""Times with a time zone are fetched from DuckDB correctly by our code and programs of users."""

import datetime as dt

import duckdb


def test_a_time_with_a_zone_can_be_fetched() -> None:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    row = connection.execute(
        "SELECT TIMESTAMPTZ '2020-01-02 03:04:05+02', [TIMESTAMPTZ '2020-01-02 03:04:05Z']"
    ).fetchone()
    assert row is not None
    assert row[0] == dt.datetime(2020, 1, 2, 1, 4, 5, tzinfo=dt.UTC)
    assert row[1][0].utcoffset() == dt.timedelta(0)


def test_images_bring_what_duckdb_needs_for_it() -> None:
    for name in ("requirements.txt", "requirements/worker.txt", "requirements/laptop.txt"):
        with open(name) as file:
            assert "\npytz==" in file.read(), name
