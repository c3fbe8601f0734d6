#!/usr/bin/env python3
"""Tries all that a tenant's reader, the services and the operator must not be able to do on a NATS server with the accounts of
examples/nats/permissions: `leaks.py`. With `--self-test` the configuration is loosened, a rule at a time, and an attempt has to succeed each time.

Needs what check.py needs.
"""
import argparse
import asyncio
import copy
import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing

import nats
from nats.js.api import ConsumerConfig

from nats_site import PASSWORDS, ROOT, USERS, Refused, User, accepts, accounts, make_copy, permissions, program, reload, server, wait_for

READERS = ("acme=acme-reports", "globex=globex-reports")
EVENTS, MANY = 20, 5_000
STREAM_SETTINGS = {"name": "BATON_EVT", "subjects": ["baton.evt.v1.>"], "allow_direct": True, "allow_atomic": True}
STREAM, COPY = "BATON_EVT", "BATON_EVENTS"
ACME, GLOBEX = "baton.evt.v1.acme.>", "baton.evt.v1.globex.>"
OF_GLOBEX = "baton.evt.v1.globex.transfer.3.completed"
FORGED = "baton.evt.v1.globex.transfer.9.forged"
# A user of the test's own among the services, who may look at everything.
WITNESS = {"user": "witness", "password": "witness"}
# A consumer of another's among the services, as somebody may have made one.
OTHERS = "globex-reader"
# A filter by which a consumer of a copy has all of it.
ALL = ">"
# Within which an effect would be there; that it suffices is seen where the rule is loosened.
SOON_S = 0.5


class Site:
    """The users of a server that has events of two tenants."""

    def __init__(self, address, found):
        self.address, self.found, self.names = address, found, permissions.Names("")
        self.users = {}

    async def prepare(self, others):
        words = {secret: PASSWORDS[name] for name, secret in permissions.read_users(USERS).items()}
        for name in PASSWORDS:
            self.users[name] = await User(name).connect(self.address, words[user_of(self.found, name)["password"]])
        self.witness = self.users["witness"] = await User("witness").connect(self.address, "witness")
        operator = self.users["baton-operator"]
        await operator.ask(f"STREAM.CREATE.{STREAM}", STREAM_SETTINGS)
        await self.publish()
        await self.witness.ask(f"CONSUMER.CREATE.{STREAM}.{OTHERS}.{GLOBEX}", consumer(STREAM, OTHERS, filter_subject=GLOBEX))
        if others is not None:
            for tenant in ("acme", "globex"):
                await make_copy(operator, self.names, tenant, **others)
                await self.until_copied(tenant)

    async def publish(self):
        """As the services do it: one atomic batch of both tenants' events."""
        services, inbox = self.users["baton"], self.users["baton"].connection.new_inbox()
        answers = await services.hear(inbox)
        for number in range(1, 2 * EVENTS + 1):
            tenant = ("acme", "globex")[number % 2]
            headers = {"ce-id": f"{tenant}-{number}", "ce-tenant": tenant, "Nats-Batch-Id": "batch", "Nats-Batch-Sequence": str(number)}
            is_last = number == 2 * EVENTS
            await services.send(
                f"baton.evt.v1.{tenant}.transfer.{number % 8}.completed",
                f"of {tenant}".encode(),
                inbox if is_last else "",
                headers | ({"Nats-Batch-Commit": "1"} if is_last else {}),
            )
        answer = await answers.next_msg(5)
        assert b'"count":40' in answer.data, answer.data

    async def copied(self, tenant):
        """What the server says of a tenant's copy."""
        return await self.users["baton-operator"].ask(f"{self.names.copies(tenant)}.STREAM.INFO.{COPY}")

    async def until_copied(self, tenant, events=EVENTS):
        async def is_copied():
            return (await self.copied(tenant))["state"]["messages"] == events

        await wait_for(is_copied, f"the copy of {tenant} has all {events} events")

    async def publish_many(self):
        """More than the server has on its way to a copy without hearing of it."""
        services = self.users["baton"].connection
        for number in range(MANY):
            await services.publish(f"baton.evt.v1.acme.transfer.{number % 64}.started", bytes(800))
        await services.flush()

    async def last(self):
        return (await self.witness.ask(f"STREAM.INFO.{STREAM}"))["state"]["last_seq"]

    async def has_more_than(self, sequence):
        return await self.last() > sequence

    async def close(self):
        for user in self.users.values():
            await user.connection.close()


