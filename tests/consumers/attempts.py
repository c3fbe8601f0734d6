"""What a tenant's reader, the services and the operator must not be able to do: each is a function that returns something true if it got through."""
import copy
import dataclasses
import pathlib
import tempfile
import typing

import nats

from nats_site import PASSWORDS, Refused, User, accepts, make_copy, permissions, program
from two_tenants import ACME, COPY, FORGED, GLOBEX, OF_GLOBEX, OTHERS, SOON_S, STREAM, consumer, soon


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
