#!/usr/bin/env python3
"""Keeps the vocabulary of the code: one name has one meaning, and everyday words don't stand for terms.

Checks the product code (libs/*/src, services/*/src), tests modules left out:
1. No type name (struct, enum, trait) is defined twice, but for the conventions below.
2. No identifier is, or contains as a word, one of the retired words below; beside each stands what to write.

Run it from anywhere; it prints each finding with its place and exits 1 if there is one. Arguments restrict the
second check to paths that begin with one of them.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Names that every module of their sort has: a row of a table, the error of a service's start.
CONVENTIONS = {"Row", "StartError"}

# Words that once stood for a term, and the term.
RETIRED = {
    "told": "acknowledged, or notified",
    "untold": "unacknowledged",
    "door": "command handler",
    "ordered": "CommandOutcome",
    "sight": "snapshot",
    "share": "slice",
    "aside": "suspended",
    "thing": "operation",
    "things": "operations",
    "makings": "context",
    "stray": "orphan",
    "strays": "orphans",
    "wish": "requested state",
    "news": "change notice",
    "keeper": "janitor",
    "bury": "tombstone",
    "verdict": "decision",
    "heir": "successor",
    "standing": "status",
}

# Types whose name was an everyday word for a term.
RETIRED_TYPES = {
    "Place": "Permit or QueuePosition",
    "Turn": "Tenure or WriteGuard",
    "Order": "CommandContext",
    "Asked": "what the request is",
    "Look": "Snapshot or Resync",
    "Book": "NameRegistry",
    "Held": "HoldOff",
    "Line": "QueueWorker, or how the customer is connected",
    "Taken": "Occupied",
}

TYPE = re.compile(r"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:struct|enum|trait)\s+([A-Z]\w*)")
IDENTIFIER = re.compile(r"\b[A-Za-z_]\w*\b")
WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def sources():
    for top in ("libs", "services"):
        for path in sorted((ROOT / top).glob("*/src/**/*.rs")):
            if path.stem != "tests" and not path.stem.endswith("_tests") and "tests" not in path.parts:
                yield path


def code_lines(path):
    """The lines of code of a file, without comments, the contents of strings, and its test module."""
    code = path.read_text().split("#[cfg(test)]")[0]
    code = re.sub(r"(?m)^[ \t]*//.*$| // .*$", "", code)
    code = re.sub(r'"(?:[^"\\]|\\.)*"', lambda text: '""' + "\n" * text[0].count("\n"), code, flags=re.S)
    yield from enumerate(code.splitlines(), 1)


def main():
    only = [ROOT / argument for argument in sys.argv[1:]]
    defined, findings = {}, []
    for path in sources():
        where = path.relative_to(ROOT)
        for number, line in code_lines(path):
            if match := TYPE.match(line):
                defined.setdefault(match[1], []).append(f"{where}:{number}")
                if better := RETIRED_TYPES.get(match[1]):
                    findings.append(f"{where}:{number}: the type `{match[1]}`: write {better}")
            if only and not any(path.is_relative_to(top) for top in only):
                continue
            for identifier in IDENTIFIER.findall(line):
                for word in WORDS.findall(identifier):
                    if better := RETIRED.get(word.lower()):
                        findings.append(f"{where}:{number}: `{identifier}`: write {better}")
    for name, places in sorted(defined.items()):
        if len(places) > 1 and name not in CONVENTIONS:
            findings.append(f"the type name {name} has {len(places)} meanings: {', '.join(places)}")
    print("\n".join(dict.fromkeys(findings)) or "words: one name, one meaning")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
