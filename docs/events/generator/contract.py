"""The contract's descriptors with their comments, as `buf build` gives them."""
import dataclasses
import pathlib
import re
import subprocess

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, unknown_fields

ROOT = pathlib.Path(__file__).resolve().parents[3]
EVENT = "baton.event.v1.Event"
DATA = "baton.event.v1.EventData"
CLASSES = "baton.common.v1.DataClass"


@dataclasses.dataclass(frozen=True)
class Place:
    """Something of the contract: where it is written, and the comment above it."""

    file: str
    line: int
    comment: str

    def __str__(self):
        return f"proto/{self.file}:{self.line}"


class Contract:
    """The descriptors of a folder that has `buf.yaml` and `proto/`; places by full name."""

    def __init__(self, root=ROOT):
        built = subprocess.run(["buf", "build", "-o", "-"], cwd=root, stdout=subprocess.PIPE, check=True)
        self.pool, self.places = descriptor_pool.DescriptorPool(), {}
        for file in descriptor_pb2.FileDescriptorSet.FromString(built.stdout).file:
            self.pool.Add(file)
            if file.package.startswith("baton."):
                self.locations = {tuple(it.path): it for it in file.source_code_info.location}
                self.read(file, file, (), file.package)
        extension = self.pool.FindExtensionByName("baton.common.v1.data_class")
        self.class_number, self.classes = extension.number, self.pool.FindEnumTypeByName(CLASSES)

    def read(self, file, element, path, name):
        """Takes note of an element's place, and of those of all that is in it."""
        if path:
            location = self.locations[path]
            self.places[name] = Place(file.name, location.span[0] + 1, " ".join(location.leading_comments.split()))
        for part in ("message_type", "nested_type", "enum_type", "field", "oneof_decl", "value"):
            descriptor = element.DESCRIPTOR.fields_by_name.get(part)
            for at, inner in enumerate(getattr(element, part, ()) if descriptor else ()):
                if not (part == "nested_type" and inner.options.map_entry):
                    self.read(file, inner, (*path, descriptor.number, at), f"{name}.{inner.name}")

    def name(self, descriptor):
        """Its full name. Protobuf's own name of an enum's value leaves the enum out."""
        is_value = hasattr(descriptor, "number") and hasattr(descriptor.type, "values_by_name")
        return f"{descriptor.type.full_name}.{descriptor.name}" if is_value else descriptor.full_name

    def place(self, descriptor):
        return self.places[self.name(descriptor)]

    def comment(self, descriptor):
        return self.place(descriptor).comment

    def data_class(self, field):
        """`none`, `internal`, `personal` or `sensitive`: what is not text and has no option is of none."""
        for option in unknown_fields.UnknownFieldSet(field.GetOptions()):
            if option.field_number == self.class_number:
                return self.classes.values_by_number[option.data].name.removeprefix("DATA_CLASS_").lower()
        return "none"

    def message(self, name):
        """The class of a message, for its JSON form and its bytes."""
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))


def is_concealed(data_class):
    return data_class in ("personal", "sensitive")


def event_name(field):
    """`transfer.completed` of the field `transfer_completed` of EventData."""
    return field.name.replace("_", ".", 1)


def whole_type(name):
    """The CloudEvents type: `dev.baton.transfer.completed.v1` of `transfer.completed`."""
    return f"dev.baton.{name}.v1"


def short_type(whole):
    return re.sub(r"^dev\.baton\.|\.v1$", "", whole)
