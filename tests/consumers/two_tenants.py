"""A NATS server with the events of two tenants, and what their readers do rightly."""
import asyncio
import time

from nats.js.api import ConsumerConfig

from nats_site import PASSWORDS, USERS, User, make_copy, permissions, wait_for

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


def make(found):
    found["BATON"]["users"].append(WITNESS)
    return found


def user_of(found, name):
    return next(it for account in found.values() for it in account["users"] if it["user"] == name)


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
