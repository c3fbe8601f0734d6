#!/usr/bin/env python3
"""Tries all that a tenant's reader, the services and the operator must not be able to do on a NATS server with the accounts of
examples/nats/permissions: `leaks.py`. With `--self-test` the configuration is loosened, a rule at a time, and an attempt has to succeed each time.

Needs what check.py needs.
"""
import argparse
import asyncio
import os
import pathlib
import subprocess
import sys
import tempfile

from attempts import attempts
from holes import HOLES
from nats_site import ROOT, Refused, User, accounts, make_copy, permissions, program, reload, server, wait_for
from two_tenants import EVENTS, MANY, READERS, STREAM, STREAM_SETTINGS, Site, all_of_it, every_way_works, make


async def got_through(site, tried):
    """The names of the attempts that succeeded."""
    found = []
    for it in tried:
        try:
            if await it.try_it(site, site.users[it.user]):
                found.append(it.name)
        except Refused:
            pass
        except Exception as error:
            raise SystemExit(f"{it.name}: neither refused nor granted: {error!r}") from error
    return found


async def play(found, tried, copies=None, is_whole=False):
    """On a server of its own."""
    with tempfile.TemporaryDirectory(prefix="baton-leaks-") as temporary, server(pathlib.Path(temporary), found) as address:
        site = Site(address, found)
        await site.prepare(copies)
        if is_whole:
            for tenant in ("acme", "globex"):
                ids = await all_of_it(site, tenant)
                wanted = [f"{tenant}-{it}" for it in range(1, 2 * EVENTS + 1) if tenant == ("acme", "globex")[it % 2]]
                assert ids == wanted, f"{tenant} reads {ids}"
                await every_way_works(site, site.users[f"{tenant}-reports"])
        through = await got_through(site, tried)
        if is_whole:
            await site.publish_many()
            await site.until_copied("acme", EVENTS + MANY)
        await site.close()
        return through


async def a_tenant_comes():
    """While the server runs: it has to take the configuration twice, and the copy is made as for the others."""
    first, both = (make(accounts(*it)) for it in (READERS[:1], READERS))
    with tempfile.TemporaryDirectory(prefix="baton-leaks-") as temporary, server(pathlib.Path(temporary), first) as address:
        operator = await User("baton-operator").connect(address)
        await operator.ask(f"STREAM.CREATE.{STREAM}", STREAM_SETTINGS)
        await make_copy(operator, permissions.Names(""), "acme")
        for _ in range(2):
            reload(pathlib.Path(temporary), both)
        await make_copy(operator, permissions.Names(""), "globex")
        await operator.connection.close()


async def other_names():
    """A namespace, and a tenant whose name is no part of a subject as it is."""
    found, names = accounts("a.b=acme-reports", namespace="x"), permissions.Names("x")
    with tempfile.TemporaryDirectory(prefix="baton-leaks-") as temporary, server(pathlib.Path(temporary), found) as address:
        users = {it: await User(it).connect(address) for it in ("baton-operator", "baton", "acme-reports")}
        settings = STREAM_SETTINGS | {"name": "BATON_EVT_x", "subjects": ["x.baton.evt.v1.>"]}
        await users["baton-operator"].ask("STREAM.CREATE.BATON_EVT_x", settings)
        api = names.copies("a.b")
        await program("copy").make(users["baton-operator"].connection, {"api": api, "stream": permissions.copy(names, "a.b", 64, 1)})
        await users["baton"].send("x.baton.evt.v1.a%2Eb.transfer.1.completed", b"of a.b")

        async def is_there():
            return (await users["acme-reports"].ask("STREAM.INFO.BATON_EVENTS_x"))["state"]["messages"] == 1

        await wait_for(is_there, "an event under other names")
        for user in users.values():
            await user.connection.close()


async def stalls(found):
    """Whether the server says that a copy does not keep up."""
    with tempfile.TemporaryDirectory(prefix="baton-leaks-") as temporary, server(pathlib.Path(temporary), found) as address:
        site = Site(address, found)
        await site.prepare({})
        await site.publish_many()

        async def is_stalled():
            (source,) = (await site.copied("acme"))["sources"]
            return "flow control" in source.get("error", {}).get("description", "")

        await wait_for(is_stalled, "a copy stalls without flow control")
        await site.close()


def check():
    tried = attempts()
    through = asyncio.run(play(make(accounts(*READERS)), tried, copies={}, is_whole=True))
    if through:
        raise SystemExit("these got through:\n" + "\n".join(through))
    asyncio.run(a_tenant_comes())
    asyncio.run(other_names())
    print(f"leaks: each of two tenants reads its own events, all of them, and {len(tried)} attempts to do more are refused")


def self_test():
    of = {it.name: it for it in attempts()}
    for hole in HOLES:
        found = make(accounts(*READERS))
        hole.loosen(found)
        through = asyncio.run(play(found, [of[it] for it in hole.reached], hole.copies))
        missing = [it for it in hole.reached if it not in through]
        if missing:
            raise SystemExit(f"{hole.name}: nothing noticed it: {missing}")
    found = make(accounts(*READERS))
    for account in found.values():
        for kind in ("exports", "imports"):
            account[kind] = [it for it in account[kind] if "$JS.FC" not in str(it)]
    asyncio.run(stalls(found))
    print(f"leaks: each of {len(HOLES)} loosened rules lets something through, and it is noticed")


def check_example():
    """The example and the demo's accounts are what the generator prints, and a password in plain text is refused."""
    folder = ROOT / "examples/nats"
    command = [folder / "permissions", "--users", folder / "users.example", *(f"--reader={it}" for it in READERS)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed == (folder / "permissions.conf").read_text(), f"run: {' '.join(map(str, command))} > permissions.conf"
    demo = ROOT / "deploy/overlays/demo"
    of_demo = ["--reader=demo=demo-reports", "--mib=512", "--include=../nats-passwords/passwords.conf"]
    printed = subprocess.run([command[0], "--users", demo / "nats.users", *of_demo], check=True, capture_output=True, text=True).stdout
    assert printed == (demo / "permissions.conf").read_text(), f"{demo}/permissions.conf is stale: {demo}/nats.users says how to write it"
    for plain in ("secret", "$2b$04$short", "SUAAAA"):
        with tempfile.NamedTemporaryFile("w", suffix=".users") as users:
            users.write((folder / "users.example").read_text().replace("acme-reports ", f"acme-reports {plain} #").split(" #")[0] + "\n")
            users.flush()
            refused = subprocess.run([*command[:2], users.name, *command[3:]], capture_output=True, text=True)
            assert refused.returncode == 1 and "plain text" in refused.stderr, refused


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--self-test", action="store_true", help="loosen the rules, one at a time")
    if parser.parse_args().self_test:
        self_test()
    else:
        check_example()
        check()


if __name__ == "__main__":
    os.environ["PATH"] = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    main()
