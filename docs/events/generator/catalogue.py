"""The events that there are: of each its type, who publishes it, and what it is about."""
import dataclasses
import re

from .contract import DATA, event_name, whole_type

UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# What an event can be about: the form of its subject (a regular expression), and in words.
SUBJECTS = {
    "interaction": (f"interaction/{UUID}", "a call or a chat, from its first event to its last one; also its transfers, recordings and voicemail messages"),
    "agent": (f"agent/{UUID}", "an agent"),
    "team": (f"team/{UUID}", "a team"),
    "site": (f"site/{UUID}", "a site: a place where agents work"),
    "number": (r"number/(\+[0-9]+|chat:[a-z0-9._-]+|unknown)", "one of the tenant's numbers; `number/unknown` is all numbers that the tenant does not have"),
    "call_flow": (f"call_flow/{UUID}", "a call flow"),
    "queue": (f"queue/{UUID}", "a queue"),
    "dial_rule": (r"dial_rule/\+[0-9]+", "a rule that says which numbers agents may call"),
    "ivr_flow": (f"ivr_flow/{UUID}", "an IVR flow"),
    "external_number": (f"external_number/{UUID}", "a number outside to which agents can transfer"),
    "policy": ("policy", "the tenant's policy; there is one, so it needs no id"),
    "tenant": ("tenant/[a-z0-9-]+", "the tenant itself"),
    "customer": ("customer/[0-9a-f]{32}", "a customer, by their pseudonym (`customer.key`)"),
}

# Who publishes the events of an area and what they are about; an event's own line goes over that of its area. The contract can't say this:
# the captured examples are compared with it.
ORIGINS = {
    "interaction": ("transfer", ["interaction"]),
    "interaction.refused": ("transfer", ["tenant"]),
    "transfer": ("transfer", ["interaction"]),
    "chat": ("transfer", ["interaction"]),
    "recording": ("transfer", ["interaction"]),
    "recording.stored": ("recording", ["interaction"]),
    "recording.deleted": ("recording", ["interaction"]),
    "recording.settings_changed": ("recording", ["number"]),
    "voicemail": ("recording", ["interaction"]),
    "agent": ("presence", ["agent"]),
    "directory": ("presence", ["agent", "team", "site"]),
    "routing": ("routing", ["number", "call_flow", "dial_rule", "queue", "ivr_flow", "external_number"]),
    "ivr": ("transfer", ["interaction"]),
    "routing.call_refused": ("routing", ["number"]),
    "policy": ("transfer", ["policy"]),
    "tenant": ("transfer", ["tenant"]),
    "customer": ("transfer", ["customer"]),
}

# The areas in the order of the pages, each with what a reader finds there.
AREAS = {
    "interaction": "A call or a chat as the customer lives it: from the first contact to the last goodbye.",
    "transfer": "The handing over of a customer from one agent to another, a team, a queue, an IVR flow, a number outside, or voicemail.",
    "ivr": "What a customer does in an IVR flow, between two agents or instead of one.",
    "chat": "What is written in chats: by whom and when, and not what.",
    "recording": "What is recorded of a call, what is left out, and what becomes of the audio.",
    "voicemail": "Messages that customers leave, and what becomes of them.",
    "agent": "Whether agents can be had.",
    "directory": "The agents, teams and sites that there are.",
    "routing": "Numbers, call flows, queues, IVR flows, dial rules and numbers outside, and calls for numbers that are not there.",
    "policy": "The rules of who may do what in a call.",
    "tenant": "The tenant and its plan.",
    "customer": "Customers who were forgotten.",
}


@dataclasses.dataclass(frozen=True)
class EventType:
    """One type of event; `summary` is the comment of its field in EventData, `text` that of its message."""

    name: str
    field: object
    summary: str
    text: str

    @property
    def area(self):
        return self.name.split(".")[0]

    @property
    def message(self):
        return self.field.message_type

    @property
    def type(self):
        return whole_type(self.name)

    @property
    def origin(self):
        return ORIGINS.get(self.name) or ORIGINS[self.area]

    @property
    def service(self):
        return self.origin[0]

    @property
    def source(self):
        return f"//baton/{self.service}"

    @property
    def subjects(self):
        return self.origin[1]

    @property
    def subject_pattern(self):
        return f"^({'|'.join(SUBJECTS[it][0] for it in self.subjects)})$"

    @property
    def has_cause(self):
        return self.service == "transfer" and self.subjects == ["interaction"]

    @property
    def nats_subject(self):
        """As `Envelope::subject` in libs/bus/src/envelope.rs."""
        event = self.name.removeprefix(f"{self.service}.").replace(".", "_")
        return f"baton.evt.v1.{{tenant}}.{self.service}.{{partition}}.{event}"


class Catalogue:
    """All types of events, and all that their messages are made of."""

    def __init__(self, contract):
        self.contract = contract
        data = contract.pool.FindMessageTypeByName(DATA)
        fields = data.oneofs_by_name["data"].fields
        self.events = [EventType(event_name(it), it, contract.comment(it), contract.comment(it.message_type)) for it in fields]
        self.cause = data.fields_by_name["cause"]
        self.by_message = {it.message.name: it for it in self.events}
        for event in self.events:
            if event.area not in AREAS or event.area not in ORIGINS:
                at = contract.place(event.field)
                raise SystemExit(f"{at}: nobody says who publishes `{event.name}`: add its area to docs/events/generator/catalogue.py")

    def of(self, area):
        return [it for it in self.events if it.area == area]

    def words(self, comment):
        """A comment for a page: without the numbers of behaviours, and messages of events by their types."""
        text = re.sub(r" \((?:and )?[A-Z]\d+(?:, [A-Z]\d+)*\)", "", comment)
        return re.sub(r"\b[A-Z]\w+\b", lambda it: f"`{self.by_message[it[0]].name}`" if it[0] in self.by_message else it[0], text)


def elements(message, seen=None):
    """A message, its fields, and all messages and enums that it is made of, each once."""
    seen = {} if seen is None else seen
    if message.full_name not in seen and message.full_name.startswith("baton."):
        seen[message.full_name] = message
        for field in message.fields:
            if field.message_type:
                elements(field.message_type, seen)
            elif field.enum_type:
                seen[field.enum_type.full_name] = field.enum_type
    return seen

