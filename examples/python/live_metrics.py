#!/usr/bin/env python3
"""Counts while it happens: answered calls, the service level 80/20, and transfers by kind and outcome, as docs/events/metrics defines them.

    live_metrics.py --tenant demo --contract contract.binpb --state counts.db

Each event counts once, whatever is killed when: what was counted and how far the stream was read are committed in one transaction. An event that is
delivered again is known by its source, subject and sequence; a gap in a sequence is reported and not averaged away.
"""
import asyncio
import contextlib
import sqlite3
from datetime import datetime, timezone

from baton_events import batches, connect, event_data, options

TABLES = """
CREATE TABLE IF NOT EXISTS position (stream TEXT PRIMARY KEY, position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sequences (source TEXT, subject TEXT, sequence INTEGER NOT NULL, PRIMARY KEY (source, subject));
CREATE TABLE IF NOT EXISTS gaps (source TEXT, subject TEXT, after INTEGER, next INTEGER);
CREATE TABLE IF NOT EXISTS calls (id TEXT PRIMARY KEY, number TEXT, opened_ms INTEGER, answer_ms INTEGER, left_after_ms INTEGER, ended INTEGER);
CREATE TABLE IF NOT EXISTS transfers (id TEXT PRIMARY KEY, kind TEXT, outcome TEXT);
"""
ANSWERED_IN_TIME_MS, GIVEN_UP_AT_ONCE_MS = 20_000, 5_000
ANSWERED = "SELECT count(answer_ms) FROM calls WHERE ended"
SERVICE_LEVEL = f"""
SELECT avg(coalesce(answer_ms <= {ANSWERED_IN_TIME_MS}, 0)) FROM calls
WHERE ended AND NOT (answer_ms IS NULL AND left_after_ms IS NOT NULL AND left_after_ms <= {GIVEN_UP_AT_ONCE_MS})
"""
TRANSFERS = "SELECT kind, outcome, count(*) FROM transfers GROUP BY kind, outcome ORDER BY kind, outcome"
OUTCOMES = {"completed", "diverted", "failed", "cancelled", "abandoned"}


def name(message, field):
    """The name of the value that an enum field has."""
    return message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number[getattr(message, field)].name


def milliseconds(time):
    """Of a protobuf Timestamp, or of the text of an event's time; rounded down."""
    if isinstance(time, str):
        moment = datetime.fromisoformat(time.replace("Z", "+00:00")).astimezone(timezone.utc)
        return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
    return time.ToMilliseconds()


class Counts:
    """What was counted, in a database of its own."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.executescript(TABLES)

    def position(self, stream):
        """How far this stream was read. Another stream (one that was made anew) is read from its beginning: sequences tell what is known."""
        row = self.db.execute("SELECT position FROM position WHERE stream = ?", (stream,)).fetchone()
        return row[0] if row else 0

    def take(self, stream, events):
        """Counts them, and keeps how far the stream was read: all or nothing."""
        self.db.execute("BEGIN IMMEDIATE")
        for event in events:
            if self.is_new(event):
                self.count(event)
        self.db.execute("INSERT OR REPLACE INTO position VALUES (?, ?)", (stream, events[-1].position))
        self.db.execute("COMMIT")

    def is_new(self, event):
        of = (event.source, event.subject)
        row = self.db.execute("SELECT sequence FROM sequences WHERE source = ? AND subject = ?", of).fetchone()
        last = row[0] if row else 0
        if event.sequence <= last:
            return False
        if event.sequence > last + 1:
            self.db.execute("INSERT INTO gaps VALUES (?, ?, ?, ?)", (*of, last, event.sequence))
        self.db.execute("INSERT OR REPLACE INTO sequences VALUES (?, ?, ?)", (*of, event.sequence))
        return True

    def count(self, event):
        call, data = event.subject.removeprefix("interaction/"), event.data
        area, _, what = event.type.partition(".")
        if event.type == "interaction.opened" and name(data, "direction") == "DIRECTION_INBOUND":
            self.db.execute("INSERT INTO calls (id, number, opened_ms) VALUES (?, ?, ?)", (call, data.number, milliseconds(event.time)))
        elif event.type == "interaction.ended":
            answered = milliseconds(data.answer_time) if data.HasField("answer_time") else None
            left = data.duration_ms if name(data, "reason") == "REASON_CUSTOMER_LEFT" else None
            self.db.execute("UPDATE calls SET ended = 1, answer_ms = ? - opened_ms, left_after_ms = ? WHERE id = ?", (answered, left, call))
        elif event.type == "transfer.started":
            self.db.execute("INSERT INTO transfers VALUES (?, ?, 'open')", (data.transfer_id, name(data, "kind")))
        elif area == "transfer" and what in OUTCOMES:
            self.db.execute("UPDATE transfers SET outcome = ? WHERE id = ?", (what, data.transfer_id))

    def text(self):
        """The metrics of now, in a line."""
        (answered,), (level,) = self.db.execute(ANSWERED).fetchone(), self.db.execute(SERVICE_LEVEL).fetchone()
        transfers = ", ".join(f"{kind.removeprefix('TRANSFER_KIND_').lower()} {what}: {many}" for kind, what, many in self.db.execute(TRANSFERS))
        (gaps,) = self.db.execute("SELECT count(*) FROM gaps").fetchone()
        shown = "–" if level is None else f"{level:.1%}"
        return f"answered: {answered}; service level: {shown}; transfers: {transfers or 'none'}" + (f"; GAPS: {gaps}" if gaps else "")


async def main():
    parser = options(__doc__, batch=500)
    parser.add_argument("--state", default="counts.db", help="where the counts are kept")
    arguments = parser.parse_args()
    counts = Counts(arguments.state)
    connection = await connect(arguments)
    jetstream = connection.jetstream()
    info = await jetstream.stream_info(arguments.stream)
    stream = f"{arguments.stream} of {info.created}"
    # All that the transfer service publishes: with less, sequences would have gaps.
    subject = f"baton.evt.v1.{arguments.tenant}.transfer.>"
    after, payload = counts.position(stream), event_data(arguments.contract)
    async with contextlib.aclosing(batches(jetstream, arguments.stream, subject, after, payload, most=arguments.batch)) as incoming:
        async for events in incoming:
            if events:
                counts.take(stream, events)
                print(counts.text(), flush=True)
            elif arguments.until_idle:
                break
    await connection.close()


if __name__ == "__main__":
    asyncio.run(main())
