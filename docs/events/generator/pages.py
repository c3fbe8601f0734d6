"""The pages for people: one for each area, and README.md with all types."""
import json
import pathlib
import re
from datetime import datetime

from google.protobuf.descriptor import FieldDescriptor as Field

from .catalogue import AREAS, SUBJECTS, elements
from .contract import is_concealed
from .schemas import short_name

# A whole call, an event a line.
STORY = "a_warm_transfer.jsonl"
# The event that README.md shows as a whole.
WHOLE = "transfer.completed"
TEMPLATE = pathlib.Path(__file__).with_name("readme.md")
NOTICE = "<!-- Written by docs/events/generate from proto/baton/event/v1/event.proto: change the comments there, and run it. -->"
FIELDS = ["field", "type", "data class", "meaning"]
SCALARS = {
    Field.TYPE_STRING: "string",
    Field.TYPE_BOOL: "bool",
    Field.TYPE_INT32: "int32",
    Field.TYPE_INT64: "int64",
    Field.TYPE_UINT64: "uint64",
}


def anchor(heading):
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def cell(text):
    return text.replace("|", r"\|")


def table(columns, rows):
    return "\n".join([f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *(f"| {' | '.join(row)} |" for row in rows)])


def subject(name):
    return f"`{name}/…`" if "/" in SUBJECTS[name][0] else f"`{name}`"


class Page:
    """What a page shows of messages: their fields, and the values of enums."""

    def __init__(self, catalogue):
        self.catalogue = catalogue

    def rows(self, message, before):
        """A row for each field, and for each one of the messages in it."""
        for field in message.fields:
            name = f"{before}{field.name}"
            data_class = self.catalogue.contract.data_class(field)
            shown = f"**{data_class}**" if is_concealed(data_class) else data_class
            yield f"`{name}`", self.type(field), shown, cell(self.meaning(field))
            if field.message_type and field.message_type.full_name.startswith("baton."):
                yield from self.rows(field.message_type, f"{name}[]." if field.is_repeated else f"{name}.")

    def meaning(self, field):
        said = self.catalogue.words(self.catalogue.contract.comment(field))
        others = [f"`{it.name}`" for it in (field.containing_oneof.fields if field.containing_oneof else ()) if it.name != field.name]
        return f"{said} Not together with {' or '.join(others)}." if others else said

    def type(self, field):
        if field.enum_type:
            shown = f"[{short_name(field.enum_type)}](#{anchor(short_name(field.enum_type))})"
        elif field.message_type:
            shown = "timestamp" if field.message_type.full_name == "google.protobuf.Timestamp" else "message"
        else:
            shown = SCALARS[field.type]
        return f"list of {shown}" if field.is_repeated else shown

    def values(self, messages):
        """Of each enum that these messages are made of, its values."""
        enums = {}
        for message in messages:
            enums |= {name: it for name, it in elements(message).items() if hasattr(it, "values")}
        if enums:
            yield "## Values"
        for enum in sorted(enums.values(), key=short_name):
            comment = lambda it: cell(self.catalogue.words(self.catalogue.contract.comment(it)))
            rows = [(f"`{it.name}`", comment(it)) for it in enum.values]
            yield f"### {short_name(enum)}"
            yield self.catalogue.words(self.catalogue.contract.comment(enum))
            yield table(["value", "meaning"], rows)


class AreaPage(Page):
    """The events of one area, each with its fields and an example, and the lists of values below them."""

    def __init__(self, catalogue, area, examples):
        super().__init__(catalogue)
        self.area, self.examples = area, examples
        self.events = catalogue.of(area)

    def text(self):
        contents = "\n".join(f"- [`{it.name}`](#{anchor(it.name)}): {self.catalogue.words(it.summary)}" for it in self.events)
        parts = [NOTICE, f"# Events: {self.area}", f"{AREAS[self.area]} How events are read is in [README.md](README.md).", contents]
        parts += [part for it in self.events for part in self.event(it)]
        return "\n\n".join([*parts, *self.values([it.message for it in self.events])]) + "\n"

    def event(self, event):
        yield f"## {event.name}"
        yield self.catalogue.words(event.text)
        subjects = " or ".join(subject(it) for it in event.subjects)
        facts = [
            ("type", f"`{event.type}`"),
            ("source", f"`{event.source}`"),
            ("subject", subjects),
            ("on NATS", f"`{event.nats_subject}`"),
            ("JSON Schema", f"[{event.name}.json](schemas/{event.name}.json)"),
        ]
        yield "\n".join(f"- {name}: {value}" for name, value in facts)
        rows = list(self.rows(event.message, ""))
        yield table(FIELDS, rows) if rows else "It has no fields: type, subject and time say all."
        yield self.example(event)

    def example(self, event):
        if event.name not in self.examples:
            return "No example was captured yet."
        shown = json.dumps(json.loads(self.examples[event.name])["data"], indent=2, ensure_ascii=False)
        return f"For example (`data` of [this event](examples/{event.name}.json)):\n\n```json\n{shown}\n```"


