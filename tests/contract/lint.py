#!/usr/bin/env python3
"""Keeps the habits of the contract (proto/) that `buf lint` does not know: one function a rule, below.

Comments and data classes are for all of the contract; the other rules are for what people and their programs call: internal services (those
whose every method is for the role `service` alone, see libs/runtime/src/auth/access.rs) and the simulated switch are left out, as are
messages that only those use. If proto/released has an image, nothing of it may have been broken either.

Run it from anywhere; it prints each finding as `file:line: what is wrong and what to write` and exits 1 if there is one. With --self-test
it seeds a violation of each rule into a copy of the contract, and exits 1 if one is not found. Needs buf and Python's protobuf, which
tests/run installs.
"""
import functools
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2, unknown_fields

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACCESS = ROOT / "libs/runtime/src/auth/access.rs"

# What is no exception and still has to be mended; an entry that is not needed any more is a finding. Each is the rule with the message.
KNOWN = set()

# Where a rule does not fit, and why.
EXCEPTIONS = {
    ("replacements_have_an_etag", "baton.presence.v1.SetStateRequest"): "nobody edits a state: the last one who says it wins (A4)",
    ("replacements_have_an_etag", "baton.transfer.v1.SetMuteRequest"): "a command to a live call, which `if_version` guards",
    ("replacements_have_an_etag", "baton.transfer.v1.SetDataRequest"): "sets single keys of a live call, which `if_version` guards",
    ("lists_have_pages", "baton.presence.v1.ListInboxRequest"): "an agent is wanted by one interaction at a time",
    ("lists_have_pages", "baton.presence.v1.ListInboxResponse"): "an agent is wanted by one interaction at a time",
    ("changes_have_a_request_id", "baton.presence.v1.CloseSessionRequest"): "one that is over already is answered the same",
}

