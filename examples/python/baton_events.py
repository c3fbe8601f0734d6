"""Reads Baton's events from NATS JetStream: in order, from any point, with what CloudEvents says of them and the data decoded.

`contract.binpb` is made of the contract by `buf build -o contract.binpb`. Classes that protoc generates do as well:
`event_pb2.EventData.FromString(message.data)`.
"""
import argparse
import dataclasses
import pathlib
import urllib.parse

import nats
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from nats.js.api import ConsumerConfig, DeliverPolicy


def options(description, batch):
    """What every reader is told on its command line."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="nats://127.0.0.1:4222")
    parser.add_argument("--user", help="as whom, where the server asks")
    parser.add_argument("--password-file", type=pathlib.Path, help="a file with that user's password")
    parser.add_argument("--stream", default="BATON_EVT", help="BATON_EVENTS is a tenant's copy: docs/events/permissions.md")
    parser.add_argument("--tenant", default="demo")
    parser.add_argument("--contract", default="contract.binpb", help="made by `buf build -o contract.binpb`")
    parser.add_argument("--batch", type=int, default=batch, help="how many events are committed at once, at most")
    parser.add_argument("--until-idle", action="store_true", help="end when nothing more comes")
    return parser


async def connect(arguments):
    """To the server that the command line names."""
    password = arguments.password_file.read_text().strip() if arguments.password_file else None
    return await nats.connect(arguments.server, user=arguments.user, password=password)


def event_data(contract):
    """The class of all payloads, baton.event.v1.EventData, from the file `contract.binpb`."""
    pool = descriptor_pool.DescriptorPool()
    with open(contract, "rb") as file:
        for described in descriptor_pb2.FileDescriptorSet.FromString(file.read()).file:
            pool.Add(described)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("baton.event.v1.EventData"))


@dataclasses.dataclass(frozen=True)
class Event:
    """An event and where it stands in the stream."""

    position: int
    id: str
    tenant: str
    # Without `dev.baton.` and `.v1`: `transfer.completed`.
    type: str
    source: str
    subject: str
    # 1, 2, 3… for each source and subject, without gaps.
    sequence: int
    # RFC 3339, UTC.
    time: str
    # The message of this type, for example TransferCompleted.
    data: object

    def data_as_dict(self):
        """By the contract's own names, with empty fields, as the queries in docs/events/metrics read it."""
        return json_format.MessageToDict(self.data, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def read(message, payload):
    """The event of a message; `None` for a message that is no event, or of a type that this contract does not know."""
    headers = {name.lower(): urllib.parse.unquote(value) for name, value in (message.headers or {}).items()}
    decoded = payload.FromString(message.data)
    kind = decoded.WhichOneof("data")
    if "ce-type" not in headers or kind is None:
        return None
    return Event(
        position=message.metadata.sequence.stream,
        id=headers["ce-id"],
        tenant=headers["ce-tenant"],
        type=headers["ce-type"].removeprefix("dev.baton.").removesuffix(".v1"),
        source=headers["ce-source"],
        subject=headers["ce-subject"],
        sequence=int(headers["ce-sequence"]),
        time=headers["ce-time"],
        data=getattr(decoded, kind),
    )


async def batches(jetstream, stream, subject, after, payload, idle_s=0.2, most=500):
    """Lists of events in the order of the stream, after a position: each up to `most`, or what came until nothing came for `idle_s`.

    An empty list says that nothing came. The consumer is an ordered one: the client notices what was lost on the way and has it sent again. Where
    to go on is not kept by the server but with the results (see live_metrics.py), so that the two never disagree.
    """
    start = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=after + 1)
    subscription = await jetstream.subscribe(subject, stream=stream, ordered_consumer=True, config=start)
    batch = []
    while True:
        try:
            event = read(await subscription.next_msg(timeout=idle_s), payload)
            batch += [event] if event else []
            idle = False
        except nats.errors.TimeoutError:
            idle = True
        if idle or len(batch) >= most:
            yield batch
            batch = []
