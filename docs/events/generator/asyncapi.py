"""The AsyncAPI 3 document: what is published on NATS, channel by channel."""
import yaml

HEADERS = {
    "ce-specversion": {"const": "1.0", "description": "The version of CloudEvents whose attributes these are."},
    "ce-id": {"format": "uuid", "description": "Unique: the same event delivered twice has the same id. `Nats-Msg-Id` has it, too."},
    "ce-subject": {"description": "What the event is about, for example `interaction/0192…`."},
    "ce-time": {"format": "date-time", "description": "When it happened, by the clock of the service that published it; RFC 3339."},
    "ce-datacontenttype": {"const": "application/protobuf", "description": "What the payload is: an encoded `baton.event.v1.EventData`."},
    "ce-dataschema": {"const": "proto:baton.event.v1.EventData", "description": "The message that every payload is."},
    "ce-tenant": {"description": "The tenant in whose contact centre it happened."},
    "ce-sequence": {"pattern": "^[1-9][0-9]*$", "description": "1, 2, 3… for each source and subject, without gaps."},
    "ce-actor": {
        "description": "Who did it: `agent/<id>`, `supervisor/<subject>`, `customer`, `system`; `for/<agent>/` stands before who acted for an "
        "agent. Personal data."
    },
    "traceparent": {"description": "W3C trace context of the change that wrote it; absent without a trace."},
}
MAY_BE_ABSENT = {"ce-actor", "traceparent"}
PARAMETERS = {
    "tenant": {"description": "The tenant's id. Characters other than letters, digits, `-` and `_` are written as `%XX`."},
    "partition": {
        "description": "0 to 63: FNV-1a (64 bits) of the CloudEvents subject, modulo 64. Events about one subject are all in one partition."
    },
}


def describe_headers(headers):
    return {"type": "object", "properties": {name: {"type": "string"} | it for name, it in headers.items()}}


def document(catalogue):
    channels, operations, messages = {}, {}, {}
    for event in catalogue.events:
        name = event.name
        channels[name] = {
            "address": event.nats_subject,
            "summary": event.summary,
            "parameters": {it: {"$ref": f"#/components/parameters/{it}"} for it in PARAMETERS},
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        }
        operations[f"publish.{name}"] = {"action": "send", "summary": event.summary, "channel": {"$ref": f"#/channels/{name}"}}
        messages[name] = {
            "name": event.type,
            "title": name,
            "summary": event.summary,
            "description": catalogue.words(event.text),
            "contentType": "application/protobuf",
            "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
            "headers": describe_headers({"ce-type": {"const": event.type}, "ce-source": {"const": event.source}}),
            "payload": {"$ref": f"./schemas/{name}.json#/properties/data"},
        }
    required = ["ce-type", "ce-source", *(it for it in HEADERS if it not in MAY_BE_ABSENT)]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Baton's events",
            "version": "1",
            "description": "What Baton publishes on NATS JetStream: CloudEvents 1.0 in binary mode. A payload is an encoded "
            "`baton.event.v1.EventData`; the schemas describe its canonical JSON form.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/protobuf",
        "channels": channels,
        "operations": operations,
        "components": {
            "parameters": PARAMETERS,
            "messageTraits": {"cloudevent": {"headers": describe_headers(HEADERS) | {"required": required}}},
            "messages": messages,
        },
    }


def text_of(catalogue):
    notice = "# Written by docs/events/generate from proto/baton/event/v1/event.proto.\n"
    return notice + yaml.safe_dump(document(catalogue), sort_keys=False, allow_unicode=True, width=120)