FEWEST_WORDS = 4
INT32, STRING, BYTES = (getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{it}") for it in ("INT32", "STRING", "BYTES"))
# Methods that change nothing, or only what ends by itself.
READING = re.compile(r"(Get|List|Explain|Watch|Tail|Download|Validate|Connect|Renew)(?=[A-Z]|$)")
ONE = r"(?:`[A-Za-z]\w*`|\b[A-Z][A-Z_]{2,}\b)"
ALTERNATIVES = re.compile(rf"{ONE}(?:, (?:or )?| or | and | ?[/|] ?){ONE}")


class Element:
    """Something of the contract with its place and its comment."""

    def __init__(self, file, location, name, kind, descriptor):
        self.name, self.kind, self.descriptor = name, kind, descriptor
        self.package = file.package
        self.place = f"proto/{file.name}:{location.span[0] + 1}"
        self.comment = " ".join(location.leading_comments.split())

    @property
    def short(self):
        return self.name.removeprefix(self.package + ".")


class Contract:
    """The elements of the contract below a folder that has `buf.yaml` and `proto/`."""

    def __init__(self, root):
        self.elements, self.entries, self.extension = [], {}, None
        for file in descriptor_pb2.FileDescriptorSet.FromString(buf(root, "build", "-o", "-").stdout).file:
            if file.package.startswith("baton."):
                self.locations = {tuple(it.path): it for it in file.source_code_info.location}
                self.add_file(file)
        self.messages = {it.name: it for it in self.elements if it.kind == "message"}
        self.fields = {it.name: it for it in self.elements if it.kind == "field"}
        public = {it.name for it in self.elements if it.kind == "service"} - internal_services()
        methods = [it for it in self.elements if it.kind == "method" and it.name.rsplit(".", 1)[0] in public]
        self.methods = [it for it in methods if not is_simulator(it)]
        self.public = self.reachable()

    def add_file(self, file):
        for at, message in enumerate(file.message_type):
            self.add_message(file, (4, at), file.package, message)
        for at, enum in enumerate(file.enum_type):
            self.add_enum(file, (5, at), file.package, enum)
        for at, service in enumerate(file.service):
            name = self.add(file, (6, at), file.package, "service", service)
            for number, method in enumerate(service.method):
                self.add(file, (6, at, 2, number), name, "method", method)
        for at, extension in enumerate(file.extension):
            name = self.add(file, (7, at), file.package, "extension", extension)
            if name == "baton.common.v1.data_class":
                self.extension = extension.number

    def add_message(self, file, path, scope, message):
        if message.options.map_entry:
            self.entries[f".{scope}.{message.name}"] = message
            return
        name = self.add(file, path, scope, "message", message)
        for at, nested in enumerate(message.nested_type):
            self.add_message(file, (*path, 3, at), name, nested)
        for at, enum in enumerate(message.enum_type):
            self.add_enum(file, (*path, 4, at), name, enum)
        for at, field in enumerate(message.field):
            self.add(file, (*path, 2, at), name, "field", field)
        for at, oneof in enumerate(message.oneof_decl):
            self.add(file, (*path, 8, at), name, "oneof", oneof)

    def add_enum(self, file, path, scope, enum):
        name = self.add(file, path, scope, "enum", enum)
        for at, value in enumerate(enum.value):
            self.add(file, (*path, 2, at), name, "value", value)

    def add(self, file, path, scope, kind, descriptor):
        name = f"{scope}.{descriptor.name}"
        self.elements.append(Element(file, self.locations[path], name, kind, descriptor))
        return name

    def reachable(self):
        """The names of the messages that the public methods take and give, with all that is in them."""
        found, wanted = set(), [name for it in self.methods for name in (it.descriptor.input_type, it.descriptor.output_type)]
        while wanted:
            name = wanted.pop().removeprefix(".")
            if name in self.messages and name not in found:
                found.add(name)
                wanted += [it.type_name for it in self.messages[name].descriptor.field]
        return found

    def field(self, message, name, kind=None):
        """The field of a message, if there is one of this type."""
        for it in message.descriptor.field:
            if it.name == name and kind in (None, it.type, it.type_name):
                return it
        return None

    def has_etag(self, request):
        """Its own, or one in the message that it carries."""
        carried = [self.messages.get(it.type_name.removeprefix(".")) for it in request.descriptor.field]
        return any(it and self.field(it, "etag", STRING) for it in [request, *carried])

    def calls(self, pattern):
        """The public methods whose names begin so, with request and response."""
        for it in self.methods:
            if re.match(pattern, it.descriptor.name):
                yield it, self.messages[it.descriptor.input_type[1:]], self.messages[it.descriptor.output_type[1:]]


def is_simulator(element):
    return element.package.startswith("baton.simulator.")


@functools.cache
def internal_services():
    """The services of which every method is for other services alone, by the table of access."""
    rows = re.findall(r'\("/([\w.]+)/\w+", (\w+)\)', ACCESS.read_text())
    return {service for service, _ in rows} - {service for service, roles in rows if roles != "SERVICES"}


def updates_say_what_they_change(contract):
    """An Update names the fields that it changes, and the version in which it read them."""
    for method, request, _ in contract.calls(r"Update[A-Z]"):
        if not contract.field(request, "update_mask", ".google.protobuf.FieldMask"):
            yield request, f"{method.short} has no mask: write `google.protobuf.FieldMask update_mask`"
        if not contract.has_etag(request):
            yield request, f"{method.short} has no etag: write `string etag` in the request or in what it updates"


def replacements_have_an_etag(contract):
    """Whoever puts or sets what people edit says which version they have seen."""
    for method, request, _ in contract.calls(r"(Put|Set)[A-Z]"):
        if not contract.has_etag(request):
            yield request, f"{method.short} overwrites what others changed: write `string etag` in the request or in what it sets"


def lists_have_pages(contract):
    """A List has pages."""
    for method, request, response in contract.calls(r"List[A-Z]"):
        for name, kind, word in (("page_size", INT32, "int32"), ("page_token", STRING, "string")):
            if not contract.field(request, name, kind):
                yield request, f"{method.short} has no pages: write `{word} {name}` in its request"
        if not contract.field(response, "next_page_token", STRING):
            yield response, f"{method.short} has no pages: write `string next_page_token` in its response"


def changes_have_a_request_id(contract):
    """A change can be repeated without being made twice."""
    for method, request, _ in contract.calls(rf"(?!{READING.pattern})"):
        if not contract.field(request, "request_id", STRING):
            yield request, f"{method.short} can't be repeated safely: write `string request_id`"


def commands_name_their_transfer(contract):
    """A command about a transfer names it, so that a late one never hits the next."""
    for method, request, _ in contract.calls(rf"(?!{READING.pattern}|Start[A-Z])"):
        if ".TransferService." in method.name and not contract.field(request, "transfer_id", STRING):
            yield request, f"{method.short} may hit another transfer than was meant: write `string transfer_id`"


def texts_have_a_class(contract):
    """Every string and bytes field says what it tells about people."""
    for field in contract.fields.values():
        entry = contract.entries.get(field.descriptor.type_name)
        kinds = [it.type for it in entry.field] if entry else [field.descriptor.type]
        if is_simulator(field) or not {STRING, BYTES} & set(kinds):
            continue
        options = unknown_fields.UnknownFieldSet(field.descriptor.options)
        if not any(it.field_number == contract.extension and it.data for it in options):
            yield field, f"{field.short} has no data class: write `[(baton.common.v1.data_class) = DATA_CLASS_…]`"


def comments_say_something(contract):
    """Every comment is a sentence that tells more than the name."""
    for it in contract.elements:
        words = [word for word in it.comment.split() if any(letter.isalnum() for letter in word)]
        if len(words) < FEWEST_WORDS:
            why = f"says `{it.comment}`" if it.comment else "has no comment"
            yield it, f"{it.short} {why}: write what it means, in {FEWEST_WORDS} words or more (unit, range, when empty, whose)"


def closed_lists_are_enums(contract):
    """A text is not one of a few words that the comment lists."""
    for field in contract.fields.values():
        listed = ALTERNATIVES.search(field.comment)
        if not listed or field.descriptor.type != STRING or field.name.rsplit(".", 1)[0] not in contract.public:
            continue
        sentence = re.split(r"[.:;] ", field.comment[: listed.start()])[-1]
        if "for example" not in sentence and "such as" not in sentence:
            yield field, f"{field.short} seems to be one of a closed list ({listed[0]}): write an enum, or `for example`"


def methods_are_documented(contract):
    """Every method that people call says what it does."""
    for method in contract.methods:
        if not method.comment:
            yield method, f"{method.short} is not documented: write above it what it does, and when it is refused"


RULES = [
    updates_say_what_they_change,
    replacements_have_an_etag,
    lists_have_pages,
    changes_have_a_request_id,
    commands_name_their_transfer,
    texts_have_a_class,
    comments_say_something,
    closed_lists_are_enums,
    methods_are_documented,
]


def findings(contract):
    """What breaks a rule, as (rule, line to print), without what is known or excepted."""
    found, used = [], set()
    for rule in RULES:
        for element, what in rule(contract):
            key = (rule.__name__, element.name)
            if key in KNOWN or key in EXCEPTIONS:
                used.add(key)
            else:
                found.append((rule.__name__, f"{element.place}: {what}"))
    script = pathlib.Path(__file__).resolve().relative_to(ROOT)
    for line, text in enumerate(pathlib.Path(__file__).read_text().splitlines(), 1):
        entry = re.match(r'    \("(\w+)", "([\w.]+)"\)', text)
        if entry and entry.groups() not in used:
            found.append(("stale", f"{script}:{line}: {entry[2]} keeps the rule {entry[1]} now: take the line out"))
    return found


def buf(root, *arguments, check=True):
    done = subprocess.run(["buf", *arguments], cwd=root, capture_output=True, check=False)
    if check and done.returncode:
        sys.exit(f"buf {' '.join(arguments)}: {(done.stdout + done.stderr).decode()}")
    return done


def newest_release():
    """The image with the highest version in its name, if there is one."""
    def version(path):
        return [(int(number or 0), text) for number, text in re.findall(r"(\d+)|(\D+)", path.stem)]

    return max((ROOT / "proto/released").glob("*.binpb"), key=version, default=None)


def broken(root, image):
    """What `buf breaking` says against an image, by the rules of buf.yaml."""
    return buf(root, "breaking", "--against", str(image), check=False).stdout.decode().strip()


# For the self-test: the rule, edits of proto/baton (file, what is there, what is written instead), and what the finding says.
AGENT = "presence/v1/directory_service.proto"
ROUTING = "routing/v1/routing_service.proto"
CALL = "transfer/v1/interaction_service.proto"
TRANSFER = "transfer/v1/transfer_service.proto"
EVENT = "event/v1/event.proto"
NONE, SENSITIVE, UNSPECIFIED = (f"[(baton.common.v1.data_class) = DATA_CLASS_{it}]" for it in ("NONE", "SENSITIVE", "UNSPECIFIED"))
PROFILE = "// The name of the profile that the policy stands on."
MUTED = "  // True to be heard by nobody."
# A replacement that is new.
LAST = "rpc DeleteNumber(DeleteNumberRequest) returns (DeleteNumberResponse);"
TRUNK = f"""
// The request of RoutingService.PutTrunk.
message PutTrunkRequest {{
  // Makes the change idempotent, as everywhere.
  string request_id = 1 {NONE};
}}
// The answer of RoutingService.PutTrunk.
message PutTrunkResponse {{}}
"""
SEEDS = [
    ("updates_say_what_they_change", [(AGENT, "google.protobuf.FieldMask update_mask", "string update_mask")], "UpdateAgent has no mask"),
    ("updates_say_what_they_change", [(AGENT, f"string etag = 6 {NONE}", f"string version = 6 {NONE}")], "UpdateAgent has no etag"),
    (
        "replacements_have_an_etag",
        [
            (ROUTING, LAST, f"{LAST}\n  // Creates or replaces a trunk.\n  rpc PutTrunk(PutTrunkRequest) returns (PutTrunkResponse);"),
            (ROUTING, "\n// A number that customers call.", f"{TRUNK}\n// A number that customers call."),
        ],
        "PutTrunk overwrites",
    ),
    ("lists_have_pages", [(ROUTING, "int32 page_size = 1;", "int32 size = 1;")], "`int32 page_size`"),
    ("lists_have_pages", [(ROUTING, "string page_token = 2", "string token = 2")], "`string page_token`"),
    ("lists_have_pages", [(ROUTING, "string next_page_token = 2", "string next_token = 2")], "`string next_page_token`"),
    ("changes_have_a_request_id", [(CALL, "string request_id = 1", "string nonce = 1")], "PlaceCall can't be repeated"),
    ("commands_name_their_transfer", [(TRANSFER, "string transfer_id = 3", "string which_id = 3")], "DeclineTransfer may hit"),
    ("texts_have_a_class", [(AGENT, f"string etag = 6 {NONE}", "string etag = 6")], "Agent.etag has no data class"),
    ("texts_have_a_class", [(AGENT, f"string etag = 6 {NONE}", f"string etag = 6 {UNSPECIFIED}")], "Agent.etag has no data class"),
    ("texts_have_a_class", [("transfer/v1/interaction.proto", f"data = 13 {SENSITIVE}", "data = 13")], "Interaction.data has no"),
    ("texts_have_a_class", [("recording/v1/archive_service.proto", f"chunk = 2 {SENSITIVE}", "chunk = 2")], "chunk has no data class"),
    ("comments_say_something", [(AGENT, "// A group of agents.", "// Agents.")], "Team says `Agents.`"),
    ("comments_say_something", [("simulator/v1/leg.proto", "// How far it has come.", "// How far.")], "Leg.state says `How far.`"),
    ("comments_say_something", [("common/v1/types.proto", "  // Another agent was first.\n", "")], "REASON_TAKEN has no comment"),
    ("closed_lists_are_enums", [(EVENT, PROFILE, "// The profile: `lead_center` or `helpdesk`.")], "PolicyChanged.profile seems"),
    ("closed_lists_are_enums", [(EVENT, PROFILE, "// One of LEAD_CENTER, HELPDESK.")], "PolicyChanged.profile seems"),
    ("methods_are_documented", [(CALL, "  // Adds a note, which travels with the call.\n", "")], "AddNote is not documented"),
    ("stale", [(CALL, MUTED, f"  // The version that was read.\n  string etag = 9 {NONE};\n{MUTED}")], "SetMuteRequest keeps"),
]


def seeded(folder, edits):
    """A copy of the contract with these edits; an edit that does not apply is an error."""
    shutil.copytree(ROOT / "proto", folder / "proto", dirs_exist_ok=True)
    shutil.copy(ROOT / "buf.yaml", folder)
    for name, old, new in edits:
        path = folder / "proto/baton" / name
        text = path.read_text()
        if old not in text:
            sys.exit(f"self-test: {name} has no `{old}` any more: seed something else")
        path.write_text(text.replace(old, new, 1))
    return folder


def self_test():
    """What the rules fail to find."""
    missed = [f"self-test: no seed for the rule {it.__name__}" for it in RULES if it.__name__ not in {seed[0] for seed in SEEDS}]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for rule, edits, expected in SEEDS:
            found = findings(Contract(seeded(folder, edits)))
            if not any(name == rule and expected in line for name, line in found):
                missed.append(f"self-test: {rule} does not find `{expected}` where {edits[0][0]} was spoiled")
        image = folder / "before.binpb"
        buf(seeded(folder, []), "build", "-o", str(image))
        if said := broken(folder, image):
            missed.append(f"self-test: buf breaking finds what nobody changed: {said}")
        seeded(folder, [(AGENT, "bool voicemail = 5;", "bool has_voicemail = 5;")])
        if "voicemail" not in broken(folder, image):
            missed.append("self-test: buf breaking does not find a field that was renamed")
    print("\n".join(missed) or f"contract: {len(SEEDS) + 1} seeded violations, each found")
    return 1 if missed else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = [line for _, line in findings(Contract(ROOT))]
    if image := newest_release():
        found += broken(ROOT, image).splitlines()
    print("\n".join(found) or f"contract: {len(RULES)} rules kept, {len(KNOWN)} places known to be mended")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
