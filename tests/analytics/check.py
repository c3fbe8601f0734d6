#!/usr/bin/env python3
"""Plays a day (`baton demo day`), runs every query of docs/events/metrics on its events in DuckDB, and compares the rows with what really
happened: `check.py BATON [--calls N] [--seed N] [--day DIR]`. A difference of a millisecond fails it, and so does a query that does not
notice when an event is missing.
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


def compare(database, day):
    """The names of the queries that differ from the truth, with the differences."""
    wrong = {}
    for file in sorted(QUERIES.glob("*.sql")):
        if file.name == "events.sql":
            continue
        expected = getattr(metrics, file.stem)(day)
        lines = list(differences(expected, rows_of(database, file.read_text())))
        if lines:
            wrong[file.stem] = lines
    return wrong


def show(wrong):
    for name, lines in wrong.items():
        print(f"\n{name}: {len(lines)} differences")
        print(f"  {'of':50}  {'column':14}  {'really':>24}  by events")
        for of, column, value, seen in lines[:SHOWN]:
            print(f"  {of:50}  {column:14}  {value!s:>24}  {seen}")


# One event of each type is left out; each of these queries must see it.
NEEDED = {
    "interaction.dequeued": ["queue_entries", "waiting_at"],
    "interaction.queued": ["waiting_at"],
    "interaction.opened": ["contacts_offered"],
    "interaction.ended": ["contacts_answered", "hold", "average_handle_time"],
    "interaction.agent_offered": ["offers_not_answered"],
    "interaction.agent_joined": ["offers_not_answered", "time_to_answer_an_offer"],
    "interaction.agent_left": ["contacts_per_agent", "occupancy"],
    "interaction.offer_failed": ["offers_not_answered"],
    "transfer.started": ["transfers"],
    "transfer.consulting": ["consult_length"],
    "agent.state_changed": ["sign_in_time"],
    "directory.changed": ["occupancy"],
}


def blind_spots(database, day):
    """The queries that give the same although an event is missing."""
    for event, queries in NEEDED.items():
        of_that_moment = "AND time <= getvariable('moment') ORDER BY time DESC" if event.endswith("queued") else "ORDER BY time DESC"
        where = f"type = '{event}' AND about IN ('interaction', 'agent', 'team') {of_that_moment} LIMIT 1"
        if event == "directory.changed":
            where = "type = 'directory.changed' AND about = 'team' ORDER BY sequence DESC LIMIT 1"
        database.execute(
            f"CREATE OR REPLACE VIEW events AS SELECT * FROM parsed WHERE rowid NOT IN (SELECT rowid FROM parsed WHERE {where})"
        )
        wrong = compare(database, day)
        yield from (f"{query} does not notice that an event {event} is missing" for query in queries if query not in wrong)
    database.execute("CREATE OR REPLACE VIEW events AS SELECT * FROM parsed")


def play(baton, arguments, folder):
    began = time.monotonic()
    command = [baton, "demo", "day", "--calls", str(arguments.calls), "--seed", str(arguments.seed), "--out", folder]
    subprocess.run(command, check=True)
    print(f"{arguments.calls} calls were played in {time.monotonic() - began:.0f} s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("baton", help="the built binary")
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--day", help="a folder with a day that was played before")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="baton-analytics-") as temporary:
        folder = arguments.day or temporary
        if not arguments.day:
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
