#!/usr/bin/env python3
"""Plays a day (`baton demo day`), runs every query of docs/events/metrics on its events in DuckDB, and compares the rows with what really
happened: `check.py BATON [--calls N] [--seed N]`, or `check.py --day DIR` for a day that was played before. A difference of a millisecond fails
it. Then it leaves one event out after the other: a query that gives the same without it fails it, too.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).parent))
import contact_records
import metrics
from truth import Day

QUERIES = Path(__file__).parents[2] / "docs" / "events" / "metrics"
KEYS = ("agent", "team", "number", "half_hour", "kind", "outcome", "reason")
SHOWN = 12
# Sums and counts are whole; of a mean the last digits depend on the order of adding.
ROUNDING = 1e-6


def connect(folder, day):
    os.chdir(folder)
    database = duckdb.connect()
    database.execute((QUERIES / "events.sql").read_text())
    # Parsed once, not for each query.
    database.execute("CREATE TABLE parsed AS SELECT * FROM events; CREATE OR REPLACE VIEW events AS SELECT * FROM parsed")
    database.execute(f"SET VARIABLE moment = TIMESTAMP '{metrics.moment(day.busiest())}'")
    return database


def rows_of(database, query):
    """The rows by their keys, as the functions of `metrics` give them."""
    found = database.execute(query)
    names = [column[0] for column in found.description]
    rows = {}
    for values in found.fetchall():
        row = dict(zip(names, values))
        key = tuple(row.pop(name) for name in names if name in KEYS)
        assert key not in rows, f"two rows for {key}"
        rows[key] = row
    return rows


def differences(expected, found):
    """One line for each value that is not what it must be."""
    for key in sorted(expected.keys() | found.keys(), key=str):
        name = ", ".join("-" if it is None else str(it) for it in key)
        if key not in found:
            yield name, "the row", expected[key], "missing"
        elif key not in expected:
            yield name, "the row", "none", found[key]
        else:
            for column, value in expected[key].items():
                seen = found[key].get(column)
                if seen is None or abs(seen - value) > ROUNDING:
                    yield name, column, value, seen


def differences_of(database, day, query):
    """Of one query from the truth."""
    found = rows_of(database, (QUERIES / f"{query}.sql").read_text())
    return list(differences(getattr(metrics, query)(day), found))


def compare(database, day):
    """The names of the queries that differ from the truth, with the differences."""
    names = [file.stem for file in sorted(QUERIES.glob("*.sql")) if file.stem != "events"]
    wrong = {name: differences_of(database, day, name) for name in names}
    return {name: lines for name, lines in wrong.items() if lines}


def show(wrong):
    for name, lines in wrong.items():
        print(f"\n{name}: {len(lines)} differences")
        print(f"  {'of':50}  {'column':14}  {'really':>24}  by events")
        for of, column, value, seen in lines[:SHOWN]:
            print(f"  {of:50}  {column:14}  {value!s:>24}  {seen}")


# Each of these queries must see that one such event is missing: the last one for which this holds.
NEEDED = [
    ("interaction.opened", "data->>'direction' = 'DIRECTION_INBOUND'", ["contacts_offered"]),
    ("interaction.ended", "data->>'answer_time' <> ''", ["contacts_answered", "average_speed_of_answer", "average_handle_time"]),
    (
        "interaction.ended",
        "data->>'reason' = 'REASON_CUSTOMER_LEFT' AND data->>'first_agent_id' = ''",
        ["contacts_abandoned", "abandonment_rate"],
    ),
    ("interaction.ended", "CAST(data->>'holds' AS INTEGER) > 0", ["hold"]),
    ("interaction.queued", "time <= getvariable('moment')", ["waiting_at", "queue_position"]),
    ("interaction.dequeued", "true", ["queue_entries"]),
    (
        "interaction.dequeued",
        "data->>'reason' = 'REASON_UNSPECIFIED'",
        ["queue_entries", "queue_speed_of_answer", "queue_service_level"],
    ),
    ("interaction.agent_offered", "data->>'team_id' <> ''", ["offers_not_answered"]),
    ("interaction.agent_joined", "data->>'team_id' <> ''", ["offers_not_answered", "time_to_answer_an_offer"]),
    ("interaction.offer_failed", "data->>'reason' = 'REASON_NO_ANSWER'", ["offers_not_answered"]),
    ("interaction.agent_left", "true", ["contacts_per_agent", "queue_handle_time", "occupancy"]),
    ("transfer.started", "true", ["transfers", "transfers_by_team"]),
    ("transfer.completed", "true", ["transfers"]),
    ("transfer.consulting", "true", ["consult_length"]),
    ("agent.state_changed", "data->>'from' = 'AGENT_STATE_AWAY'", ["sign_in_time", "away_time"]),
    ("agent.state_changed", "data->>'from' = 'AGENT_STATE_WRAP_UP'", ["average_handle_time", "contacts_per_agent"]),
    ("directory.changed", "about = 'team'", ["occupancy"]),
]


def blind_spots(database, day):
    """The queries that give the same although an event is missing."""
    for event, which, queries in NEEDED:
        last = f"SELECT rowid FROM parsed WHERE type = '{event}' AND {which} ORDER BY time DESC, sequence DESC LIMIT 1"
        database.execute(f"CREATE OR REPLACE VIEW events AS SELECT * FROM parsed WHERE rowid NOT IN ({last})")
        for query in queries:
            if not differences_of(database, day, query):
                yield f"{query} does not notice that an event {event} ({which}) is missing"
    database.execute("CREATE OR REPLACE VIEW events AS SELECT * FROM parsed")


def play(baton, arguments, folder):
    began = time.monotonic()
    command = [baton, "demo", "day", "--calls", str(arguments.calls), "--seed", str(arguments.seed), "--out", folder]
    subprocess.run(command, check=True)
    print(f"{arguments.calls} calls were played in {time.monotonic() - began:.0f} s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("baton", nargs="?", help="the built binary")
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--day", help="a folder with a day that was played before")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="baton-analytics-") as temporary:
        folder = os.path.abspath(arguments.day or temporary)
        if not arguments.day:
            if not arguments.baton:
                parser.error("name the built binary, or a day that was played")
            play(os.path.abspath(arguments.baton), arguments, folder)
        day = Day(Path(folder) / "truth.jsonl")
        database = connect(folder, day)
        wrong = compare(database, day) | contact_records.compare(database, day)
        show(wrong)
        blind = [] if wrong else list(blind_spots(database, day))
        print(*blind, sep="\n")
        os.chdir("/")
    queries = len(list(QUERIES.glob("*.sql"))) - 1
    if wrong or blind:
        sys.exit(f"\nof {queries} metrics {len(wrong)} differ from what really happened")
    print(f"{queries} metrics and {len(day.contacts)} records of contacts are what really happened, to the millisecond")


if __name__ == "__main__":
    main()
