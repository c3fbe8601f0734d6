"""What can be wrong with what is generated: one function a check, each yields `place: what is wrong and what to do`."""
import json
import re

import jsonschema
import yaml
from google.protobuf import json_format

from . import schemas
from .catalogue import elements
from .contract import EVENT, short_type
from .pages import STORY

AGAIN = "run docs/events/generate"


def read(path):
    """What is missing has nothing in it: `files_are_fresh` finds it."""
    return path.read_text() if path.exists() else ""


# Pages that people write.
BY_HAND = {"permissions.md"}


def files_are_fresh(work):
    """What is there is what would be written now, and nothing else is there."""
    for path, text in work.generated.items():
        if not path.exists():
            yield f"{work.show(path)}: is missing: {AGAIN}"
        elif path.read_text() != text:
            yield f"{work.show(path)}: is not what the contract says now: {AGAIN}"
    there = [*work.folder.glob("*.md"), *work.folder.glob("schemas/*")]
    yield from (f"{work.show(path)}: belongs to no event: delete it" for path in sorted(there) if path not in work.generated and path.name not in BY_HAND)


def events_have_pages(work):
    """Every type has a section of a page, and README.md leads to it."""
    readme = read(work.folder / "README.md")
    for event in work.catalogue.events:
        page = work.folder / f"{event.area}.md"
        if f"\n## {event.name}\n" not in read(page) or f"[`{event.name}`]({page.name}#" not in readme:
            yield f"{work.contract.place(event.field)}: {event.name} has no page: {AGAIN}"


def all_is_commented(work):
    """The pages have nothing to say of what has no comment."""
    seen = {}
    for message in (*(it.message for it in work.catalogue.events), work.catalogue.cause.message_type):
        for element in elements(message).values():
            for it in (element, *getattr(element, "fields", getattr(element, "values", ()))):
                seen[work.contract.name(it)] = work.contract.place(it)
    yield from (f"{place}: {name} has no comment" for name, place in seen.items() if not place.comment)


def examples_are_valid(work):
    """Each example is of a type that there is, keeps to its schema without an unknown field, and is in the canonical form."""
    shown = [(f"docs/events/examples/{name}.json", name, json.loads(text)) for name, text in work.examples.items()]
    for line, text in enumerate(work.story.splitlines(), 1):
        event = json.loads(text)
        shown.append((f"docs/events/examples/{STORY}:{line}", short_type(event["type"]), event))
    by_name = {it.name: it for it in work.catalogue.events}
    for at, name, example in shown:
        if name not in by_name:
            yield f"{at}: there is no event {name}: capture it again"
            continue
        strict = schemas.closed(schemas.schema_of(work.catalogue, by_name[name]))
        wrong = [f"{at}: {it.json_path}: {it.message}" for it in jsonschema.Draft202012Validator(strict).iter_errors(example)]
        yield from wrong
        if not wrong:
            message = json_format.ParseDict(example, work.contract.message(EVENT)())
            if json_format.MessageToDict(message) != example:
                yield f"{at}: is not in protobuf's canonical JSON form: capture it again"


def schemas_are_schemas(work):
    """They keep to JSON Schema 2020-12."""
    for path, text in work.generated.items():
        if path.parent.name == "schemas":
            for error in jsonschema.Draft202012Validator(jsonschema.Draft202012Validator.META_SCHEMA).iter_errors(json.loads(text)):
                yield f"{work.show(path)}: {error.json_path}: {error.message}"


def links_lead_somewhere(work):
    """A link of a page is to a file that is there, and to a heading of it."""
    headings = {}
    for path, text in work.generated.items():
        if path.suffix == ".md":
            headings[path.name] = {re.sub(r"[^\w\- ]", "", it.lower()).replace(" ", "-") for it in re.findall(r"(?m)^#+ (.*)$", text)}
    for path, text in work.generated.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", text) if path.suffix == ".md" else ():
            file, _, heading = target.partition("#")
            known = work.folder / file in work.generated or (work.folder / file).exists()
            if not known or (heading and heading not in headings.get(file or path.name, ())):
                yield f"{work.show(path)}: the link {target} leads nowhere"


def asyncapi_is_valid(work):
    """The document keeps to AsyncAPI's own schema, and what it refers to is there."""
    path = work.folder / "asyncapi.yaml"
    document = yaml.safe_load(read(path)) or {}
    if work.asyncapi_schema:
        official = json.loads(work.asyncapi_schema.read_text())
        for error in jsonschema.Draft7Validator(official).iter_errors(document):
            yield f"{work.show(path)}: {error.json_path}: {jsonschema.exceptions.best_match([error]).message[:200]}"
    for reference in re.findall(r"\$ref: '?([^'\s]+)", read(path)):
        file, _, pointer = reference.partition("#/")
        inside = json.loads(read(work.folder / file) or "{}") if file else document
        for key in pointer.split("/"):
            inside = inside.get(key) if isinstance(inside, dict) else None
        if inside is None:
            yield f"{work.show(path)}: {reference} is not there"


CHECKS = [
    files_are_fresh,
    events_have_pages,
    all_is_commented,
    examples_are_valid,
    schemas_are_schemas,
    links_lead_somewhere,
    asyncapi_is_valid,
]
