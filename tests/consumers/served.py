#!/usr/bin/env python3
"""Has the consumers in examples/python read what `baton serve` publishes, on a NATS server that gives each user only what examples/nats/permissions
says:

    tests/postgres tests/consumers/served.py target/debug/baton

The first call of docs/deploy.md is played over six processes: `migrate` as the operator, the services as themselves, the consumers as the tenant's
reader. What they count and land is compared with what the services' own API says.

Needs what check.py needs, and PostgreSQL.
"""
import argparse
import copy
import json
import os
import pathlib
import subprocess
import sys
import time

import duckdb

from nats_site import FOLDER, PASSWORDS, ROOT, USERS, accounts, reload, server

sys.path += [str(ROOT / "tests/deploy"), str(ROOT / "examples/python")]
import first_call
import live_metrics

TENANT, READER, OTHER = "demo", "demo-reports", "globex"
ENDED = "The call is over"
COPIED_BOUND_S = 20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("baton", type=pathlib.Path, help="the built binary")
    binary = parser.parse_args().baton.resolve()
    with first_call.of_its_own("baton-served-") as (folder, processes):
        users = users_of_demo(folder)
        found = accounts(f"{TENANT}={READER}", f"{OTHER}=globex-reports", users=users)
        with server(folder, found) as address:
            nats = [url(address, it) for it in ("baton", "baton-operator")]
            first_call.play(binary, folder, processes, nats, lambda *of: consume(binary, address, found, *of))


def users_of_demo(folder):
    """The users of the example, of whom one reads the tenant `demo`."""
    path = folder / "users"
    path.write_text(USERS.read_text().replace("acme-reports ", f"{READER} "))
    return path


def password_file(folder, name):
    path = folder / f"{name}.password"
    path.write_text(PASSWORDS[name])
    path.chmod(0o600)
    return path


def url(address, name):
    return f"nats://{name}:{PASSWORDS[name]}@{address}"


def consume(binary, address, found, folder, environment, addresses):
    def baton(*command, **others):
        env = {**os.environ, **environment, **others}
        return subprocess.run([binary, *command], check=True, cwd=folder, env=env, stdout=subprocess.PIPE, text=True).stdout

    gateway = ["--data", "demo", "--server", f"http://{addresses['gateway']}"]
    baton("tenant", "create", OTHER, "--entitlements", "warm_transfer", *gateway)
    make_copies(folder, address)
    contract = folder / "contract.binpb"
    subprocess.run(["buf", "build", "-o", contract], cwd=ROOT, check=True)
    as_reader = ["--server", f"nats://{address}", "--user", READER, "--password-file", password_file(folder, "acme-reports")]
    common = [*as_reader, "--stream", "BATON_EVENTS", "--tenant", TENANT, "--contract", contract, "--until-idle"]
    lake, state = folder / "lake", folder / "counts.db"
    until = time.monotonic() + COPIED_BOUND_S
    while True:
        # Recordings are stored a moment after the call: what the services say and what is landed grow.
        really = published(baton("events", "list", "--json", *gateway))
        example("to_parquet", *common, "--folder", lake)
        landed = duckdb.sql(f"SELECT event_id, tenant FROM '{lake}/events-*.parquet' ORDER BY event_id").fetchall()
        ids = [it[0] for it in landed]
        if ids == really:
            break
        assert time.monotonic() < until, f"the services published {len(really)} events, and {len(landed)} were landed: {set(ids) ^ set(really)}"
    assert {it[1] for it in landed} == {TENANT}, f"events of {set(it[1] for it in landed)} were landed"
    of_other = ["--user", "globex-reports", "--password-file", password_file(folder, "globex-reports"), "--tenant", OTHER]
    example("to_parquet", *common, *of_other, "--folder", folder / "other")
    tenants = duckdb.sql(f"SELECT DISTINCT tenant FROM '{folder}/other/events-*.parquet'").fetchall()
    assert tenants == [(OTHER,)], f"the other's reader has landed events of {tenants}"
    example("live_metrics", *common, "--state", state)
    db = live_metrics.Counts(state).db
    counted = [db.execute(it).fetchall() for it in (live_metrics.ANSWERED, live_metrics.TRANSFERS, "SELECT count(*) FROM gaps")]
    assert counted == [[(1,)], [("TRANSFER_KIND_WARM", "completed", 1)], [(0,)]], f"counted {counted}"
    asked = example("ask", "--folder", lake, ROOT / "docs/events/metrics/transfers.sql")
    assert "completed" in asked, asked
    for name in ("baton", "baton-operator"):
        login = {"BATON_NATS__USER": name, "BATON_NATS__PASSWORD_FILE": str(password_file(folder, name))}
        said = baton("doctor", "--config", folder / "baton.toml", BATON_NATS__URL=f"nats://{address}", **login)
        assert "the stream is as it should be" in said and "Everything that was looked at is well." in said, said
    rights = each_right_is_needed(found, folder, lambda name: doctor_as(binary, folder, environment, address, name))
    print(f"served: `baton doctor` is well with the services' rights, and names each of {rights} that is missing")
    print(f"served: a tenant's reader has landed the {len(ids)} events of a call over six processes, and counted its transfer; of another it has none")


def doctor_as(binary, folder, environment, address, name):
    """Asks as another user, who has the services' password."""
    env = {**os.environ, **environment, "BATON_NATS__URL": f"nats://{name}:{PASSWORDS['baton']}@{address}"}
    command = [binary, "doctor", "gateway", "--config", folder / "baton.toml"]
    return subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def each_right_is_needed(found, folder, doctor):
    """Of what the services may ask JetStream: `baton doctor`, as a user who lacks one right, names it."""
    services = found["BATON"]["users"][0]
    rights = [it for it in services["permissions"]["publish"] if it.startswith("$JS.API.")]
    less, running = copy.deepcopy(found), {}
    for number, right in enumerate(rights):
        lacking = copy.deepcopy(services) | {"user": f"lacking-{number}"}
        lacking["permissions"]["publish"].remove(right)
        less["BATON"]["users"].append(lacking)
    reload(folder, less)
    # Together: each waits for an answer that does not come.
    for number, right in enumerate(rights):
        running[right] = doctor(f"lacking-{number}")
    for right, process in running.items():
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 1 and right in said, f"without {right}: {said}"
    return len(rights)


def published(listed):
    """The ids of all events of a listing, which must not be the first page of more."""
    events = json.loads(listed)
    assert len(events) < 100, "not all events are listed"
    return sorted(it.get("event", it)["event_id"] for it in events)


def make_copies(folder, address):
    """With the programs that docs/events/permissions.md names."""
    password = password_file(folder, "baton-operator")
    for tenant in (TENANT, OTHER):
        wanted = subprocess.run([FOLDER / "permissions", "--copy", tenant, "--mib", "64"], check=True, stdout=subprocess.PIPE).stdout
        command = [sys.executable, FOLDER / "copy", "--server", f"nats://{address}", "--password-file", password]
        # Twice: the second time it is there already.
        for _ in range(2):
            subprocess.run(command, check=True, input=wanted, stdout=subprocess.DEVNULL)


def example(name, *arguments):
    command = [sys.executable, ROOT / f"examples/python/{name}.py", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    os.environ["PATH"] = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    main()
