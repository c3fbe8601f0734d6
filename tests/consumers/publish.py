"""Stands in for Baton on a NATS server: publishes the events of a file (as `baton events list --json` and `baton demo day` write them) by the
rules of libs/bus/src/envelope.rs."""
import json
import re
import urllib.parse

from google.protobuf import json_format

KINDS = {f"KIND_{it.upper()}": it for it in ("agent", "supervisor", "admin", "service", "operator", "customer", "external", "system")}


def fnv_1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def token(text):
    return re.sub(rb"[^A-Za-z0-9_-]", lambda it: b"%%%02X" % it[0][0], text.encode()).decode()


def subject_of(event):
    service, name = event["source"].removeprefix("//baton/"), event["type"].removeprefix("dev.baton.").removesuffix(".v1")
    own = name.removeprefix(f"{service}.").replace(".", "_")
    return f"baton.evt.v1.{token(event['tenant'])}.{token(service)}.{fnv_1a(event['subject'].encode()) % 64}.{token(own)}"


def actor_of(event):
    actor = event["actor"]
    text = "/".join(filter(None, [KINDS.get(actor["kind"], ""), actor["id"]]))
    return f"for/{actor['for_agent_id']}/{text}" if actor["for_agent_id"] else text


def headers_of(event):
    headers = {
        "ce-specversion": event["spec_version"],
        "ce-id": event["event_id"],
        "Nats-Msg-Id": event["event_id"],
        "ce-source": event["source"],
        "ce-type": event["type"],
        "ce-dataschema": event["data_schema"],
        "ce-subject": event["subject"],
        "ce-time": event["time"],
        "ce-datacontenttype": "application/protobuf",
        "ce-tenant": event["tenant"],
        "ce-sequence": str(event["sequence"]),
        "ce-actor": actor_of(event),
        "traceparent": event["traceparent"],
    }
    printable = "".join(chr(it) for it in range(0x21, 0x7F) if chr(it) not in '"%')
    return {name: urllib.parse.quote(value, safe=printable) for name, value in headers.items() if value}


def events_in(path):
    for line in path.read_text().splitlines():
        event = json.loads(line)
        yield event.get("event", event)


async def publish(jetstream, events, payload):
    """In this order; the server leaves out what it has already."""
    for event in events:
        data = json_format.ParseDict(event["data"], payload())
        await jetstream.publish(subject_of(event), data.SerializeToString(), headers=headers_of(event))