async def soon(condition):
    """Whether it comes to that while we look: what is loosened shows within a moment."""
    until = time.monotonic() + SOON_S
    while not await condition():
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.02)
    return True


def consumer(stream, name, **config):
    return {"stream_name": stream, "config": {"name": name, "ack_policy": "none", "inactive_threshold": 10**11, **config}}


async def all_of_it(site, tenant):
    """The ids of the events that a tenant's reader gets, as examples/python does it."""
    jetstream = site.users[f"{tenant}-reports"].connection.jetstream()
    subscription = await jetstream.subscribe(ALL, stream=COPY, ordered_consumer=True, config=ConsumerConfig())
    found = [(await subscription.next_msg(5)).headers["ce-id"] for _ in range(EVENTS)]
    await subscription.unsubscribe()
    return found


async def every_way_works(site, user):
    """Each of a reader's rights is one that reading takes."""
    await user.ask(f"STREAM.INFO.{COPY}")
    await user.ask(f"STREAM.MSG.GET.{COPY}", {"seq": 1})
    assert (await user.raw(f"$JS.API.DIRECT.GET.{COPY}", {"seq": 1})).headers["ce-tenant"]
    own = {"acme-reports": "acme.transfer.2", "globex-reports": "globex.transfer.3"}[user.name]
    assert (await user.raw(f"$JS.API.DIRECT.GET.{COPY}.baton.evt.v1.{own}.completed")).headers["ce-tenant"]
    await user.ask(f"CONSUMER.CREATE.{COPY}", {"stream_name": COPY, "config": {"ack_policy": "none"}})
    await user.ask(f"CONSUMER.CREATE.{COPY}.named", consumer(COPY, "named"))
    await user.ask(f"CONSUMER.DURABLE.CREATE.{COPY}.lasting", consumer(COPY, "lasting", durable_name="lasting", ack_policy="explicit"))
    pulled = await user.raw(f"$JS.API.CONSUMER.MSG.NEXT.{COPY}.lasting", {"batch": 1})
    await user.send(pulled.reply, b"+ACK")

    async def is_acknowledged():
        return (await user.ask(f"CONSUMER.INFO.{COPY}.lasting"))["ack_floor"]["consumer_seq"] == 1

    await wait_for(is_acknowledged, "an event is acknowledged")
    names = (await user.ask(f"CONSUMER.NAMES.{COPY}"))["consumers"]
    listed = [it["name"] for it in (await user.ask(f"CONSUMER.LIST.{COPY}"))["consumers"]]
    assert {"named", "lasting"} <= set(names) and sorted(names) == sorted(listed), f"{names}, {listed}"
    for name in names:
        await user.ask(f"CONSUMER.DELETE.{COPY}.{name}")


@dataclasses.dataclass(frozen=True)
class Attempt:
    """What is tried, by whom, and how: the function returns something true if it got through."""

    name: str
    user: str
    try_it: typing.Callable


def ask(subject, body=None):
    async def try_it(site, user):
        return await user.ask(subject, body)

    return try_it


def read(subject, body=None):
    """Succeeds with a message that is not the reader's own."""
    async def try_it(site, user):
        answer = await user.raw(subject, body)
        return b"globex" in answer.data or (answer.headers or {}).get("ce-tenant") == "globex"

    return try_it


def send(subject, data=b"{}"):
    async def try_it(site, user):
        await user.send(subject, data)
        return True

    return try_it


def hear(subject):
    async def try_it(site, user):
        subscription = await user.hear(subject)
        await subscription.unsubscribe()
        return True

    return try_it


def own_consumer(**config):
    """Of the reader's own copy, and what it yields of others."""
    async def try_it(site, user):
        name, filters = "tried", config.get("filter_subject")
        subject = f"CONSUMER.CREATE.{COPY}.{name}" + (f".{filters}" if filters else "")
        await user.ask(subject, consumer(COPY, name, **config))
        try:
            inbox = user.connection.new_inbox()
            answers = await user.hear(inbox)
            await user.send(f"$JS.API.CONSUMER.MSG.NEXT.{COPY}.{name}", b'{"batch":1000,"no_wait":true}', inbox)
            while True:
                answer = await answers.next_msg(5)
                if (answer.headers or {}).get("Status"):
                    return False
                if answer.headers["ce-tenant"] != "acme":
                    return True
        finally:
            await user.ask(f"CONSUMER.DELETE.{COPY}.{name}")

    return try_it


