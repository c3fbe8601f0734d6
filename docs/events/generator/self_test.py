"""Spoils a copy of the contract and of docs/events in each way that a check is there to find."""
import pathlib
import shutil
import tempfile

from .checks import CHECKS
from .contract import ROOT

EVENT = "proto/baton/event/v1/event.proto"
DOCS = "docs/events"
JOINED = "message TransferJoined {"
# The check, edits (file, what is there, what is written instead; None: the file is deleted), and what the finding says.
SEEDS = [
    ("files_are_fresh", [(EVENT, "// A transfer was started: an", "// A transfer was begun: an")], "transfer.md: is not what"),
    ("files_are_fresh", [(EVENT, "int64 hold_ms = 1;", "int64 held_ms = 1;")], "interaction.customer_resumed.json: is not what"),
    ("files_are_fresh", [(f"{DOCS}/asyncapi.yaml", "action: send", "action: receive")], "asyncapi.yaml: is not what"),
    ("files_are_fresh", [(f"{DOCS}/README.md", "## All events", "## Some events")], "README.md: is not what"),
    ("files_are_fresh", [(f"{DOCS}/schemas/policy.changed.json", None, None)], "policy.changed.json: is missing"),
    (
        "files_are_fresh",
        [(EVENT, "    // An admin had a customer forgotten.\n    CustomerForgotten customer_forgotten = 66;\n", "")],
        "customer.forgotten.json: belongs to no event",
    ),
    (
        "events_have_pages",
        [(EVENT, "    // All three hear", "    // It waits for a while.\n    TransferJoined transfer_parked = 9999;\n    // All three hear")],
        "transfer.parked has no page",
    ),
    ("all_is_commented", [(EVENT, JOINED, f"{JOINED}\n  bool again = 9;")], "TransferJoined.again has no comment"),
    ("all_is_commented", [(EVENT, "    // The agent did not answer an offer.\n", "")], "CAUSE_NO_ANSWER has no comment"),
    ("examples_are_valid", [(EVENT, "int32 note = 1;", "int64 note = 1;")], "interaction.note_added.json: $.data"),
    ("examples_are_valid", [(EVENT, "CAUSE_LIMIT = 1;", "CAUSE_TOO_MANY = 1;")], "interaction.refused.json: $.data"),
    ("examples_are_valid", [(f"{DOCS}/examples/transfer.joined.json", '"recipientAgentId"', '"recipient"')], "Additional properties"),
    ("examples_are_valid", [(f"{DOCS}/examples/recording.stored.json", "//baton/recording", "//baton/transfer")], "$.source"),
    ("examples_are_valid", [(f"{DOCS}/examples/customer.forgotten.json", '"customer/', '"agent/')], "$.subject"),
    ("examples_are_valid", [(f"{DOCS}/examples/interaction.queued.json", '"position": 1', '"position": 0')], "canonical JSON form"),
    ("examples_are_valid", [(f"{DOCS}/examples/a_warm_transfer.jsonl", '"holdMs"', '"heldMs"')], "a_warm_transfer.jsonl:"),
    (
        "examples_are_valid",
        [(EVENT, "    // An admin had a customer forgotten.\n    CustomerForgotten customer_forgotten = 66;\n", "")],
        "there is no event customer.forgotten",
    ),
    ("schemas_are_schemas", [("made", '"type": "object"', '"type": "thing"')], "is not valid under any"),
    ("links_lead_somewhere", [("made", "](schemas/agent.state_changed.json)", "](schemas/agent.state.json)")], "the link schemas/agent.state.json"),
    ("links_lead_somewhere", [("made", "(transfer.md#transferjoined)", "(transfer.md#transferunited)")], "the link transfer.md#transferunited"),
    ("asyncapi_is_valid", [(f"{DOCS}/asyncapi.yaml", "json#/properties/data", "json#/properties/datum")], "properties/datum is not there"),
    ("asyncapi_is_valid", [(f"{DOCS}/asyncapi.yaml", "action: send", "action: shout")], "$.operations"),
]


def copy(folder):
    for path in ("proto", DOCS):
        shutil.copytree(ROOT / path, folder / path, dirs_exist_ok=True)
    shutil.copy(ROOT / "buf.yaml", folder)


def spoil(folder, edits):
    """Makes the edits; one that does not apply is an error. Those of what is `made` are kept for later."""
    for name, old, new in edits:
        path = folder / name
        if name == "made":
            continue
        if old is None:
            path.unlink()
        elif old not in path.read_text():
            raise SystemExit(f"self-test: {name} has no `{old}` any more: seed something else")
        else:
            path.write_text(path.read_text().replace(old, new, 1))


def spoil_made(work, edits):
    for name, old, new in edits:
        if name == "made":
            work.generated = {path: text.replace(old, new) for path, text in work.generated.items()}


def run(work_of, asyncapi_schema):
    """Prints what the checks fail to find."""
    seeds = [seed for seed in SEEDS if asyncapi_schema or seed[2] != "$.operations"]
    checks = {it.__name__: it for it in CHECKS}
    missed = [f"self-test: no seed for {name}" for name in checks.keys() - {seed[0] for seed in seeds}]
    for name, edits, expected in seeds:
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            copy(folder)
            spoil(folder, edits)
            work = work_of(folder, asyncapi_schema)
            spoil_made(work, edits)
            if not any(expected in line for line in checks[name](work)):
                missed.append(f"self-test: {name} does not find `{expected}` where {edits[0][0]} was spoiled")
    print("\n".join(missed) or f"events: {len(seeds)} seeded faults, each found")
    return 1 if missed else 0
