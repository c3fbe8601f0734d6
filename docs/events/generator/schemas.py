"""JSON Schemas (2020-12) of events in protobuf's canonical JSON form."""
import itertools
import json

from google.protobuf.descriptor import FieldDescriptor as Field

from .contract import EVENT

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Protobuf writes whole numbers of 64 bits as text, as JavaScript can't hold them.
SCALARS = {
    Field.TYPE_STRING: {"type": "string"},
    Field.TYPE_BOOL: {"type": "boolean"},
    Field.TYPE_INT32: {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    Field.TYPE_INT64: {"type": "string", "pattern": "^-?[0-9]+$"},
    Field.TYPE_UINT64: {"type": "string", "pattern": "^[0-9]+$"},
}
WELL_KNOWN = {
    "google.protobuf.Timestamp": {
        "type": "string",
        "format": "date-time",
        "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3}|\.[0-9]{6}|\.[0-9]{9})?Z$",
    },
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{3}|\.[0-9]{6}|\.[0-9]{9})?s$"},
}
# What is left out where it is empty.
MAY_BE_EMPTY = {"actor", "traceparent"}


def short_name(descriptor):
    return descriptor.full_name.removeprefix(descriptor.file.package + ".")


class Definitions:
    """The `$defs` of one schema: the messages and enums that it refers to."""

    def __init__(self, catalogue):
        self.catalogue, self.contract, self.made = catalogue, catalogue.contract, {}

    def refer(self, descriptor, make):
        name = short_name(descriptor)
        if name not in self.made:
            self.made[name] = {}  # Keeps its place while it is made.
            self.made[name] = make(descriptor)
        return {"$ref": f"#/$defs/{name}"}

    def message(self, message):
        schema = {"type": "object", "description": self.describe(message)}
        if message.fields:
            schema["properties"] = {it.json_name: self.field(it) for it in message.fields}
        pairs = [pair for it in message.oneofs for pair in itertools.combinations([field.json_name for field in it.fields], 2)]
        if pairs:
            schema["allOf"] = [{"not": {"required": list(pair)}} for pair in pairs]
        return schema

    def enum(self, enum):
        return {"type": "string", "description": self.describe(enum), "enum": [it.name for it in enum.values]}

    def field(self, field):
        schema = {"description": self.describe(field)}
        data_class = self.contract.data_class(field)
        if data_class != "none":
            schema["x-data-class"] = data_class
        one = self.type(field)
        return schema | ({"type": "array", "items": one} if field.is_repeated else one)

    def type(self, field):
        if field.enum_type:
            return self.refer(field.enum_type, self.enum)
        if field.message_type and field.message_type.full_name in WELL_KNOWN:
            return WELL_KNOWN[field.message_type.full_name]
        return self.refer(field.message_type, self.message) if field.message_type else SCALARS[field.type]

    def describe(self, descriptor):
        return self.catalogue.words(self.contract.comment(descriptor))


def schema_of(catalogue, event):
    """The schema of an Event with the data of this type."""
    definitions = Definitions(catalogue)
    envelope = catalogue.contract.pool.FindMessageTypeByName(EVENT)
    properties = {it.json_name: definitions.field(it) for it in envelope.fields if it.name != "data"}
    what = {event.field.json_name: definitions.field(event.field)}
    why = {catalogue.cause.json_name: definitions.field(catalogue.cause)} if event.has_cause else {}
    properties["data"] = {"type": "object", "description": event.summary, "properties": what | why, "required": list(what)}
    properties["type"] |= {"const": event.type}
    properties["source"] |= {"const": event.source}
    properties["subject"] |= {"pattern": event.subject_pattern}
    return {
        "$schema": DIALECT,
        "title": event.type,
        "description": catalogue.words(event.text),
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in MAY_BE_EMPTY],
        "$defs": definitions.made,
    }


def closed(schema):
    """The same, and unknown fields are refused. A published schema allows them, as fields are added without a new version."""
    if isinstance(schema, list):
        return [closed(it) for it in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    return inner | {"additionalProperties": False} if schema.get("type") == "object" else inner


def text_of(schema):
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