async def answered_as_event(site, user):
    """The server answers to whatever subject a request names: does that write into the stream of all events?"""
    before = await site.last()
    await of_each(lambda stream: user.send(f"$JS.API.STREAM.INFO.{stream}", b"", FORGED))
    return await soon(lambda: site.has_more_than(before))


async def pulled_as_event(site, user):
    """The same with what a consumer says when it has nothing. (Events themselves still say that they are a part of a batch, which is not complete.)"""
    before, nothing = await site.last(), ACME.replace(">", "nothing.>")

    async def pull(stream):
        await user.ask(f"CONSUMER.CREATE.{stream}.pull.{nothing}", consumer(stream, "pull", filter_subject=nothing))
        await user.send(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.pull", b'{"batch":1,"no_wait":true}', FORGED)

    await of_each(pull)
    return await soon(lambda: site.has_more_than(before))


async def of_each(request):
    """Asks it of the own copy and of the stream itself; one of them has to be permitted."""
    refused = []
    for stream in (COPY, STREAM):
        try:
            await request(stream)
        except Refused as error:
            refused.append(error)
    if len(refused) == 2:
        raise refused[0]


async def delivered_to_others(site, user):
    """A consumer that pushes to a subject at which another's reader listens."""
    other = site.users["globex-reports"]
    heard = await other.hear("_INBOX.globex")
    await push(user, "_INBOX.globex")
    try:
        return await heard.next_msg(SOON_S)
    except nats.errors.TimeoutError:
        return False
    finally:
        await heard.unsubscribe()


async def delivered_as_event(site, user):
    before = await site.last()
    await push(user, FORGED)
    return await soon(lambda: site.has_more_than(before))


async def delivered_as_deletion(site, user):
    """An empty message to the server's own subject, by a consumer that leaves out what is in events."""
    await push(user, f"$JS.API.STREAM.DELETE.{STREAM}")

    async def is_gone():
        try:
            return await site.last() == 0
        except Refused:
            return True

    return await soon(is_gone)


async def push(user, target):
    """A consumer that sends what it has to this subject, without being asked."""
    config = {"deliver_subject": target, "filter_subject": ACME, "headers_only": True}
    await of_each(lambda stream: user.ask(f"CONSUMER.CREATE.{stream}.push.{ACME}", consumer(stream, "push", **config)))


async def answered_as_creation(site, user):
    """What the server says of a consumer is nearly a request for one: sent to where copies ask for their source, it would make one there."""
    subject = "baton.evt.v1.acme.transfer.2.completed"
    config = consumer(COPY, "chain", deliver_subject="_INBOX.anybody", filter_subject=subject)
    config["config"]["metadata"] = {"of": "chain"}
    target = f"baton.source.CONSUMER.CREATE.{STREAM}.chain.{subject}"
    await user.ask(f"CONSUMER.CREATE.{COPY}.chain.{subject}", config)
    await user.send(f"$JS.API.CONSUMER.INFO.{COPY}.chain", b"", target)

    async def is_there():
        return "chain" in ((await site.witness.ask(f"CONSUMER.NAMES.{STREAM}"))["consumers"] or [])

    return await soon(is_there)


async def answer_in_own_copy(site, user):
    """Nobody can write into a copy: it has no subjects."""
    before = (await user.ask(f"STREAM.INFO.{COPY}"))["state"]["messages"]
    await user.send(f"$JS.API.STREAM.INFO.{COPY}", b"", "baton.evt.v1.acme.transfer.9.forged")

    async def has_more():
        return (await user.ask(f"STREAM.INFO.{COPY}"))["state"]["messages"] > before

    return await soon(has_more)


def connect(name, password):
    async def try_it(site, user):
        try:
            other = await User(name).connect(site.address, password)
        except Exception as error:
            raise Refused(str(error)) from error
        await other.connection.close()
        return True

    return try_it


async def import_of_others(site, user):
    """What an account would have to be given to read another's: the server refuses the configuration."""
    found = copy.deepcopy(site.found)
    wanted = found["BATON~globex"]["imports"]
    found["BATON~acme"]["imports"] += [it for it in wanted if it not in found["BATON~acme"]["imports"]]
    with tempfile.TemporaryDirectory(prefix="baton-leaks-") as folder:
        return accepts(pathlib.Path(folder), found)


async def copy_of_others(site, user):
    """An operator's slip: a copy with the other's filter in the first one's account."""
    wanted = permissions.copy(site.names, "globex", 64, 1)
    wanted["sources"][0]["external"]["deliver"] = site.names.deliver("acme")
    api = site.names.copies("acme")
    await user.ask(f"{api}.STREAM.DELETE.{COPY}")
    try:
        await program("copy").put(user.connection, {"api": api, "stream": wanted})

        async def has_some():
            return (await site.copied("acme"))["state"]["messages"]

        return await soon(has_some)
    finally:
        await user.ask(f"{api}.STREAM.DELETE.{COPY}")
        await make_copy(user, site.names, "acme")
        await site.until_copied("acme")


def attempts():
    """All of them, in an order in which those that break something come last."""
    api = "$JS.API."
    by_reader = {
        "what the stream is, and whose events it has": ask(f"STREAM.INFO.{STREAM}", {"subjects_filter": ">"}),
        "the streams' names": ask("STREAM.NAMES"),
        "the streams": ask("STREAM.LIST"),
        "what the account has": ask("INFO"),
        "a message by its number": ask(f"STREAM.MSG.GET.{STREAM}", {"seq": 1}),
        "the last message of another": ask(f"STREAM.MSG.GET.{STREAM}", {"last_by_subj": GLOBEX}),
        "messages read directly": read(f"{api}DIRECT.GET.{STREAM}", {"next_by_subj": GLOBEX, "seq": 1, "batch": 10}),
        "the last message of a subject, directly": read(f"{api}DIRECT.GET.{STREAM}.{OF_GLOBEX}"),
        "another's events in the own copy, directly": read(f"{api}DIRECT.GET.{COPY}", {"next_by_subj": GLOBEX, "seq": 1, "batch": 10}),
        "another's last event in the own copy": read(f"{api}DIRECT.GET.{COPY}.{OF_GLOBEX}"),
        "a consumer without a filter": ask(f"CONSUMER.CREATE.{STREAM}", consumer(STREAM, "tried")),
        "a named consumer without a filter": ask(f"CONSUMER.CREATE.{STREAM}.tried", consumer(STREAM, "tried")),
        "a durable consumer of old": ask(f"CONSUMER.DURABLE.CREATE.{STREAM}.old", consumer(STREAM, "old", durable_name="old")),
        "a consumer with another's filter": ask(f"CONSUMER.CREATE.{STREAM}.tried.{GLOBEX}", consumer(STREAM, "tried", filter_subject=GLOBEX)),
        "a consumer with the own filter": ask(f"CONSUMER.CREATE.{STREAM}.tried.{ACME}", consumer(STREAM, "tried", filter_subject=ACME)),
        "another's filter behind the own one": ask(f"CONSUMER.CREATE.{STREAM}.tried.{ACME}", consumer(STREAM, "tried", filter_subject=GLOBEX)),
        "two filters behind the own one": ask(f"CONSUMER.CREATE.{STREAM}.tried.{ACME}", consumer(STREAM, "tried", filter_subjects=[ACME, GLOBEX])),
        "a consumer of the own copy with another's filter": own_consumer(filter_subject=GLOBEX),
        "a consumer of the own copy with two filters": own_consumer(filter_subjects=[ACME, GLOBEX]),
        "a consumer of the own copy without a filter": own_consumer(),
        "messages from another's consumer": read(f"{api}CONSUMER.MSG.NEXT.{STREAM}.{OTHERS}", {"batch": 1}),
        "what another's consumer is": ask(f"CONSUMER.INFO.{STREAM}.{OTHERS}"),
        "the consumers' names": ask(f"CONSUMER.NAMES.{STREAM}"),
        "the consumers": ask(f"CONSUMER.LIST.{STREAM}"),
        "another's consumer changed": ask(f"CONSUMER.CREATE.{STREAM}.{OTHERS}.{ACME}", consumer(STREAM, OTHERS, filter_subject=ACME)),
        "another's consumer paused": ask(f"CONSUMER.PAUSE.{STREAM}.{OTHERS}", {"pause_until": "2100-01-01T00:00:00Z"}),
        "another's consumer reset": ask(f"CONSUMER.RESET.{STREAM}.{OTHERS}", {}),
        "another's message acknowledged": send(f"$JS.ACK.{STREAM}.{OTHERS}.1.2.1.0.0", b"+TERM"),
        "another's flow control": send(f"$JS.FC.{STREAM}.{OTHERS}.x", b""),
        "all subjects heard": hear(">"),
        "all events heard": hear("baton.evt.v1.>"),
        "another's events heard": hear(GLOBEX),
        "another's copy heard on its way": hear("baton.deliver.globex.>"),
        "the own copy heard on its way": hear("baton.deliver.acme.>"),
        "the bell heard": hear("baton.bell.v1.events"),
        "JetStream's own requests heard": hear("$JS.>"),
        "JetStream's advisories heard": hear("$JS.EVENT.>"),
        "the server's own account heard": hear("$SYS.>"),
        "an event published as another": send(FORGED),
        "an event published": send("baton.evt.v1.acme.transfer.9.forged"),
        "the bell rung": send("baton.bell.v1.events"),
        "a source asked for directly": ask(f"baton.source.CONSUMER.CREATE.{STREAM}.tried.{ACME}", consumer(STREAM, "tried", filter_subject=ACME, deliver_subject="_INBOX.anybody")),
        "another's source asked for": ask(f"baton.source.CONSUMER.CREATE.{STREAM}.tried.{GLOBEX}", consumer(STREAM, "tried", filter_subject=GLOBEX, deliver_subject="_INBOX.anybody")),
        "another's copy asked about": ask(f"baton.copies.globex.STREAM.INFO.{COPY}"),
        "a stream made": ask("STREAM.CREATE.OWN", {"name": "OWN", "subjects": ["own"]}),
        "the own copy with another source": ask(f"STREAM.UPDATE.{COPY}", permissions.copy(permissions.Names(""), "globex", 64, 1)),
        "an answer as another's event": answered_as_event,
        "a message pulled as another's event": pulled_as_event,
        "an answer as an event of the own copy": answer_in_own_copy,
        "a delivery to another's inbox": delivered_to_others,
        "a delivery as another's event": delivered_as_event,
        "an answer as a consumer among the services": answered_as_creation,
        "another's name with the own password": connect("globex-reports", PASSWORDS["acme-reports"]),
        "no name": connect("", ""),
        "a delivery that deletes the stream": delivered_as_deletion,
        "a message deleted": ask(f"STREAM.MSG.DELETE.{STREAM}", {"seq": 3}),
        "another's consumer deleted": ask(f"CONSUMER.DELETE.{STREAM}.{OTHERS}"),
        "the stream changed": ask(f"STREAM.UPDATE.{STREAM}", {"name": STREAM, "subjects": ["baton.evt.v1.>"], "max_msgs": 10**6}),
        "the own copy emptied": ask(f"STREAM.PURGE.{COPY}"),
        "the own copy deleted": ask(f"STREAM.DELETE.{COPY}"),
        "the stream emptied": ask(f"STREAM.PURGE.{STREAM}"),
        "the stream deleted": ask(f"STREAM.DELETE.{STREAM}"),
    }
    by_services = {
        "services: a copy asked about": ask(f"baton.copies.acme.STREAM.INFO.{COPY}"),
        "services: a consumer": ask(f"CONSUMER.CREATE.{STREAM}.tried", consumer(STREAM, "tried")),
        "services: all subjects heard": hear(">"),
        "services: another stream": ask("STREAM.CREATE.OWN", {"name": "OWN", "subjects": ["own"]}),
        "services: the stream changed": ask(f"STREAM.UPDATE.{STREAM}", {"name": STREAM, "subjects": ["baton.evt.v1.>"], "max_msgs": 10**6}),
        "services: the stream emptied": ask(f"STREAM.PURGE.{STREAM}"),
        "services: the stream deleted": ask(f"STREAM.DELETE.{STREAM}"),
    }
    by_operator = {
        "operator: an import of another's": import_of_others,
        "operator: a copy of another's": copy_of_others,
        "operator: an event published": send(FORGED),
        "operator: all subjects heard": hear(">"),
        "operator: another stream": ask("STREAM.CREATE.OWN", {"name": "OWN", "subjects": ["own"]}),
        "operator: a message deleted": ask(f"STREAM.MSG.DELETE.{STREAM}", {"seq": 3}),
        "operator: the stream emptied": ask(f"STREAM.PURGE.{STREAM}"),
        "operator: the stream deleted": ask(f"STREAM.DELETE.{STREAM}"),
    }
    of = {"baton-operator": by_operator, "acme-reports": by_reader, "baton": by_services}
    return [Attempt(name, user, try_it) for user, them in of.items() for name, try_it in them.items()]


def make(found):
    found["BATON"]["users"].append(WITNESS)
    return found


def user_of(found, name):
    return next(it for account in found.values() for it in account["users"] if it["user"] == name)


def may(name, kind, *subjects):
    """A user who may do more."""
    def loosen(found):
        user_of(found, name)["permissions"][kind] += subjects

    return loosen


def nothing_private(found):
    for account in found.values():
        for it in account["exports"]:
            it.pop("accounts")


def any_filter(found):
    """Copies may ask for whatever they want."""
    every = f"$JS.API.CONSUMER.CREATE.{STREAM}.>"
    found["BATON"]["exports"] = [it for it in found["BATON"]["exports"] if "evt.v1" not in it.get("service", "")] + [{"service": every}]
    for name in ("BATON~acme", "BATON~globex"):
        asked = found[name]["imports"][0]
        asked["service"]["subject"], asked["to"] = every, f"baton.source.CONSUMER.CREATE.{STREAM}.>"


def one_account(found):
    """No account for each tenant: its reader is a user beside the services, who may do what a reader of its own events needs."""
    asked = [f"STREAM.INFO.{STREAM}", f"CONSUMER.CREATE.{STREAM}.*.{ACME}", f"CONSUMER.INFO.{STREAM}.*", f"CONSUMER.MSG.NEXT.{STREAM}.*"]
    for tenant in ("acme", "globex"):
        reader = found[f"BATON~{tenant}"]["users"].pop()
        reader["permissions"]["publish"] = [f"$JS.API.{it}".replace("acme", tenant) for it in asked]
        found["BATON"]["users"].append(reader)


def same_password(found):
    user_of(found, "globex-reports")["password"] = user_of(found, "acme-reports")["password"]


@dataclasses.dataclass(frozen=True)
class Hole:
    """A rule that is loosened, and what must get through then."""

    name: str
    loosen: typing.Callable
    reached: tuple
    # Settings of the copies; `None`: there are none.
    copies: dict | None = dataclasses.field(default_factory=dict)


READER, SERVICES, OPERATOR = "acme-reports", "baton", "baton-operator"
API = "$JS.API."
HOLES = [
    Hole(
        "one account for all, with permissions by subject",
        one_account,
        (
            "what the stream is, and whose events it has",
            "a consumer with the own filter",
            "messages from another's consumer",
            "what another's consumer is",
            "another's consumer changed",
            "an answer as another's event",
            "a message pulled as another's event",
            "a delivery to another's inbox",
        ),
        copies=None,
    ),
    Hole("readers may publish anything", may(READER, "publish", ">"), ("an event published", "a source asked for directly", "the own copy deleted")),
    Hole("readers may hear anything", may(READER, "subscribe", ">"), ("all subjects heard", "the own copy heard on its way")),
    Hole("exports are for every account", nothing_private, ("operator: an import of another's",)),
    Hole("a copy may have any filter", any_filter, ("operator: a copy of another's",)),
    Hole("copies have subjects", lambda _: None, ("an answer as an event of the own copy",), copies={"subjects": [ACME]}),
    Hole("one password for two", same_password, ("another's name with the own password",)),
    Hole("services may ask JetStream anything", may(SERVICES, "publish", API + ">"), ("services: a consumer", "services: the stream deleted")),
    Hole("services may ask about copies", may(SERVICES, "publish", "baton.copies.>"), ("services: a copy asked about",)),
    Hole("services may hear anything", may(SERVICES, "subscribe", ">"), ("services: all subjects heard",)),
    Hole("the operator may ask JetStream anything", may(OPERATOR, "publish", API + ">"), ("operator: another stream", "operator: the stream deleted")),
    Hole("the operator may publish", may(OPERATOR, "publish", "baton.evt.v1.>"), ("operator: an event published",)),
    Hole("the operator may hear anything", may(OPERATOR, "subscribe", ">"), ("operator: all subjects heard",)),
]


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
