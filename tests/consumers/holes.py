"""The rules of the accounts, each loosened, and which attempts get through then."""
import dataclasses
import typing

from two_tenants import ACME, STREAM, user_of


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
