#!/usr/bin/env python3
"""Lands a tenant's events as Parquet files, for whoever asks questions of months: see ask.py.

    to_parquet.py --tenant demo --contract contract.binpb --folder lake

A file has a batch, and is named after the positions in the stream that it is of: `events-000000000001-000000000500.parquet`. It appears whole
(written under another name, then renamed), and the names say where to go on: so each event is landed once, whatever is killed when.
Columns are those of the view `events` in docs/events/metrics/events.sql, and the CloudEvents attributes.
"""
import asyncio
import contextlib
import json
import pathlib

import duckdb
from baton_events import batches, connect, event_data, options

COLUMNS = "type VARCHAR, about VARCHAR, id VARCHAR, sequence BIGINT, time TIMESTAMP, data JSON, event_id VARCHAR, tenant VARCHAR, source VARCHAR"


def landed(folder):
    """The last position that a file has; 0 when there is none."""
    return max((int(path.stem.rpartition("-")[2]) for path in folder.glob("events-*.parquet")), default=0)


def row(event):
    about, _, which = event.subject.partition("/")
    data = json.dumps(event.data_as_dict(), ensure_ascii=False)
    return event.type, about, which, event.sequence, event.time.removesuffix("Z"), data, event.id, event.tenant, event.source


def land(folder, events):
    """Writes a batch as one file."""
    name = f"events-{events[0].position:012}-{events[-1].position:012}.parquet"
    database = duckdb.connect()
    database.execute(f"CREATE TABLE events ({COLUMNS})")
    database.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [row(event) for event in events])
    unfinished = folder / f"{name}.unfinished"
    database.execute(f"COPY events TO '{unfinished}' (FORMAT parquet, COMPRESSION zstd)")
    unfinished.rename(folder / name)
    return name


async def main():
    parser = options(__doc__, batch=5_000)
    parser.add_argument("--folder", type=pathlib.Path, default="lake", help="where the files are kept")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    connection = await connect(arguments)
    subject, after = f"baton.evt.v1.{arguments.tenant}.>", landed(arguments.folder)
    incoming = batches(connection.jetstream(), arguments.stream, subject, after, event_data(arguments.contract), idle_s=1, most=arguments.batch)
    async with contextlib.aclosing(incoming):
        async for events in incoming:
            if events:
                print(f"{len(events)} events: {land(arguments.folder, events)}", flush=True)
            elif arguments.until_idle:
                break
    await connection.close()


if __name__ == "__main__":
    asyncio.run(main())