class CausePage(Page):
    """Why an event happened."""

    def text(self):
        cause = self.catalogue.cause
        words = [self.catalogue.words(self.catalogue.contract.comment(it)) for it in (cause.message_type, cause)]
        fields = table(FIELDS, self.rows(cause.message_type, "cause."))
        explained = "`baton call explain` tells the causes of a call in plain words: [explain.md](../explain.md)."
        return "\n\n".join([NOTICE, "# Why an event happened", *words, explained, fields, *self.values([cause.message_type])]) + "\n"


def concealed(catalogue):
    """The fields that an analyst finds empty, with the events that have them."""
    places = {}
    for event in catalogue.events:
        for message in elements(event.message).values():
            for field in getattr(message, "fields", ()):
                if is_concealed(catalogue.contract.data_class(field)):
                    places.setdefault(f"{short_name(message)}.{field.name}", (field, []))[1].append(event)
    for name, (field, events) in places.items():
        shown = ", ".join(f"[`{it.name}`]({it.area}.md#{anchor(it.name)})" for it in events)
        yield f"`{name}`", catalogue.contract.data_class(field), shown


def readme(catalogue, examples):
    areas = []
    for area, sentence in AREAS.items():
        rows = []
        for it in catalogue.of(area):
            subjects = ", ".join(f"`{name}`" for name in it.subjects)
            rows.append((f"[`{it.name}`]({area}.md#{anchor(it.name)})", catalogue.words(it.summary), f"`{it.source}`", subjects))
        areas += [f"### [{area}]({area}.md)", sentence, table(["event", "what happened", "source", "subject"], rows)]
    missing = [f"`{it.name}`" for it in catalogue.events if it.name not in examples]
    parts = {
        "WHOLE": examples.get(WHOLE, "").strip(),
        "EVENTS": "\n\n".join(areas),
        "SUBJECTS": table(["subject", "what it is"], [(subject(name), says) for name, (_, says) in SUBJECTS.items()]),
        "CONCEALED": table(["field", "data class", "in"], concealed(catalogue)),
        "CLASSES": table(["data class", "what it says of people or the tenant"], classes(catalogue)),
        "EXAMPLES": f"No example was captured yet of {', '.join(missing)}." if missing else "There is an example of every type.",
        "COUNT": str(len(catalogue.events)),
    }
    return f"{NOTICE}\n\n" + re.sub(r"\{\{(\w+)\}\}", lambda it: parts[it[1]], TEMPLATE.read_text())


def time_of(event):
    return datetime.fromisoformat(event["time"].replace("Z", "+00:00"))


def story(catalogue, lines):
    """A whole call, event by event, as it was captured."""
    events = [json.loads(line) for line in lines.splitlines()]
    by_type = {it.type: it for it in catalogue.events}
    began, rows = time_of(events[0]), []
    for event in events:
        it, seconds = by_type.get(event["type"]), (time_of(event) - began).total_seconds()
        if not it:
            continue  # The check of examples says so.
        who = event["actor"]["kind"].removeprefix("KIND_").lower()
        rows.append((f"{seconds:.2f} s", f"[`{it.name}`]({it.area}.md#{anchor(it.name)})", catalogue.words(it.summary), who))
    intro = (
        "A customer calls. Ada answers, puts them on hold until somebody is reminded, mutes herself for a moment, writes a note, attaches data, "
        "pauses the recording, and hands over to Ben: he answers, they talk in private, she goes back to the customer for a moment, all three hear each other, and Ada leaves. After a while the "
        "customer hangs up, and a supervisor deletes the first recording. These are the events about the call as they were captured from a real "
        f"run ([the whole events](examples/{STORY})), in the order in which they were published."
    )
    return "\n\n".join([NOTICE, "# A call, event by event", intro, table(["after", "event", "what happened", "whose doing"], rows)]) + "\n"


def classes(catalogue):
    contract = catalogue.contract
    for value in contract.classes.values:
        if value.number:
            yield f"`{value.name.removeprefix('DATA_CLASS_').lower()}`", cell(contract.comment(value))
